"""Operations that are cancelled, and what is shown of their attempts, as a client sees them."""

import asyncio

import pytest
from structlog.testing import capture_logs

from service.domains.dpm_runs.values import DEFAULT_TENANT
from service.domains.operations import Lease
from service.settings.process import ExecutionMode
from tests.integration.contract.builders import a_lease, after
from tests.unit.web.proposal_fixtures import PROPOSALS, creation
from tests.unit.web.stored_operations import LOOKED_UP, OPERATIONS, StoppedClock, ended, submitted
from tests.unit.web.test_operations import ASYNC, batch
from tests.unit.web.test_proposal_operations import HEADERS, waiting

__all__ = ["batch"]

OF_PROPOSALS = f"{PROPOSALS}/operations"
ACCEPT_ONLY = {"execution_mode": ExecutionMode.ACCEPT_ONLY}


async def cancel(client, operation_id, root=OPERATIONS, **headers):
    return await client.post(f"{root}/{operation_id}/cancel", headers=headers)


async def problem_of(answer, status):
    problem = await answer.json()
    assert (answer.status, answer.content_type) == (status, "application/problem+json"), problem
    return problem


async def test_a_waiting_operation_is_cancelled_and_answered_as_it_ended(start, store):
    client = await start(**ACCEPT_ONLY)
    await submitted(store, "dop_1", correlation_id="corr-1")

    with capture_logs() as lines:
        answer = await cancel(client, "dop_1", **{"X-Correlation-Id": "who-cancels"})

    found = await answer.json()
    assert (answer.status, list(found)) == (200, LOOKED_UP)
    assert (found["status"], found["is_executable"], found["result"]) == ("FAILED", False, None)
    assert found["error"]["code"] == "DPM_ASYNC_OPERATION_CANCELLED"
    assert found == await (await client.get(f"{OPERATIONS}/dop_1")).json()
    assert (await client.post(f"{OPERATIONS}/dop_1/execute")).status == 409
    (told,) = (line for line in lines if line["event"] == "operation_cancelled")
    assert (told["operation_id"], told["operation_correlation_id"]) == ("dop_1", "corr-1")


async def test_a_second_cancel_is_told_when_the_first_was(start, store):
    client = await start(**ACCEPT_ONLY)
    await submitted(store, "dop_1")
    cancelled = await (await cancel(client, "dop_1")).json()

    problem = await problem_of(await cancel(client, "dop_1"), 409)

    assert problem["code"] == "DPM_ASYNC_OPERATION_NOT_CANCELLABLE"
    assert (problem["outcome"], problem["finished_at"]) == ("CANCELLED", cancelled["finished_at"])
    assert problem["detail"] == (
        f"DPM_ASYNC_OPERATION_NOT_CANCELLABLE: the operation ended as CANCELLED at {cancelled['finished_at']}"
    )


async def test_what_has_succeeded_is_not_cancelled(start, store):
    client = await start(clock=StoppedClock(), **ACCEPT_ONLY)
    await submitted(store, "dop_1")
    await ended(store, "dop_1", 1, result=b"{}")

    problem = await problem_of(await cancel(client, "dop_1"), 409)

    assert (problem["outcome"], problem["finished_at"]) == ("SUCCEEDED", after(1.5).isoformat())


@pytest.mark.parametrize(("root", "code"), [(OPERATIONS, "DPM"), (OF_PROPOSALS, "PROPOSAL")])
async def test_each_desk_cancels_its_own_operations_alone(start, store, root, code):
    client = await start(**ACCEPT_ONLY)
    await submitted(store, "dop_1")
    await waiting(store, "pop_1")
    other = "pop_1" if root is OPERATIONS else "dop_1"

    for missing in (other, "nowhere", "%00"):
        problem = await problem_of(await cancel(client, missing, root), 404)
        assert problem["code"] == f"{code}_ASYNC_OPERATION_NOT_FOUND"


async def test_an_operation_of_proposals_is_cancelled_under_its_own_route(start, store):
    client = await start()
    await waiting(store, "pop_1")

    found = await (await cancel(client, "pop_1", OF_PROPOSALS)).json()
    again = await problem_of(await cancel(client, "pop_1", OF_PROPOSALS), 409)

    assert (found["status"], found["error"]["code"]) == ("FAILED", "DPM_ASYNC_OPERATION_CANCELLED")
    assert again["outcome"] == "CANCELLED"


async def test_where_operations_are_switched_off_none_is_cancelled(start, store):
    client = await start(async_operations_enabled=False)
    await submitted(store, "dop_1")

    problem = await problem_of(await cancel(client, "dop_1"), 404)

    assert problem["code"] == "DPM_ASYNC_OPERATIONS_DISABLED"


async def test_who_runs_an_operation_and_why_an_attempt_was_over_are_shown(start, store):
    client = await start(**ACCEPT_ONLY)
    await submitted(store, "dop_1")
    await store.operations.claim(DEFAULT_TENANT, "dop_1", Lease(after(1), after(9), "host-1:42"))

    running = await (await client.get(f"{OPERATIONS}/dop_1")).json()
    (listed,) = (await (await client.get(OPERATIONS)).json())["items"]
    await store.operations.reap(DEFAULT_TENANT, now=after(10), attempts_max=3, limit=9)
    requeued = await (await client.get(f"{OPERATIONS}/dop_1")).json()

    for shown in (running, listed):
        assert (shown["lease_owner"], shown["lease_expires_at"]) == ("host-1:42", after(9).isoformat())
        assert shown["last_error"] is None
    assert (requeued["lease_owner"], requeued["lease_expires_at"]) == (None, None)
    assert requeued["last_error"] == {
        "code": "DPM_ASYNC_LEASE_EXPIRED",
        "message": "the lease of host-1:42 expired",
        "attempt": 1,
        "at": after(10).isoformat(),
    }


async def test_a_release_of_an_operation_of_proposals_is_shown(start, store):
    client = await start()
    await waiting(store, "pop_1")
    claim = await store.operations.claim(DEFAULT_TENANT, "pop_1", a_lease())
    await store.operations.release(claim, a_lease(2))

    found = await (await client.get(f"{OF_PROPOSALS}/pop_1")).json()

    assert (found["attempt"], found["last_error"]["code"]) == (0, "DPM_ASYNC_ATTEMPT_RELEASED")


async def test_an_operation_that_is_executed_stops_when_it_is_cancelled(start, store, batch):
    client = await start(**ACCEPT_ONLY)
    operation_id = (await (await client.post(ASYNC, json=batch)).json())["operation_id"]
    reached, stage = asyncio.Event(), store.operations.stage

    async def stalls(*args):
        reached.set()
        await asyncio.Event().wait()

    store.operations.stage = stalls
    executing = asyncio.create_task(client.post(f"{OPERATIONS}/{operation_id}/execute"))
    await reached.wait()
    cancelled = await (await cancel(client, operation_id)).json()
    store.operations.stage = stage

    # Who waits for its end is told it, long before the lease would have been extended.
    assert await (await executing).json() == cancelled
    assert (await (await client.get("/rebalance/runs")).json())["items"] == []


async def test_proposals_that_are_accepted_say_where_to_look_and_when(start):
    client = await start()

    answer = await client.post(f"{PROPOSALS}/async", json=creation(), headers=HEADERS)

    assert answer.status == 202
    assert answer.headers["Location"] == (await answer.json())["status_url"]
    assert int(answer.headers["Retry-After"]) > 0
