"""Work done in processes of its own."""

import os
import signal
from concurrent.futures.process import BrokenProcessPool

import pytest
import pytest_asyncio

from service.errors import IdempotencyKeyConflict, JsonTooDeep, RequestInvalid
from service.processes import EngineProcesses

ENTRIES = [{"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}]


@pytest_asyncio.fixture
async def processes():
    pool = EngineProcesses(1)
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


def die_once(path: str) -> str:
    if not os.path.exists(path):
        open(path, "w").close()
        die()
    return "done"


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
async def test_work_that_kills_every_worker_is_given_up(processes):
    with pytest.raises(BrokenProcessPool):
        await processes(die)

    assert await processes(abs, -1) == 1
