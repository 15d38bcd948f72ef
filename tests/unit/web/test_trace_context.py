"""The trace a request came in: on its log lines, in its lineage, in spans where there are any."""

import asyncio
import builtins
import json

import pytest
import structlog
from structlog.testing import CapturingLogger

from service.observability import opentelemetry, trace_context
from service.observability.server_metrics import ServerMetrics
from service.observability.trace_context import TraceContext, parse
from service.runtime.process_pool import InstrumentedExecutor
from service.settings.process import ExecutionMode
from service.storage.instrumented import measured
from service.storage.memory.store import MemoryStore

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "header", [PARENT, f"00-{TRACE}-{SPAN}-00", f"cc-{TRACE}-{SPAN}-01-what-comes-later"]
)
def test_a_well_formed_header_names_a_trace_and_a_span(header):
    assert parse(header) == TraceContext(TRACE, SPAN)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f" {PARENT}",
        f"{PARENT}\n",
        "00-" + "٣" * 32 + f"-{SPAN}-01",
    ],
)
def test_any_other_header_names_none(header):
    assert parse(header) is None


@pytest.fixture
def lines():
    """The log lines of a test, as they are bound."""
    captured = CapturingLogger()
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, lambda _, __, event: ((), dict(event))],
        logger_factory=lambda *_: captured,
        cache_logger_on_first_use=False,
    )
    yield lambda: [call.kwargs for call in captured.calls if call.kwargs["event"] == "request"]
    structlog.configure(**before)


async def simulated(client, demo, key, **headers):
    answer = await client.post("/rebalance/simulate", json=demo, headers={"Idempotency-Key": key, **headers})
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def edges_of(client, entity_id):
    answer = await client.get(f"/rebalance/lineage/{entity_id}")
    return {edge["edge_type"]: edge["metadata"] for edge in (await answer.json())["edges"]}


async def test_log_lines_of_a_traced_request_name_its_trace_and_those_of_the_next_do_not(start, demo, lines):
    client = await start()
    await simulated(client, demo, "k-1", traceparent=PARENT)
    await simulated(client, demo, "k-2")
    await simulated(client, demo, "k-3", traceparent="nonsense")

    traced, untraced, nonsense = lines()
    assert (traced["trace_id"], traced["span_id"]) == (TRACE, SPAN)
    assert "correlation_id" in traced
    assert not {"trace_id", "span_id"} & (set(untraced) | set(nonsense))


async def test_two_headers_name_no_trace(start, demo, lines):
    client = await start()
    headers = [("traceparent", PARENT), ("traceparent", PARENT.replace("4", "5")), ("Idempotency-Key", "k-1")]

    assert (await client.post("/rebalance/simulate", json=demo, headers=headers)).status == 200

    assert "trace_id" not in lines()[0]


async def test_the_lineage_of_a_traced_run_names_its_trace_and_nothing_else_changes(start, demo):
    client = await start(lineage_apis_enabled=True)
    traced = await simulated(client, demo, "k-1", traceparent=PARENT)
    untraced = await simulated(client, demo, "k-2")

    with_trace = await edges_of(client, traced["rebalance_run_id"])
    without = await edges_of(client, untraced["rebalance_run_id"])

    request_hash = traced["lineage"]["request_hash"]
    assert with_trace == {
        "CORRELATION_TO_RUN": {"request_hash": request_hash, "trace_id": TRACE},
        "IDEMPOTENCY_TO_RUN": {"request_hash": request_hash},
    }
    assert without == {
        "CORRELATION_TO_RUN": {"request_hash": request_hash},
        "IDEMPOTENCY_TO_RUN": {"request_hash": request_hash},
    }
    assert list(traced) == list(untraced)


@pytest.mark.parametrize("mode", [ExecutionMode.ACCEPT_ONLY, ExecutionMode.INLINE])
async def test_an_accepted_batch_keeps_its_trace_for_whoever_does_it(start, demo, mode):
    client = await start(lineage_apis_enabled=True, execution_mode=mode)
    demo.pop("options", None)
    demo["scenarios"] = {"base": {}}
    answer = await client.post(
        "/rebalance/analyze/async",
        json=demo,
        headers={"traceparent": PARENT, "X-Correlation-Id": "corr-traced"},
    )
    operation_id = (await answer.json())["operation_id"]

    assert (await edges_of(client, operation_id))["OPERATION_TO_CORRELATION"] == {
        "operation_type": "ANALYZE_SCENARIOS",
        "trace_id": TRACE,
    }


async def test_a_batch_done_at_once_names_its_trace_on_every_run(start, demo):
    client = await start(lineage_apis_enabled=True)
    demo.pop("options", None)
    demo["scenarios"] = {"one": {}, "two": {}}
    answer = await client.post("/rebalance/analyze", json=demo, headers={"traceparent": PARENT})

    for result in (await answer.json())["results"].values():
        edges = await edges_of(client, result["rebalance_run_id"])
        assert edges["CORRELATION_TO_RUN"]["trace_id"] == TRACE
        assert "trace_id" not in edges["CAUSED_BY"]


@pytest.fixture
def spans():
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    return InMemorySpanExporter()


@pytest.fixture
def recording(spans):
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    return opentelemetry.start(SimpleSpanProcessor(spans))


async def test_a_request_is_a_span_below_that_of_its_caller(start, recording, spans, lines):
    client = await start(telemetry=recording)
    await client.get("/rebalance/runs/rr_1", headers={"traceparent": PARENT, "X-Correlation-Id": "corr-1"})

    (span,) = spans.get_finished_spans()
    assert span.name == "GET /rebalance/runs/{rebalance_run_id}"
    assert (span.context.trace_id, span.parent.span_id) == (int(TRACE, 16), int(SPAN, 16))
    assert dict(span.attributes) == {
        "http.request.method": "GET",
        "http.route": "/rebalance/runs/{rebalance_run_id}",
        "http.response.status_code": 404,
        "lotus.correlation_id": "corr-1",
    }
    assert span.kind.name == "SERVER" and span.status.status_code.name == "UNSET"
    # The line names our span, which is where the trace goes on.
    (line,) = lines()
    assert (line["trace_id"], line["span_id"]) == (TRACE, format(span.context.span_id, "016x"))


async def test_a_bug_ends_its_span_as_an_error(start, recording, spans, store, monkeypatch):
    client = await start(telemetry=recording)

    async def broken(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr(store.dpm_runs, "get", broken)
    await client.get("/rebalance/runs/rr_1")

    (span,) = spans.get_finished_spans()
    assert span.status.status_code.name == "ERROR"


async def test_a_request_without_a_trace_begins_one_and_its_lineage_names_it(start, recording, spans, demo):
    client = await start(telemetry=recording, lineage_apis_enabled=True)
    run = await simulated(client, demo, "k-1")
    (span,) = spans.get_finished_spans()

    edges = await edges_of(client, run["rebalance_run_id"])

    assert span.parent is None
    assert edges["CORRELATION_TO_RUN"]["trace_id"] == format(span.context.trace_id, "032x")


async def test_acts_and_engine_work_are_spans_inside_the_request_and_none_outside(recording, spans):
    metrics = ServerMetrics()
    store = measured(MemoryStore(), metrics.process, recording)

    async def elsewhere(work, *args):
        return work(*args)

    offload = InstrumentedExecutor(elsewhere, metrics.process, recording)
    with recording.request("GET", {"traceparent": PARENT}):
        await store.supportability.compact()
        await offload(json.loads, "[]")
        offload.here(json.dumps, [])
    await store.supportability.compact()

    act, offloaded, inline, request = spans.get_finished_spans()
    assert (act.name, offloaded.name, inline.name) == (
        "store supportability.compact",
        "engine loads",
        "engine dumps",
    )
    assert {span.parent.span_id for span in (act, offloaded, inline)} == {request.context.span_id}
    assert len(spans.get_finished_spans()) == 4


async def test_what_waits_is_handed_over_when_the_process_stops(spans):
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    recording = opentelemetry.start(BatchSpanProcessor(spans, schedule_delay_millis=3_600_000))
    with recording.request("GET", {}):
        pass
    before = spans.get_finished_spans()
    # The exporter forgets nothing when it is shut down.
    await recording.close()

    assert (len(before), len(spans.get_finished_spans())) == (0, 1)


def test_what_the_variables_say_of_the_process_comes_first(monkeypatch, spans):
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    named = []
    for variables in ({}, {"OTEL_SERVICE_NAME": "desk", "OTEL_RESOURCE_ATTRIBUTES": "site=zrh"}):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with opentelemetry.start(SimpleSpanProcessor(spans)).request("GET", {}):
            pass
        named.append(spans.get_finished_spans()[-1].resource.attributes)

    assert named[0]["service.name"] == "lotus-manage"
    assert (named[1]["service.name"], named[1]["site"]) == ("desk", "zrh")


def test_without_the_packages_it_is_said_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **more):
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(opentelemetry.TelemetryMissing, match=r"lotus-manage\[otel\]"):
        opentelemetry.start()


async def test_a_task_that_is_started_in_a_trace_belongs_to_it():
    async def inner():
        return trace_context.current_trace_id()

    async def outer():
        trace_context.follow(TraceContext(TRACE, SPAN))
        return await asyncio.create_task(inner())

    assert await asyncio.create_task(outer()) == TRACE
    assert trace_context.current_trace_id() is None
