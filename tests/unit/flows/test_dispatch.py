"""What a worker answers an offer with, and what it counts."""

import asyncio

import pytest

from service.domains.callers import DEFAULT_TENANT, Caller
from service.domains.operations import OperationStatus
from service.engines.dpm import versions
from service.errors.storage import StoreUnavailable
from service.flows.operations.dispatch import AT_ONCE, ELSEWHERE_SECONDS, SOON_SECONDS
from tests.unit.flows.operation_fixtures import Desk


@pytest.fixture
def desk():
    return Desk()


async def handle_job(desk, operation):
    return await desk.jobs.handle(DEFAULT_TENANT, operation.operation_id)


async def test_an_offered_operation_is_done_and_the_offer_is_over(desk):
    operation = await desk.submit()
    desk.wait(2)

    assert await handle_job(desk, operation) is None

    assert (await desk.read(operation)).status is OperationStatus.SUCCEEDED
    assert desk.metrics.seen == [("started", 2.0, 1), "SUCCEEDED"]
    assert desk.jobs.in_flight == 0


async def test_an_offer_of_what_has_ended_or_gone_is_over(desk):
    operation = await desk.submit()
    await desk.flow.execute(Caller.local(), operation.operation_id)

    assert await handle_job(desk, operation) is None
    assert await desk.jobs.handle(DEFAULT_TENANT, "dop_unknown") is None
    assert desk.metrics.seen == []


async def test_an_offer_of_what_another_does_is_made_again_soon(desk):
    operation = await desk.submit()
    await desk.claim(operation)

    assert await handle_job(desk, operation) == SOON_SECONDS
    assert (await desk.read(operation)).attempt == 1


async def test_what_was_taken_back_is_done_at_the_next_offer(desk):
    operation = await desk.submit()
    await desk.claim(operation)
    desk.wait(desk.lease_seconds + 1)
    await desk.reaper.run_once(Caller.local())

    assert await handle_job(desk, operation) is None
    assert (await desk.read(operation)).attempt == 2


async def test_a_worker_that_stops_hands_back_and_takes_nothing_more(desk):
    reached = asyncio.Event()

    async def stall(scenario):
        reached.set()
        await asyncio.Event().wait()

    desk.before_scenario = stall
    operation = await desk.submit()
    handled = asyncio.create_task(handle_job(desk, operation))
    await reached.wait()
    assert desk.jobs.in_flight == 1

    await desk.jobs.abandon()

    assert await handled == AT_ONCE
    assert (await desk.read(operation)).status is OperationStatus.PENDING
    assert await handle_job(desk, operation) == AT_ONCE
    assert (await desk.read(operation)).status is OperationStatus.PENDING
    assert desk.metrics.seen == [("started", 0.0, 1), "RELEASED"]


async def test_a_store_that_is_away_makes_the_offer_come_again(desk, monkeypatch):
    async def away(*args):
        raise StoreUnavailable()

    operation = await desk.submit()
    monkeypatch.setattr(desk.store.operations, "claim", away)

    assert await handle_job(desk, operation) == SOON_SECONDS


async def test_what_this_build_cannot_do_is_left_to_another(desk, monkeypatch):
    operation = await desk.submit()
    monkeypatch.delitem(versions.ENGINES, versions.CURRENT_VERSION)

    assert await handle_job(desk, operation) == ELSEWHERE_SECONDS
    assert (await desk.read(operation)).is_executable
    assert desk.metrics.seen[-1] == "RELEASED"


async def test_an_attempt_that_lost_its_lease_leaves_the_operation_to_others():
    desk = Desk(lease_seconds=0.2)

    async def stall(scenario):
        desk.wait(60)
        await asyncio.Event().wait()

    desk.before_scenario = stall
    operation = await desk.submit()

    assert await handle_job(desk, operation) == SOON_SECONDS
    assert desk.metrics.seen[-1] == "LEASE_LOST"
