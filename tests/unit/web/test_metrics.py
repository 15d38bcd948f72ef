"""What is counted of requests, seen from outside."""

import asyncio
import json
import threading

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from service.errors.storage import StoreUnavailable
from service.observability.server_metrics import ServerMetrics
from service.observability.worker_metrics import CONTENT_TYPE
from service.runtime.process_pool import InstrumentedExecutor, run_inline
from service.web.http import metrics_endpoint
from service.web.http.sockets import PortRefused


def told(metrics, name):
    """Every figure of a name, by its labels."""
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


def of(**labels):
    return tuple(sorted(labels.items()))


@pytest.fixture
def metrics():
    return ServerMetrics()


def keyed(key):
    return {"Idempotency-Key": key}


async def test_a_request_is_counted_under_the_template_of_its_route(start, metrics):
    client = await start(metrics=metrics)
    for run_id in ("rr_1", "rr_2"):
        await client.get(f"/rebalance/runs/{run_id}")

    route = "/rebalance/runs/{rebalance_run_id}"
    assert told(metrics, "lotus_requests_total") == {of(method="GET", route=route, status="404"): 2.0}
    assert told(metrics, "lotus_http_request_duration_seconds_count") == {of(method="GET", route=route): 2.0}
    assert told(metrics, "lotus_http_errors_total") == {of(status="404", code="DPM_RUN_NOT_FOUND"): 2.0}
    assert told(metrics, "lotus_requests_in_flight") == {(): 0.0}


async def test_paths_and_methods_nobody_knows_make_no_series_of_their_own(start, metrics):
    client = await start(metrics=metrics)
    await client.get("/somewhere/4711")
    await client.get("/elsewhere/4712")
    await client.request("MKCOL", "/rebalance/simulate")
    await client.request("PROPFIND", "/rebalance/simulate")

    assert told(metrics, "lotus_requests_total") == {
        of(method="GET", route="none", status="404"): 2.0,
        of(method="other", route="none", status="405"): 2.0,
    }


async def test_an_answer_given_again_and_a_conflict_are_counted(start, metrics, demo):
    client = await start(metrics=metrics)
    for _ in range(3):
        await client.post("/rebalance/simulate", json=demo, headers=keyed("k-1"))
    demo["portfolio_snapshot"]["portfolio_id"] = "another"
    await client.post("/rebalance/simulate", json=demo, headers=keyed("k-1"))

    assert told(metrics, "lotus_idempotent_replays_total") == {of(route="/rebalance/simulate"): 2.0}
    assert told(metrics, "lotus_http_errors_total") == {
        of(status="409", code="IDEMPOTENCY_KEY_CONFLICT"): 1.0
    }
    assert told(metrics, "lotus_requests_total") == {
        of(method="POST", route="/rebalance/simulate", status="200"): 3.0,
        of(method="POST", route="/rebalance/simulate", status="409"): 1.0,
    }


async def test_a_bug_and_a_store_that_is_away_are_counted_as_callers_saw_them(
    start, metrics, store, monkeypatch
):
    client = await start(metrics=metrics)

    async def broken(*_):
        raise errors.pop()

    errors = [RuntimeError("a bug"), StoreUnavailable()]
    monkeypatch.setattr(store.dpm_runs, "get", broken)
    for _ in range(2):
        await client.get("/rebalance/runs/rr_1")

    assert told(metrics, "lotus_http_errors_total") == {
        of(status="503", code="DPM_SUPPORTABILITY_STORE_UNAVAILABLE"): 1.0,
        of(status="500", code="INTERNAL_ERROR"): 1.0,
    }


async def test_a_request_is_in_flight_until_it_is_answered(start, metrics, store, monkeypatch):
    client = await start(metrics=metrics)
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def slow():
        reached.set()
        await go_on.wait()

    monkeypatch.setattr(store, "check_writable", slow)
    asked = asyncio.create_task(client.get("/health/ready"))
    await reached.wait()
    during = told(metrics, "lotus_requests_in_flight")
    go_on.set()
    await asked

    assert (during, told(metrics, "lotus_requests_in_flight")) == ({(): 1.0}, {(): 0.0})


async def test_the_figures_are_answered_apart_and_rendered_beside_the_loop(metrics):
    threads = []

    class Watched:
        def render(self):
            threads.append(threading.current_thread())
            return metrics.render()

    metrics.answered("GET", "/health/live", 200, 0.001)
    async with TestClient(TestServer(metrics_endpoint.build(Watched()))) as client:
        answer = await client.get("/metrics")
        text = await answer.text()
        other = await client.get("/rebalance/runs/rr_1")
        code = (await other.json())["code"]

    assert (answer.status, answer.headers["Content-Type"]) == (200, CONTENT_TYPE)
    assert 'lotus_requests_total{method="GET",route="/health/live",status="200"} 1.0\n' in text
    assert threads and threads[0] is not threading.main_thread()
    assert (other.status, code) == (404, "NOT_FOUND")


async def test_without_a_port_nothing_listens_and_a_port_that_is_taken_is_refused(metrics):
    async with metrics_endpoint.metrics_listening(metrics, "127.0.0.1", None) as nowhere:
        assert nowhere is None
    async with metrics_endpoint.metrics_listening(metrics, "127.0.0.1", 0) as port:
        assert port
        with pytest.raises(PortRefused, match=str(port)):
            async with metrics_endpoint.metrics_listening(metrics, "127.0.0.1", port):
                pass


async def test_work_is_timed_wherever_it_is_done():
    metrics = ServerMetrics()

    async def elsewhere(work, *args):
        return work(*args)

    offload = InstrumentedExecutor(elsewhere, metrics.process)

    assert await offload(json.loads, "[1]") == [1]
    assert run_inline(offload, json.loads, "[2]") == [2]
    with pytest.raises(ValueError):
        run_inline(offload, json.loads, "[")
    assert run_inline(elsewhere, json.loads, "[3]") == [3]

    assert told(metrics, "lotus_engine_duration_seconds_count") == {
        of(work="loads", place="process"): 1.0,
        of(work="loads", place="loop"): 2.0,
    }
