"""Work done in processes of its own."""

import asyncio
import os
import signal
import sys
from functools import partial
from types import ModuleType

import pytest
import pytest_asyncio

from service.errors.engines import EngineDeadlineExceeded, EngineMemoryExceeded
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.requests import JsonTooDeep, RequestInvalid
from service.runtime.engine_channel import LARGE_BYTES_MIN, pack, unpack
from service.runtime.engine_process import ABANDONED, DEADLINE, DIED, MEMORY, EngineLimits, Job
from service.runtime.process_pool import EngineProcessDied, EngineProcesses
from tests.unit.runtime.engine_work import (
    ENTRIES,
    die,
    die_once,
    double,
    fill,
    give_back,
    prepare,
    raise_unsendable,
    refuse,
    sleep_beyond,
    spin,
    spin_without_own_deadline,
    wait_for,
)
from tests.waiting import until

# As much as any work here may use; what is decent uses a thousandth of it.
SECONDS_MAX = 0.3
MEMORY_BYTES_MAX = 64 * 1024 * 1024
# Ends a test that hangs, and decides nothing.
GUARD_SECONDS = 60

pytestmark = pytest.mark.slow


class Ends:
    """Counts what processes ended for."""

    def __init__(self):
        self.causes = []

    def engine_process_ended(self, cause):
        self.causes.append(cause)


@pytest.fixture(scope="module", autouse=True)
def begins_soon():
    """Each process would import what runs the tests, which takes longer than all it has to do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "__main__", ModuleType("__main__"))
        yield


@pytest_asyncio.fixture(scope="module")
async def shared(begins_soon):
    """Two processes that work, for tests that leave the pool as good as new; starting them takes time."""
    ends = Ends()
    limits = EngineLimits(seconds_max=SECONDS_MAX, memory_bytes_max=MEMORY_BYTES_MAX)
    # Preparing has each import this module, which takes more than the deadline allows.
    pool = EngineProcesses(2, limits, prepare=prepare, measures=ends)
    yield pool, ends
    await pool.close()


@pytest_asyncio.fixture
async def processes(shared):
    pool, ends = shared
    ends.causes.clear()
    async with asyncio.timeout(GUARD_SECONDS):
        yield pool


@pytest.fixture
def ends(shared):
    return shared[1].causes


async def written(path) -> int:
    return int(await until(lambda: path.exists() and path.read_text()))


async def gone(process_id: int) -> None:
    await until(lambda: not is_there(process_id))


def is_there(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


async def test_work_is_done_in_another_process_and_its_refusals_come_back(processes, ends):
    assert await processes(os.getpid) != os.getpid()
    with pytest.raises(RequestInvalid) as invalid:
        await processes(refuse, "invalid")
    with pytest.raises(JsonTooDeep) as deep:
        await processes(refuse, "deep")
    with pytest.raises(IdempotencyKeyConflict):
        await processes(refuse, "conflict")
    with pytest.raises(ZeroDivisionError) as unforeseen:
        await processes(refuse, "unforeseen")
    with pytest.raises(RuntimeError, match="Unsendable: ab"):
        await processes(raise_unsendable)

    assert invalid.value.detail == ENTRIES
    assert "64" in deep.value.detail
    assert "in refuse" in unforeseen.value.__notes__[0]
    assert ends == []


async def test_large_texts_come_and_go_whole_and_are_not_copied_into_messages(processes):
    texts = [bytes([number]) * (LARGE_BYTES_MIN + number) for number in range(3)]
    asked = {"a": texts[0], "b": [texts[1], b"small", texts[2], texts[1]]}

    answer = await processes(partial(give_back, "told"), asked)

    assert answer == ("told", asked)
    assert sum(map(len, pack(asked)[1:])) == sum(map(len, texts)) + len(texts[1])
    assert len(pack(asked)[0]) < LARGE_BYTES_MIN
    assert unpack(pack(asked)) == asked


async def test_a_dead_process_is_replaced_and_its_work_done_again(processes, ends, tmp_path):
    assert await processes(die_once, str(tmp_path / "died")) == "done"

    assert ends == [DIED]


async def test_a_process_that_died_while_it_was_idle_harms_no_work(processes, ends):
    idle = [process.process_id for process in processes._idle]
    for process_id in idle:
        os.kill(process_id, signal.SIGKILL)

    assert await asyncio.gather(*(processes(double, number) for number in range(8))) == list(range(0, 16, 2))
    assert set(ends) == {DIED}


async def test_what_runs_beside_work_that_ends_processes_always_succeeds(processes, ends):
    innocent = [processes(double, number) for number in range(40)]
    mixed = [*innocent[:5], processes(die), *innocent[5:20], processes(spin), *innocent[20:], processes(die)]

    ended = await asyncio.gather(*mixed, return_exceptions=True)

    refused = [type(end).__name__ for end in ended if isinstance(end, Exception)]
    assert refused == ["EngineProcessDied", "EngineDeadlineExceeded", "EngineProcessDied"]
    assert sorted(end for end in ended if isinstance(end, int)) == [2 * number for number in range(40)]
    assert sorted(ends) == [DEADLINE, DIED, DIED, DIED, DIED]


async def test_work_beyond_its_deadline_is_killed_with_its_process_and_not_done_again(
    processes, ends, monkeypatch, tmp_path
):
    # Nothing else ends it.
    monkeypatch.setattr("service.runtime.engine_process.WALL_FACTOR", 1_000_000)
    spinning = [
        asyncio.create_task(processes(spin_without_own_deadline, str(tmp_path / str(number))))
        for number in range(3)
    ]

    ended = await asyncio.gather(*spinning, return_exceptions=True)

    assert {type(end) for end in ended} == {EngineDeadlineExceeded}
    for number in range(3):
        await gone(await written(tmp_path / str(number)))
    assert ends == [DEADLINE] * 3
    assert await processes(double, 21) == 42


async def test_the_deadline_counts_processor_time_and_not_waiting(processes, ends):
    await processes(sleep_beyond, 2 * SECONDS_MAX)

    assert ends == []


async def test_work_that_waits_for_ever_is_over_after_many_times_its_deadline(processes, ends, monkeypatch):
    monkeypatch.setattr("service.runtime.engine_process.WALL_FACTOR", 1)

    with pytest.raises(EngineDeadlineExceeded):
        await processes(sleep_beyond, 3600.0)

    assert ends == [DEADLINE]


async def test_a_process_ends_itself_when_its_parent_does_not(processes, ends, monkeypatch):
    monkeypatch.setattr(Job, "watch", lambda piece: None)

    with pytest.raises(EngineDeadlineExceeded):
        await processes(spin)

    assert ends == [DEADLINE]


async def test_work_that_wants_too_much_memory_is_refused_and_its_process_replaced(processes, ends):
    assert await processes(fill, MEMORY_BYTES_MAX // 4) == MEMORY_BYTES_MAX // 4
    with pytest.raises(EngineMemoryExceeded) as refused:
        await processes(fill, 2 * MEMORY_BYTES_MAX)

    assert str(MEMORY_BYTES_MAX) in refused.value.detail
    assert ends == [MEMORY]


async def test_a_caller_who_goes_has_their_work_killed_and_the_others_served(processes, ends, tmp_path):
    # The deadline is for work that has a caller; this must not end by it.
    processes._limits, kept = EngineLimits(seconds_max=3600.0), processes._limits
    try:
        spinning = [asyncio.create_task(processes(spin, str(tmp_path / str(number)))) for number in range(2)]
        running = [await written(tmp_path / str(number)) for number in range(2)]
        waiting = [asyncio.create_task(processes(double, number)) for number in range(10)]
        dropped = asyncio.create_task(processes(spin, str(tmp_path / "never")))
        await asyncio.sleep(0)

        for task in (*spinning, *waiting[::2], dropped):
            task.cancel()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
    finally:
        processes._limits = kept

    assert ended[1::2] == [2 * number for number in range(1, 10, 2)]
    assert all(task.cancelled() for task in (*spinning, *waiting[::2]))
    for process_id in running:
        await gone(process_id)
    assert not (tmp_path / "never").exists()
    assert ends == [ABANDONED, ABANDONED]


async def test_work_that_ends_soon_after_its_caller_has_gone_keeps_its_process(processes, ends, tmp_path):
    path = tmp_path / "go"
    waiting = asyncio.create_task(processes(wait_for, str(path)))
    running = await written(tmp_path / "go.there")

    waiting.cancel()
    await asyncio.sleep(0)
    path.touch()
    await until(lambda: not processes._working)

    assert ends == [] and is_there(running)
    assert running in [process.process_id for process in processes._idle]


async def test_what_waits_is_taken_in_turn(processes, tmp_path):
    done = []

    async def note(number):
        await processes(double, number)
        done.append(number)

    holding = [asyncio.create_task(processes(wait_for, str(tmp_path / str(number)))) for number in range(2)]
    for number in range(2):
        await written(tmp_path / f"{number}.there")
    waiting = [asyncio.create_task(note(number)) for number in range(6)]
    await asyncio.sleep(0)
    (tmp_path / "0").touch()
    await asyncio.gather(*waiting)
    (tmp_path / "1").touch()
    await asyncio.gather(*holding)

    assert done == list(range(6))


async def test_closing_waits_for_what_runs_and_cancels_what_waits(tmp_path):
    processes = EngineProcesses(1)
    short = asyncio.create_task(processes(wait_for, str(tmp_path / "go")))
    running = await written(tmp_path / "go.there")
    waiting = [asyncio.create_task(processes(double, number)) for number in range(3)]
    await asyncio.sleep(0)

    closing = asyncio.create_task(processes.close(GUARD_SECONDS))
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    (tmp_path / "go").touch()
    await closing

    assert await short == "done"
    assert {type(end) for end in ended} == {asyncio.CancelledError}
    await gone(running)
    with pytest.raises(asyncio.CancelledError):
        await processes(double, 1)


async def test_closing_does_not_wait_for_ever(tmp_path):
    processes = EngineProcesses(1, EngineLimits(seconds_max=3600.0))
    endless = asyncio.create_task(processes(spin, str(tmp_path / "spins")))
    running = await written(tmp_path / "spins")

    await processes.close(seconds_max=0.0)

    await gone(running)
    with pytest.raises(asyncio.CancelledError):
        await endless


async def test_what_cannot_be_started_is_started_again(monkeypatch, tmp_path):
    starts = []

    async def fails_once():
        starts.append(1)
        if len(starts) == 1:
            raise OSError("no more processes")
        return await start()

    processes = EngineProcesses(1)
    start = processes._start_ready
    monkeypatch.setattr("service.runtime.process_pool.SPARE_PROCESSES", 0)
    processes._start_ready = fails_once

    assert await processes(double, 2) == 4
    await processes.close()
    assert len(starts) == 2


async def test_work_that_kills_every_process_it_gets_is_given_up(processes, ends):
    with pytest.raises(EngineProcessDied):
        await processes(die)

    assert ends == [DIED, DIED]
    assert await processes(abs, -1) == 1
