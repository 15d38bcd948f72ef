"""Work done in processes of its own."""

import asyncio
import os
import signal
import time

import pytest
import pytest_asyncio

from service.errors import IdempotencyKeyConflict, JsonTooDeep, RequestInvalid
from service.processes import EngineProcessDied, EngineProcesses

ENTRIES = [{"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}]


@pytest_asyncio.fixture
async def processes():
    pool = EngineProcesses(1)
    yield pool
    await pool.close()


@pytest_asyncio.fixture
async def two_processes():
    pool = EngineProcesses(2)
    yield pool
    await pool.close()


def refuse(kind: str) -> None:
    if kind == "invalid":
        raise RequestInvalid(ENTRIES)
    if kind == "deep":
        raise JsonTooDeep(levels_max=64)
    raise IdempotencyKeyConflict()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave_late(seconds: float) -> None:
    time.sleep(seconds)
    os._exit(7)


def die_once(path: str) -> str:
    if not os.path.exists(path):
        open(path, "w").close()
        die()
    return "done"


def sleep_and_double(number: int) -> int:
    time.sleep(0.02)
    return 2 * number


def sign_in_and_sleep(folder: str, seconds: float) -> None:
    open(os.path.join(folder, str(os.getpid())), "w").close()
    time.sleep(seconds)


async def someone_in(folder) -> int:
    while not (names := os.listdir(folder)):
        await asyncio.sleep(0.01)
    return int(names[0])


@pytest.mark.slow
async def test_work_is_done_in_another_process_and_its_refusals_come_back(processes):
    assert await processes(os.getpid) != os.getpid()
    with pytest.raises(RequestInvalid) as invalid:
        await processes(refuse, "invalid")
    with pytest.raises(JsonTooDeep) as deep:
        await processes(refuse, "deep")
    with pytest.raises(IdempotencyKeyConflict):
        await processes(refuse, "conflict")

    assert invalid.value.detail == ENTRIES
    assert "64" in deep.value.detail


@pytest.mark.slow
async def test_a_dead_worker_is_replaced_and_its_work_done_again(processes, tmp_path):
    assert await processes(die_once, str(tmp_path / "died")) == "done"


@pytest.mark.slow
async def test_work_that_kills_a_process_of_its_own_is_given_up(processes):
    with pytest.raises(EngineProcessDied):
        await processes(die)

    assert await processes(abs, -1) == 1


@pytest.mark.slow
async def test_what_runs_beside_poison_always_succeeds(two_processes):
    innocent = [two_processes(sleep_and_double, number) for number in range(40)]
    poison = [two_processes(die), two_processes(leave_late, 0.05), two_processes(die)]
    mixed = [*innocent[:5], poison[0], *innocent[5:20], poison[1], *innocent[20:], poison[2]]

    ended = await asyncio.gather(*mixed, return_exceptions=True)

    assert [type(end) for end in ended].count(EngineProcessDied) == len(poison)
    assert sorted(end for end in ended if isinstance(end, int)) == [2 * number for number in range(40)]


@pytest.mark.slow
async def test_a_caller_who_goes_away_leaves_the_others_their_answers(two_processes):
    await two_processes.warm_up(abs, -1)
    poison = asyncio.create_task(two_processes(leave_late, 0.1))
    # Enough that some are still to be begun when their pool breaks.
    waiting = [asyncio.create_task(two_processes(sleep_and_double, number)) for number in range(20)]
    await asyncio.sleep(0.03)
    for task in waiting[::2]:
        task.cancel()

    async with asyncio.timeout(30):
        ended = await asyncio.gather(*waiting, return_exceptions=True)

    assert ended[1::2] == [2 * number for number in range(1, 20, 2)]
    with pytest.raises(EngineProcessDied):
        await poison
    assert await two_processes(abs, -1) == 1


@pytest.mark.slow
async def test_a_caller_who_leaves_a_trial_ends_it(processes, tmp_path):
    slept = tmp_path / "slept"
    slept.mkdir()
    # Breaks the pool while the other waits in it, so that each is tried alone, one after the other.
    dying = asyncio.create_task(processes(leave_late, 0.3))
    sleeping = asyncio.create_task(processes(sign_in_and_sleep, str(slept), 600.0))
    with pytest.raises(EngineProcessDied):
        await dying
    alone = await someone_in(slept)

    sleeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeping

    await gone(alone)
    with pytest.raises(EngineProcessDied):
        await processes(die)


@pytest.mark.slow
async def test_closing_waits_for_what_runs_but_not_for_ever(tmp_path):
    processes = EngineProcesses(1)
    short = asyncio.create_task(processes(sleep_and_double, 4))
    await processes(abs, -1)

    await processes.close()

    assert await short == 8

    processes = EngineProcesses(1)
    endless = asyncio.create_task(processes(sign_in_and_sleep, str(tmp_path), 600.0))
    running = await someone_in(tmp_path)
    started = time.monotonic()

    await processes.close(seconds_max=0.2)

    assert time.monotonic() - started < 5.0
    await gone(running)
    with pytest.raises(asyncio.CancelledError):
        await endless


@pytest.mark.slow
async def test_closing_ends_a_trial_too(tmp_path):
    processes = EngineProcesses(1)
    dying = asyncio.create_task(processes(leave_late, 0.3))
    sleeping = asyncio.create_task(processes(sign_in_and_sleep, str(tmp_path), 600.0))
    with pytest.raises(EngineProcessDied):
        await dying
    alone = await someone_in(tmp_path)

    await processes.close(seconds_max=0.2)

    await gone(alone)
    with pytest.raises(asyncio.CancelledError):
        await sleeping


@pytest.mark.slow
async def test_closing_cancels_what_has_not_begun():
    processes = EngineProcesses(1)
    waiting = [asyncio.create_task(processes(time.sleep, 0.3)) for _ in range(6)]
    await asyncio.sleep(0)

    await processes.close()

    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert ended.count(None) < len(waiting)
    assert {type(end) for end in ended} == {type(None), asyncio.CancelledError}


async def gone(process_id: int) -> None:
    for _ in range(500):
        try:
            os.kill(process_id, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"process {process_id} is still there")
