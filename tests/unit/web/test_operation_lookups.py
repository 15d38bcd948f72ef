"""Lookups of single operations as a client sees them."""

import pytest

from service.domains.operations import OperationError
from service.errors.storage import StoreUnavailable
from tests.unit.web.stored_operations import (
    LOOKED_UP,
    OPERATIONS,
    StoppedClock,
    claimed,
    ended,
    refusal_of,
    submitted,
)

# JSON as no encoder of ours would write it.
KEPT = b'{ "note": "Z\\u00fcrich", "amount": 1.10 }'


async def test_an_operation_that_succeeded_has_the_very_bytes_of_its_result(start, store):
    client = await start(clock=StoppedClock())
    await submitted(store, "dop_1", correlation_id="corr-1")
    await ended(store, "dop_1", 1, result=KEPT)

    answer = await client.get(f"{OPERATIONS}/dop_1")

    body = await answer.read()
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert b'"result":' + KEPT + b',"error":null' in body
    found = await answer.json()
    assert list(found) == LOOKED_UP
    assert (found["status"], found["is_executable"], found["attempt"]) == ("SUCCEEDED", False, 1)
    assert await (await client.get(f"{OPERATIONS}/by-correlation/corr-1")).read() == body


async def test_an_operation_that_failed_says_why(start, store):
    client = await start(clock=StoppedClock())
    await submitted(store, "dop_1")
    await ended(store, "dop_1", 1, error=OperationError("ValueError", "no usable price"))

    found = await (await client.get(f"{OPERATIONS}/dop_1")).json()

    assert list(found) == LOOKED_UP
    assert (found["status"], found["is_executable"], found["result"]) == ("FAILED", False, None)
    assert found["error"] == {"code": "ValueError", "message": "no usable price"}
    assert found["finished_at"] == "2026-03-02T09:30:01.500000+00:00"
    assert found["progress"] == {"scenarios_total": 3, "scenarios_done": 0}


async def test_an_operation_under_way_is_not_executable(start, store):
    client = await start(clock=StoppedClock())
    await submitted(store, "dop_1")
    await claimed(store, "dop_1", 1)

    found = await (await client.get(f"{OPERATIONS}/dop_1")).json()

    assert (found["status"], found["is_executable"], found["attempt"]) == ("RUNNING", False, 1)
    assert (found["started_at"], found["finished_at"]) == ("2026-03-02T09:30:01+00:00", None)


async def test_a_reused_correlation_id_finds_the_newest_and_the_larger_id_wins_a_tie(start, store):
    client = await start(clock=StoppedClock())
    for operation_id, seconds in (("dop_a", 1), ("dop_c", 0), ("dop_b", 1)):
        await submitted(store, operation_id, seconds, correlation_id="shared")

    found = await (await client.get(f"{OPERATIONS}/by-correlation/shared")).json()

    assert found["operation_id"] == "dop_b"
    assert [(await client.get(f"{OPERATIONS}/{id_}")).status for id_ in ("dop_a", "dop_c")] == [200, 200]


async def test_ids_with_a_slash_and_names_of_routes_can_be_looked_up(start, store):
    client = await start(clock=StoppedClock())
    await submitted(store, "dop_1", correlation_id="a/b")
    await submitted(store, "dop_2", correlation_id="execute")

    for path, operation_id in (("a%2Fb", "dop_1"), ("execute", "dop_2")):
        found = await (await client.get(f"{OPERATIONS}/by-correlation/{path}")).json()
        assert found["operation_id"] == operation_id


@pytest.mark.parametrize("written", ["dop_missing", "by-correlation", "a%2Fb", "a%00", "a%FF"])
async def test_what_does_not_exist_is_not_found(start, written):
    client = await start()

    for path in (OPERATIONS, f"{OPERATIONS}/by-correlation"):
        assert await refusal_of(await client.get(f"{path}/{written}"), 404) == "DPM_ASYNC_OPERATION_NOT_FOUND"


@pytest.mark.parametrize("written", ["a%00", "a%FF"])
async def test_ids_that_cannot_be_stored_never_reach_a_store(start, store, monkeypatch, written):
    async def reached(*_):
        raise AssertionError("the store was asked")

    for method in ("get", "find_newest_by_correlation", "claim"):
        monkeypatch.setattr(store.operations, method, reached, raising=False)
    client = await start()

    for path in (OPERATIONS, f"{OPERATIONS}/by-correlation"):
        assert (await client.get(f"{path}/{written}")).status == 404
    assert (await client.post(f"{OPERATIONS}/{written}/execute")).status == 404


async def test_lookups_do_not_need_manual_execution(start, store):
    client = await start(clock=StoppedClock(), manual_execution_enabled=False)
    await submitted(store, "dop_1", correlation_id="corr-1")

    for path in ("", "/dop_1", "/by-correlation/corr-1"):
        assert (await client.get(f"{OPERATIONS}{path}")).status == 200


async def test_a_store_that_went_away_is_said_to_come_back(start, store, monkeypatch):
    async def away(*_, **__):
        raise StoreUnavailable()

    client = await start()
    for method in ("get", "find_newest_by_correlation", "list"):
        monkeypatch.setattr(store.operations, method, away, raising=False)

    for path in ("", "/dop_1", "/by-correlation/corr-1"):
        refused = await client.get(f"{OPERATIONS}{path}")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        assert (await refused.json())["code"] == "DPM_SUPPORTABILITY_STORE_UNAVAILABLE"
