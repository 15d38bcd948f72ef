"""Batches accepted for later and executed on request, as a client sees them."""

import asyncio
import json

import pytest

from service.errors.storage import StoreUnavailable
from service.settings.process import ExecutionMode
from tests.integration.contract.builders import AT
from tests.unit.web.stored_operations import (
    LOOKED_UP,
    OPERATIONS,
    StoppedClock,
    claimed,
    refusal_of,
    submitted,
)

ASYNC = "/rebalance/analyze/async"
ACCEPT_ONLY = {"execution_mode": ExecutionMode.ACCEPT_ONLY}


@pytest.fixture
def batch(demo):
    """Three scenarios, one of them with options that cannot be."""
    del demo["options"]
    demo["scenarios"] = {"second": {}, "first": {}, "wrong": {"options": {"max_turnover_pct": "2"}}}
    return demo


async def accepted(client, batch, correlation_id="corr-1"):
    """The id of an operation that was submitted."""
    answer = await client.post(ASYNC, json=batch, headers={"X-Correlation-Id": correlation_id})
    assert answer.status == 202, await answer.text()
    return (await answer.json())["operation_id"]


async def test_a_batch_is_accepted_and_its_caller_told_where_to_look(start, batch):
    client = await start(clock=StoppedClock(), **ACCEPT_ONLY)

    answer = await client.post(ASYNC, json=batch, headers={"X-Correlation-Id": "corr-1"})

    assert (answer.status, answer.content_type) == (202, "application/json")
    assert answer.headers["X-Correlation-Id"] == "corr-1"
    told = await answer.json()
    operation_id = told["operation_id"]
    assert operation_id.startswith("dop_") and len(operation_id) == 36
    assert list(told.items()) == [
        ("operation_id", operation_id),
        ("operation_type", "ANALYZE_SCENARIOS"),
        ("status", "PENDING"),
        ("correlation_id", "corr-1"),
        ("created_at", AT.isoformat()),
        ("status_url", f"/rebalance/operations/{operation_id}"),
        ("execute_url", f"/rebalance/operations/{operation_id}/execute"),
        ("progress", {"scenarios_total": 3, "scenarios_done": 0}),
        ("attempt", 0),
    ]
    waiting = await (await client.get(told["status_url"])).json()
    assert (waiting["status"], waiting["is_executable"], waiting["started_at"]) == ("PENDING", True, None)
    assert (await client.post(told["execute_url"])).status == 200


async def test_inline_says_pending_and_has_ended_by_then(start, batch):
    client = await start()

    told = await (await client.post(ASYNC, json=batch)).json()
    found = await (await client.get(told["status_url"])).json()

    assert (told["status"], told["attempt"]) == ("PENDING", 0)
    assert told["progress"] == {"scenarios_total": 3, "scenarios_done": 0}
    assert (found["status"], found["is_executable"], found["attempt"]) == ("SUCCEEDED", False, 1)
    assert found["progress"] == {"scenarios_total": 3, "scenarios_done": 3}
    assert found["created_at"] == told["created_at"] <= found["started_at"] <= found["finished_at"]


async def test_the_result_is_that_of_the_batch_answered_at_once(start, batch):
    client = await start()
    at_once = await (await client.post("/rebalance/analyze", json=batch)).json()

    operation_id = await accepted(client, batch)
    result = (await (await client.get(f"{OPERATIONS}/{operation_id}")).json())["result"]

    assert list(result) == list(at_once)
    assert list(result["results"]) == ["first", "second"]
    for same in ("base_snapshot_ids", "comparison_metrics", "failed_scenarios", "warnings"):
        assert result[same] == at_once[same]
    run = await (await client.get("/rebalance/runs/by-correlation/corr-1%3Afirst")).json()
    assert run["result"] == result["results"]["first"]


async def test_a_waiting_operation_is_executed_once_and_answered_with_its_end(start, batch):
    client = await start(**ACCEPT_ONLY)
    operation_id = await accepted(client, batch)

    answer = await client.post(f"{OPERATIONS}/{operation_id}/execute")
    again = await client.post(f"{OPERATIONS}/{operation_id}/execute")

    assert (answer.status, answer.content_type) == (200, "application/json")
    found = await answer.json()
    assert list(found) == LOOKED_UP
    assert (found["operation_id"], found["correlation_id"]) == (operation_id, "corr-1")
    assert (found["status"], found["is_executable"], found["error"]) == ("SUCCEEDED", False, None)
    assert found["attempt"] == 1
    assert list(found["result"]["results"]) == ["first", "second"]
    assert await (await client.get(f"{OPERATIONS}/{operation_id}")).read() == await answer.read()
    assert await refusal_of(again, 409) == "DPM_ASYNC_OPERATION_NOT_EXECUTABLE"


async def test_of_many_at_once_one_executes(start, batch):
    client = await start(**ACCEPT_ONLY)
    operation_id = await accepted(client, batch)

    answers = await asyncio.gather(*(client.post(f"{OPERATIONS}/{operation_id}/execute") for _ in range(16)))

    assert sorted(answer.status for answer in answers) == [200, *[409] * 15]


async def test_an_operation_that_ends_badly_is_answered_as_such(start, store):
    client = await start(clock=StoppedClock())
    # No version of the service ever kept such a request.
    await submitted(store, "dop_1", request=b"{}")

    answer = await client.post(f"{OPERATIONS}/dop_1/execute")

    assert answer.status == 200
    found = await answer.json()
    assert (found["status"], found["is_executable"], found["result"]) == ("FAILED", False, None)
    assert list(found["error"]) == ["code", "message"]
    assert found["error"]["code"] == "DPM_ASYNC_EXECUTION_ERROR"
    assert await (await client.get(f"{OPERATIONS}/dop_1")).read() == await answer.read()


async def test_what_somebody_else_has_claimed_is_not_executable(start, store):
    client = await start(clock=StoppedClock())
    await submitted(store, "dop_1")
    await claimed(store, "dop_1", 0)

    refused = await client.post(f"{OPERATIONS}/dop_1/execute")

    assert await refused.json() == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "DPM_ASYNC_OPERATION_NOT_EXECUTABLE",
        "instance": f"{OPERATIONS}/dop_1/execute",
        "code": "DPM_ASYNC_OPERATION_NOT_EXECUTABLE",
    }


@pytest.mark.parametrize("written", ["dop_missing", "by-correlation", "a%2Fb", "a%00", "a%FF"])
async def test_what_does_not_exist_cannot_be_executed(start, written):
    client = await start()

    refused = await client.post(f"{OPERATIONS}/{written}/execute")

    assert await refusal_of(refused, 404) == "DPM_ASYNC_OPERATION_NOT_FOUND"


@pytest.mark.parametrize("headers", [{}, {"X-Correlation-Id": ""}, {"X-Correlation-Id": "  "}])
async def test_a_correlation_id_that_is_not_sent_is_made_and_answered(start, batch, headers):
    client = await start(**ACCEPT_ONLY)

    answer = await client.post(ASYNC, json=batch, headers=headers)

    correlation_id = (await answer.json())["correlation_id"]
    assert correlation_id.startswith("corr_") and len(correlation_id) == 37
    assert answer.headers["X-Correlation-Id"] == correlation_id
    assert (await client.get(f"{OPERATIONS}/by-correlation/{correlation_id}")).status == 200


async def test_a_correlation_id_may_be_used_again_and_finds_the_newest(start, batch):
    client = await start(**ACCEPT_ONLY)
    first, second = await accepted(client, batch), await accepted(client, batch)

    found = await (await client.get(f"{OPERATIONS}/by-correlation/corr-1")).json()
    listed = await (await client.get(f"{OPERATIONS}?correlation_id=corr-1")).json()

    assert found["operation_id"] == second
    assert [item["operation_id"] for item in listed["items"]] == [second, first]


async def test_a_bad_batch_is_never_accepted(start, batch):
    client = await start()
    batch["scenarios"] = {}
    del batch["shelf_entries"]

    refused = await client.post(ASYNC, json=batch)
    broken = await client.post(ASYNC, data=b'{"a": ', headers={"Content-Type": "application/json"})
    deep = await client.post(ASYNC, data=b"[" * 65 + b"]" * 65, headers={"Content-Type": "application/json"})

    assert (refused.status, refused.content_type) == (422, "application/problem+json")
    assert [(entry["type"], entry["loc"]) for entry in (await refused.json())["detail"]] == [
        ("missing", ["body", "shelf_entries"]),
        ("value_error", ["body", "scenarios"]),
    ]
    assert [entry["type"] for entry in (await broken.json())["detail"]] == ["json_invalid"]
    assert (deep.status, (await deep.json())["code"]) == (422, "JSON_TOO_DEEP")
    assert (await client.post(ASYNC, data=b"{}", headers={"Content-Type": "text/plain"})).status == 415
    assert (await (await client.get(OPERATIONS)).json())["items"] == []


async def test_faults_of_headers_and_body_are_in_one_answer(start, batch):
    client = await start()
    del batch["scenarios"]

    assert [(entry["type"], entry["loc"]) for entry in await entries_of(client, batch)] == [
        ("string_unicode", ["header", "X-Correlation-Id"]),
        ("missing", ["body", "scenarios"]),
    ]
    batch["scenarios"] = {"first": {}}
    assert [entry["type"] for entry in await entries_of(client, batch)] == ["string_unicode"]
    assert (await (await client.get(OPERATIONS)).json())["items"] == []


async def entries_of(client, batch):
    """What is wrong with a batch that is sent with a header that is not UTF-8, as no client library does."""
    body = json.dumps(batch).encode()
    head = f"POST {ASYNC} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(head.encode() + b"X-Correlation-Id: \xff\xfe\r\n\r\n" + body)
    refused = await reader.read()
    writer.close()
    problem = json.loads(refused.partition(b"\r\n\r\n")[2])
    assert problem["status"] == 422
    return problem["detail"]


async def test_operations_can_be_switched_off_but_a_bad_batch_is_said_first(start, batch):
    client = await start(async_operations_enabled=False)

    refused = await client.post(ASYNC, json=batch)
    invalid = await client.post(ASYNC, json=batch | {"scenarios": {}})
    broken = await client.post(ASYNC, data=b"{", headers={"Content-Type": "application/json"})

    assert await refusal_of(refused, 404) == "DPM_ASYNC_OPERATIONS_DISABLED"
    assert [entry["type"] for entry in (await invalid.json())["detail"]] == ["value_error"]
    assert [entry["type"] for entry in (await broken.json())["detail"]] == ["json_invalid"]
    assert [entry["type"] for entry in await entries_of(client, batch)] == ["string_unicode"]
    # Nothing that needs no operation is shut with them.
    assert (await client.post("/rebalance/analyze", json=batch)).status == 200


async def test_nothing_is_accepted_where_operations_are_switched_off(start, batch):
    shut = await start(async_operations_enabled=False)
    await shut.post(ASYNC, json=batch)

    client = await start()

    assert (await (await client.get(OPERATIONS)).json())["items"] == []


async def test_execution_has_two_gates_and_that_of_operations_comes_first(start):
    for changes, code in (
        ({"async_operations_enabled": False}, "DPM_ASYNC_OPERATIONS_DISABLED"),
        ({"manual_execution_enabled": False}, "DPM_ASYNC_MANUAL_EXECUTION_DISABLED"),
        (
            {"async_operations_enabled": False, "manual_execution_enabled": False},
            "DPM_ASYNC_OPERATIONS_DISABLED",
        ),
    ):
        client = await start(**changes)
        for operation_id in ("dop_1", "a%00"):
            refused = await client.post(f"{OPERATIONS}/{operation_id}/execute")
            assert await refusal_of(refused, 404) == code


async def test_support_lookups_are_not_needed_to_submit_and_to_execute(start, batch):
    client = await start(support_apis_enabled=False, **ACCEPT_ONLY)

    operation_id = await accepted(client, batch)

    assert (await client.post(f"{OPERATIONS}/{operation_id}/execute")).status == 200


async def test_manual_execution_is_not_needed_to_submit(start, batch):
    await accepted(await start(manual_execution_enabled=False), batch)


async def test_a_store_that_went_away_is_said_to_come_back(start, batch, store, monkeypatch):
    async def away(*_, **__):
        raise StoreUnavailable()

    client = await start(**ACCEPT_ONLY)
    operation_id = await accepted(client, batch)
    monkeypatch.setattr(store.operations, "submit", away, raising=False)
    monkeypatch.setattr(store.operations, "claim", away, raising=False)

    for refused in (
        await client.post(ASYNC, json=batch),
        await client.post(f"{OPERATIONS}/{operation_id}/execute"),
    ):
        assert await refusal_of(refused, 503) == "DPM_SUPPORTABILITY_STORE_UNAVAILABLE"
        assert refused.headers["Retry-After"] == "1"
