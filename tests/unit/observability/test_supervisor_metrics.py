"""Figures of several server processes under one port."""

import asyncio

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from service.observability.supervisor_metrics import SupervisorMetrics


class Figures:
    def __init__(self, requests: int) -> None:
        self.registry = CollectorRegistry()
        Counter("lotus_requests", "Answers.", ["route"], registry=self.registry).labels("/a").inc(requests)
        Gauge("lotus_requests_in_flight", "Now.", registry=self.registry).set(requests)
        Histogram(
            "lotus_http_request_duration_seconds", "Took.", buckets=(1.0,), registry=self.registry
        ).observe(0.5)

    async def show(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self.registry))


@pytest.fixture
async def sockets(tmp_path):
    """Two processes that serve their figures, and a third that does not run."""
    runners = []
    for number, requests in enumerate((3, 4)):
        app = web.Application()
        app.add_routes([web.get("/metrics", Figures(requests).show)])
        runners.append(web.AppRunner(app))
        await runners[-1].setup()
        await web.UnixSite(runners[-1], str(tmp_path / f"{number}.sock")).start()
    yield [tmp_path / f"{number}.sock" for number in range(3)]
    for runner in runners:
        await runner.cleanup()


async def told(metrics):
    text = await asyncio.to_thread(metrics.render)
    return {family.name: family for family in text_string_to_metric_families(text.decode())}


async def test_every_series_carries_the_number_of_its_process(sockets):
    found = await told(SupervisorMetrics(sockets, lambda: 2))

    samples = {
        (sample.name, sample.labels["server_process"], sample.labels["route"]): sample.value
        for sample in found["lotus_requests"].samples
    }
    assert samples == {("lotus_requests_total", "0", "/a"): 3.0, ("lotus_requests_total", "1", "/a"): 4.0}
    assert found["lotus_requests"].type == "counter"
    assert found["lotus_http_request_duration_seconds"].type == "histogram"
    assert {sample.labels.get("le") for sample in found["lotus_http_request_duration_seconds"].samples} == {
        "1.0",
        "+Inf",
        None,
    }


async def test_a_process_that_does_not_run_is_left_out_and_counted(sockets):
    metrics = SupervisorMetrics(sockets, lambda: 2)
    metrics.restarted()

    found = await told(metrics)

    assert {sample.labels["server_process"] for sample in found["lotus_requests_in_flight"].samples} == {
        "0",
        "1",
    }
    assert found["lotus_server_processes"].samples[0].value == 2
    assert found["lotus_server_process_restarts"].samples[0].value == 1
