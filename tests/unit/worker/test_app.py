"""What a worker answers over HTTP."""

import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from service.observability.worker_metrics import CONTENT_TYPE
from service.web.middleware.problem_details import refusals
from service.worker import app
from tests.waiting import turns


@pytest_asyncio.fixture
async def client(bench):
    built = app.build(worker=bench.worker, metrics=bench.metrics, middlewares=[refusals])
    async with TestClient(TestServer(built)) as started:
        yield started


async def test_a_worker_lives_whatever_else_does_not(client, bench):
    bench.store.is_away = True
    bench.queue.is_connected = False

    answer = await client.get("/health/live")

    assert (answer.status, await answer.json()) == (200, {"status": "UP"})


async def test_a_worker_is_ready_when_it_can_take_offers(client):
    answer = await client.get("/health/ready")

    assert (answer.status, await answer.json()) == (200, {"status": "UP"})


async def test_a_worker_without_its_queue_or_its_store_is_not_ready(client, bench):
    bench.queue.is_connected = False
    unheard = await client.get("/health/ready")
    bench.queue.is_connected, bench.store.is_away = True, True
    unstored = await client.get("/health/ready")

    for answer, code in (
        (unheard, "DPM_SUPPORTABILITY_POSTGRES_CONNECTION_FAILED"),
        (unstored, "DPM_SUPPORTABILITY_STORE_UNAVAILABLE"),
    ):
        assert answer.status == 503
        assert answer.content_type == "application/problem+json"
        assert (await answer.json())["code"] == code
        assert "Retry-After" in answer.headers


async def test_a_worker_that_stops_is_not_ready(client, bench):
    async with bench.at_work():
        bench.stop.set()
        await turns(10)

        answer = await client.get("/health/ready")

        assert (answer.status, (await answer.json())["code"]) == (503, "SERVICE_STOPPING")


async def test_metrics_are_told_in_the_text_form(client, bench):
    bench.metrics.started(0.2, attempt=1)
    bench.metrics.ended("RELEASED", 0.3)

    answer = await client.get("/metrics")
    text = await answer.text()

    assert (answer.status, answer.headers["Content-Type"]) == (200, CONTENT_TYPE)
    assert "lotus_operations_started_total 1.0\n" in text
    assert 'lotus_operations_ended_total{outcome="RELEASED"} 1.0\n' in text


async def test_probes_may_ask_for_the_head_alone(client):
    for path in ("/health/live", "/health/ready"):
        answer = await client.head(path)

        assert (answer.status, answer.headers["Content-Length"]) == (200, "15")
        assert await answer.read() == b""


async def test_nothing_else_is_answered(client):
    unknown = await client.get("/rebalance/operations")
    head = await client.head("/metrics")

    assert (unknown.status, (await unknown.json())["code"]) == (404, "NOT_FOUND")
    assert head.status == 405
