"""What was asked for a run can be read as it was stored, and a request leaves a line about itself."""

import json

import pytest
import structlog
from structlog.testing import CapturingLogger

from service.domains.values.canonical import digest_of

SIMULATE = "/rebalance/simulate"
RUNS = "/rebalance/runs"
JSON = {"Content-Type": "application/json"}


def scenarios_of(demo):
    book = {name: demo[name] for name in demo if name != "options"}
    return {**book, "scenarios": {"b": {"options": {}}, "a": {"options": {"max_turnover_pct": "0.1"}}}}


async def test_the_request_of_a_simulation_is_read_as_it_was_hashed(start, demo):
    client = await start()
    run = await (await client.post(SIMULATE, json=demo, headers={"Idempotency-Key": "k"})).json()

    answer = await client.get(f"{RUNS}/{run['rebalance_run_id']}/request")
    body = await answer.read()

    assert (answer.status, answer.content_type) == (200, "application/json")
    assert answer.headers["X-Request-Hash"] == run["lineage"]["request_hash"] == digest_of(body)
    assert "X-Scenario" not in answer.headers
    # Sent once more it is the same request.
    again = await client.post(SIMULATE, data=body, headers=JSON | {"Idempotency-Key": "k"})
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_the_request_of_a_scenario_is_the_whole_batch(start, demo, store):
    client = await start()
    batch = await (await client.post("/rebalance/analyze", json=scenarios_of(demo))).json()

    for name, run in batch["results"].items():
        answer = await client.get(f"{RUNS}/{run['rebalance_run_id']}/request")
        assert answer.headers["X-Scenario"] == name
        assert set(json.loads(await answer.read())["scenarios"]) == {"a", "b"}
        assert answer.headers["X-Request-Hash"] == digest_of(await answer.read())


async def test_a_request_is_not_read_where_there_is_no_run_or_no_support(start, demo):
    client, shut = await start(), await start(support_apis_enabled=False)

    missing = await client.get(f"{RUNS}/rr_1/request")
    gated = await shut.get(f"{RUNS}/rr_1/request")

    assert (missing.status, (await missing.json())["code"]) == (404, "DPM_RUN_NOT_FOUND")
    assert (gated.status, (await gated.json())["code"]) == (404, "DPM_SUPPORT_APIS_DISABLED")


@pytest.fixture
def lines(monkeypatch):
    captured = CapturingLogger()
    # What an earlier test has set up for good stays in the logger of the module.
    monkeypatch.setattr("service.web.middleware.correlation.logger", structlog.get_logger())
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, lambda _, __, event: ((), dict(event))],
        logger_factory=lambda *_: captured,
        cache_logger_on_first_use=False,
    )
    yield lambda: [call.kwargs for call in captured.calls if call.kwargs["event"] == "request"]
    structlog.configure(**before)


def told(line):
    usual = {"event", "level", "method", "route", "status", "duration_ms", "correlation_id"}
    return {name: value for name, value in line.items() if name not in usual}


async def test_a_retry_leaves_a_trace(start, demo, lines):
    client = await start()
    headers = {"Idempotency-Key": "k"}
    run_id = (await (await client.post(SIMULATE, json=demo, headers=headers)).json())["rebalance_run_id"]
    await client.post(SIMULATE, json=demo, headers=headers)
    await client.post(SIMULATE, json=demo | {"options": {}}, headers=headers)
    await client.get(f"{RUNS}/{run_id}")
    await client.get(f"{RUNS}/rr_1")
    await client.get("/nowhere")

    assert [told(line) for line in lines()] == [
        {"idempotency_key": "k", "replayed": False, "rebalance_run_id": run_id},
        {"idempotency_key": "k", "replayed": True, "rebalance_run_id": run_id},
        {"idempotency_key": "k", "replayed": False, "code": "IDEMPOTENCY_KEY_CONFLICT"},
        {"rebalance_run_id": run_id},
        {"rebalance_run_id": "rr_1", "code": "DPM_RUN_NOT_FOUND"},
        {"code": "NOT_FOUND"},
    ]


async def test_what_a_caller_sends_does_not_fill_the_log(start, lines):
    client = await start()

    await client.get(f"{RUNS}/{'x' * 2000}%0a%1b[31m", headers={"Idempotency-Key": "k" * 5000})
    await client.post(SIMULATE, data=b'{"secret": 1}', headers=JSON | {"Idempotency-Key": "a\tb"})

    looked_up, refused = lines()
    assert looked_up["rebalance_run_id"] == "x" * 255 and looked_up["idempotency_key"] == "k" * 255
    assert refused["idempotency_key"] == "a?b" and refused["code"] == "REQUEST_VALIDATION_FAILED"
    assert "secret" not in str(refused)
