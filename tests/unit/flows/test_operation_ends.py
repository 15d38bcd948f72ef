"""How operations end before their time: cancelled, over their deadline, refused by the store."""

import asyncio

import pytest
from structlog.testing import capture_logs

from service.domains.callers import DEFAULT_TENANT, Caller
from service.domains.operations import (
    ATTEMPTS_EXHAUSTED,
    CANCELLED,
    DEADLINE_EXCEEDED,
    EXECUTION_ERROR,
    LEASE_EXPIRED,
    RELEASED,
    OperationStatus,
)
from service.errors.operations import LeaseLost, OperationEnded, OperationNotFound
from tests.unit.flows.operation_fixtures import OPERATION_SECONDS_MAX, Desk


class StoreRefused(Exception):
    """Stands for what a store takes in no circumstances, such as a text that is too long for an index."""


@pytest.fixture
def desk():
    return Desk()


async def stalled(desk, operation, started=None):
    """An attempt that computes its first scenario and does not get on; and whether that was cancelled."""
    reached, cancelled = asyncio.Event(), asyncio.Event()

    async def stall(_):
        reached.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    desk.before_scenario = stall
    attempt = asyncio.create_task((started or desk.runner.run)(await desk.claim(operation)))
    await reached.wait()
    desk.before_scenario = None
    return attempt, cancelled


async def test_the_engine_work_of_an_operation_that_is_cancelled_is_cancelled(desk):
    operation = await desk.submit()
    attempt, cancelled = await stalled(desk, operation)

    ended = await desk.flow.cancel(Caller.local(), operation.operation_id)
    with pytest.raises(LeaseLost):
        await attempt

    assert cancelled.is_set()
    assert (ended.status, ended.error.code) == (OperationStatus.FAILED, CANCELLED)
    assert await desk.read(operation) == ended
    assert await desk.runs_of(operation) == ()


async def test_a_holder_in_another_process_finds_out_when_it_extends_its_lease():
    desk = Desk(lease_seconds=0.2)
    operation = await desk.submit()
    attempt, cancelled = await stalled(desk, operation)

    # The other process has a runner of its own.
    await Desk(desk.store).flow.cancel(Caller.local(), operation.operation_id)
    with pytest.raises(LeaseLost):
        await attempt

    assert cancelled.is_set()


async def test_an_inline_operation_that_is_cancelled_is_accepted_all_the_same():
    desk = Desk(inline=True)
    reached = asyncio.Event()

    async def stall(_):
        reached.set()
        await asyncio.Event().wait()

    desk.before_scenario = stall
    accepting = asyncio.create_task(desk.submit())
    await reached.wait()
    ((_, operation_id),) = desk.store.operations.state.operations
    await desk.flow.cancel(Caller.local(), operation_id)

    operation = await accepting
    assert (await desk.read(operation)).error.code == CANCELLED


async def test_an_offer_of_an_operation_that_is_cancelled_is_not_made_again(desk):
    operation = await desk.submit()
    reached = asyncio.Event()

    async def stall(_):
        reached.set()
        await asyncio.Event().wait()

    desk.before_scenario = stall
    handling = asyncio.create_task(desk.jobs.handle(DEFAULT_TENANT, operation.operation_id))
    await reached.wait()
    await desk.flow.cancel(Caller.local(), operation.operation_id)

    assert await handling is None
    assert await desk.jobs.handle(DEFAULT_TENANT, operation.operation_id) is None
    assert desk.jobs.in_flight == 0


async def test_what_has_ended_or_never_was_is_not_cancelled(desk):
    operation = await desk.submit()
    await desk.flow.execute(Caller.local(), operation.operation_id)

    with pytest.raises(OperationEnded):
        await desk.flow.cancel(Caller.local(), operation.operation_id)
    with pytest.raises(OperationNotFound):
        await desk.flow.cancel(Caller.local(), "nowhere")


async def test_an_attempt_that_is_stopped_within_a_lease_is_not_counted(desk):
    operation = await desk.submit()
    attempt, _ = await stalled(desk, operation)

    attempt.cancel()
    await asyncio.wait({attempt})

    found = await desk.read(operation)
    assert (found.attempt, found.last_error.code, found.last_error.attempt) == (0, RELEASED, 1)


async def test_work_that_is_stopped_after_every_lease_ends(desk):
    operation = await desk.submit()
    for _ in range(3):
        attempt, _ = await stalled(desk, operation)
        # The lease is extended meanwhile, as long as the work lasts.
        desk.wait(desk.lease_seconds * 0.9)
        desk.runner.check_lease(operation.operation_id)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        desk.wait(desk.lease_seconds * 0.9)
        attempt.cancel()
        await asyncio.wait({attempt})

    found = await desk.read(operation)
    assert (found.status, found.error.code) == (OperationStatus.FAILED, ATTEMPTS_EXHAUSTED)
    assert (found.attempt, found.last_error.code) == (3, RELEASED)


async def test_an_operation_that_is_over_its_deadline_fails_and_its_holder_stops():
    desk = Desk(lease_seconds=10_000)
    operation = await desk.submit()
    # Waiting for its first start is not counted.
    desk.wait(OPERATION_SECONDS_MAX * 2)
    attempt, cancelled = await stalled(desk, operation)

    desk.wait(OPERATION_SECONDS_MAX)
    await desk.reaper.run_once(Caller.local())
    assert (await desk.read(operation)).status is OperationStatus.RUNNING
    desk.wait(1)
    await desk.reaper.run_once(Caller.local())
    desk.runner.check_lease(operation.operation_id)
    with pytest.raises(LeaseLost):
        await attempt

    found = await desk.read(operation)
    assert (found.status, found.error.code) == (OperationStatus.FAILED, DEADLINE_EXCEEDED)
    assert str(OPERATION_SECONDS_MAX) in found.error.message
    assert cancelled.is_set()


async def test_an_operation_that_waits_for_another_attempt_is_over_its_deadline_too(desk):
    operation = await desk.submit()
    await desk.claim(operation)
    desk.wait(desk.lease_seconds + 1)
    await desk.reaper.run_once(Caller.local())
    assert (await desk.read(operation)).last_error.code == LEASE_EXPIRED

    desk.wait(OPERATION_SECONDS_MAX)
    await desk.reaper.run_once(Caller.local())

    assert (await desk.read(operation)).error.code == DEADLINE_EXCEEDED


@pytest.mark.parametrize("act", ["list_staged", "stage", "finish"])
async def test_what_the_store_refuses_ends_the_operation(desk, act, monkeypatch):
    operation = await desk.submit()
    kept, asked = getattr(desk.store.operations, act), []

    async def refuses(*args):
        asked.append(act)
        if act == "finish" and args[1].error is not None:
            return await kept(*args)
        raise StoreRefused("x" * 20_000)

    monkeypatch.setattr(desk.store.operations, act, refuses)
    # What is told of an exception is long to print.
    with capture_logs():
        await desk.runner.run(await desk.claim(operation))

    found = await desk.read(operation)
    assert (found.status, found.error.code) == (OperationStatus.FAILED, EXECUTION_ERROR)
    assert found.error.message == "the operation failed with StoreRefused"
    # It was not tried again, but for the end itself.
    assert len(asked) == (2 if act == "finish" else 1)
    assert await desk.jobs.handle(DEFAULT_TENANT, operation.operation_id) is None


@pytest.mark.parametrize("act", ["finish", "release", "extend"])
async def test_an_operation_whose_end_the_store_refuses_too_ends_after_its_attempts(desk, act, monkeypatch):
    operation = await desk.submit()

    async def refuses(*args, **named):
        raise StoreRefused()

    monkeypatch.setattr(desk.store.operations, act, refuses)
    for _ in range(3):
        claim = await desk.claim(operation)
        with capture_logs():
            attempt = asyncio.create_task(desk.runner.run(claim))
            if act != "finish":
                await asyncio.sleep(0)
                attempt.cancel()
            await asyncio.gather(attempt, return_exceptions=True)
        desk.wait(desk.lease_seconds + 1)
        await desk.reaper.run_once(Caller.local())
        if (await desk.read(operation)).has_ended:
            break

    found = await desk.read(operation)
    if act == "extend":
        # Nothing but the lease is refused, so that what was stopped at once is handed back.
        assert found.last_error.code == RELEASED
    else:
        assert (found.status, found.error.code) == (OperationStatus.FAILED, ATTEMPTS_EXHAUSTED)
