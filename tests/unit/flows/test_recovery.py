"""Every accepted operation ends, whoever died on the way."""

import asyncio

import pytest

from service.domains.callers import Caller
from service.domains.operations import ATTEMPTS_EXHAUSTED, EXPIRED, OperationStatus
from service.errors.storage import StoreUnavailable
from service.flows.operations import recovery
from service.flows.operations.recovery import Reaper
from tests.unit.flows.operation_fixtures import Desk
from tests.waiting import HANG_SECONDS


@pytest.fixture
def desk():
    return Desk()


async def abandoned(desk, operation):
    """An attempt whose process died: nobody holds the lease any more."""
    await desk.claim(operation)
    desk.wait(desk.lease_seconds + 1)


async def test_what_a_dead_process_left_can_be_executed_again(desk):
    operation = await desk.submit()
    await abandoned(desk, operation)
    assert not (await desk.read(operation)).is_executable

    await desk.reaper.run_once(Caller.local())

    assert (await desk.read(operation)).is_executable
    assert (await desk.flow.execute(Caller.local(), operation.operation_id)).attempt == 2


async def test_what_is_held_is_left_alone(desk):
    operation = await desk.submit()
    await desk.claim(operation)
    desk.wait(desk.lease_seconds)

    await desk.reaper.run_once(Caller.local())

    assert (await desk.read(operation)).status is OperationStatus.RUNNING


async def test_after_the_last_attempt_it_fails_and_says_so(desk):
    operation = await desk.submit()
    for _ in range(3):
        assert (await desk.read(operation)).is_executable
        await abandoned(desk, operation)
        await desk.reaper.run_once(Caller.local())

    found = await desk.read(operation)

    assert (found.status, found.attempt) == (OperationStatus.FAILED, 3)
    assert (found.error.code, found.finished_at) == (ATTEMPTS_EXHAUSTED, desk.at)


async def test_what_nobody_executed_in_its_time_fails_and_can_be_read_for_as_long_again(desk):
    operation = await desk.submit()
    desk.wait(3600)
    await desk.reaper.run_once(Caller.local())
    assert (await desk.read(operation)).is_executable

    desk.wait(1)
    await desk.reaper.run_once(Caller.local())
    desk.wait(3600)

    found = await desk.flow.get(Caller.local(), operation.operation_id)
    assert (found.status, found.error.code, found.started_at) == (OperationStatus.FAILED, EXPIRED, None)


class Queue:
    """Only what a sweep asks of a queue."""

    def __init__(self):
        self.asked = []

    async def refill(self, tenant_id, *, created_before, silent_seconds, limit):
        self.asked.append((tenant_id, created_before, silent_seconds, limit))
        return 1


async def test_offers_that_were_lost_are_made_again_once_they_are_old_enough(desk):
    queue = Queue()
    flow = Reaper(
        store=desk.store,
        clock=desk,
        retention=desk.reaper._retention,
        attempts_max=3,
        operation_seconds_max=600,
        queue=queue,
        lease_seconds=8,
    )

    await flow.run_once(Caller.local())

    ((tenant_id, created_before, silent_seconds, limit),) = queue.asked
    assert (tenant_id, (desk.at - created_before).seconds) == ("default", 16)
    assert (silent_seconds, limit) == (2, recovery.SWEPT_AT_ONCE)


async def test_a_sweep_that_fails_is_tried_again(desk, monkeypatch):
    outcomes = iter([StoreUnavailable(), RuntimeError("odd")])
    recovered = asyncio.Event()

    async def breaks_at_first(_):
        for error in outcomes:
            raise error
        recovered.set()

    monkeypatch.setattr(desk.reaper, "run_once", breaks_at_first)
    sweeping = asyncio.create_task(desk.reaper.run_every(Caller.local(), 0.001))

    await asyncio.wait_for(recovered.wait(), HANG_SECONDS)
    sweeping.cancel()
