"""How a worker works, and how it stops."""

import asyncio
import math

import pytest

from service.errors.requests import ShuttingDown
from service.errors.storage import PostgresUnavailable, StoreUnavailable
from service.worker import loop
from tests.unit.worker.conftest import Bench
from tests.waiting import HANG_SECONDS, quiet, turns, until


async def ended(running):
    await asyncio.wait_for(asyncio.shield(running), HANG_SECONDS)


async def test_what_was_begun_is_finished_before_the_worker_ends(bench):
    async with bench.at_work() as running:
        bench.stop.set()
        await quiet()
        assert not running.done()

        bench.handler.done.set()
        await ended(running)

    assert not bench.handler.abandoned


async def test_a_worker_that_stops_says_that_it_is_not_ready(bench):
    async with bench.at_work() as running:
        await bench.worker.check_ready()

        bench.stop.set()
        await turns(10)

        with pytest.raises(ShuttingDown):
            await bench.worker.check_ready()
        bench.handler.done.set()
        await ended(running)


async def test_what_is_not_finished_in_time_is_handed_back():
    bench = Bench(stop_seconds_max=0.05)
    async with bench.at_work() as running:
        bench.stop.set()
        await ended(running)

    assert bench.handler.abandoned
    assert bench.handler.in_flight == 0


async def test_who_asks_twice_does_not_wait_for_the_deadline(bench):
    async with bench.at_work() as running:
        bench.stop.set()
        await quiet()
        assert not bench.handler.abandoned

        bench.hurry.set()
        await ended(running)

    assert bench.handler.abandoned


async def test_a_queue_that_does_not_come_back_is_left(bench, monkeypatch):
    monkeypatch.setattr(loop, "LEAVE_SECONDS_MAX", 0.02)
    bench.queue.is_stuck = True
    async with bench.at_work() as running:
        bench.stop.set()
        bench.hurry.set()
        await ended(running)

    assert bench.handler.abandoned


async def test_a_queue_that_breaks_ends_the_worker_with_its_error(bench):
    bench.queue.error = LookupError("broken")

    with pytest.raises(LookupError):
        await bench.worker.run(bench.stop, bench.hurry)


async def test_sweeps_go_on_beside_the_work_and_end_with_it(bench):
    async with bench.at_work() as running:
        await until(lambda: bench.reaper.count > 2)
        bench.handler.done.set()
        bench.stop.set()
        await ended(running)
        recovered = bench.reaper.count
        await quiet()

    assert bench.reaper.count == recovered


async def test_draining_sweeps_first_and_ends_with_the_last_offer(bench):
    bench.handler.done.set()

    await bench.worker.drain(bench.stop, bench.hurry)

    assert bench.queue.drained == [True]
    assert bench.reaper.count == 1
    assert bench.handler.begun.is_set()


async def test_draining_is_refused_while_the_store_is_away(bench):
    bench.reaper.error = StoreUnavailable()

    with pytest.raises(StoreUnavailable):
        await bench.worker.drain(bench.stop, bench.hurry)

    assert not bench.queue.drained


async def test_draining_can_be_stopped(bench):
    draining = asyncio.create_task(bench.worker.drain(bench.stop, bench.hurry))
    await bench.handler.begun.wait()

    bench.stop.set()
    bench.hurry.set()
    await ended(draining)

    assert bench.handler.abandoned


async def test_a_worker_is_ready_while_offers_come_in_and_the_store_answers(bench):
    await bench.worker.check_ready()

    bench.queue.is_connected = False
    with pytest.raises(PostgresUnavailable):
        await bench.worker.check_ready()

    bench.queue.is_connected, bench.store.is_away = True, True
    with pytest.raises(StoreUnavailable):
        await bench.worker.check_ready()


async def test_what_waits_and_what_is_worked_on_can_be_seen(bench):
    assert math.isnan(bench.figure("lotus_job_queue_depth"))

    async with bench.at_work():
        await until(lambda: bench.figure("lotus_job_queue_depth") == 3.0)
        assert bench.figure("lotus_operations_in_flight") == 1.0

        bench.queue.waiting = 7
        await until(lambda: bench.figure("lotus_job_queue_depth") == 7.0)


@pytest.mark.parametrize("error", [StoreUnavailable(), ZeroDivisionError()])
async def test_a_figure_that_cannot_be_had_is_none_and_stops_nobody(bench, error):
    async with bench.at_work() as running:
        await until(lambda: bench.figure("lotus_job_queue_depth") == 3.0)

        bench.queue.waiting = error
        await until(lambda: math.isnan(bench.figure("lotus_job_queue_depth")))
        bench.queue.waiting = 2
        await until(lambda: bench.figure("lotus_job_queue_depth") == 2.0)

        assert not running.done()
