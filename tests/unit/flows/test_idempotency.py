"""What a key stands for, and for how long."""

from datetime import timedelta

import pytest

from service.domains.callers import Caller
from service.domains.retention.cutoffs import KEEP_ALL, Retention
from service.domains.values.pages import all_of
from service.errors.idempotency import IdempotencyKeyNotFound
from service.flows.idempotency import IdempotencyFlow
from service.storage.memory.store import MemoryStore
from tests.integration.contract.builders import AT, after, an_admission
from tests.runtimes import a_runtime


class Clock:
    def __init__(self):
        self.at = AT

    def now(self):
        return self.at


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def flow(store, clock):
    return IdempotencyFlow(
        store=store, runtime=a_runtime(clock=clock, retention=Retention(run_days=1, operation_seconds=60))
    )


async def admitted(store, run_id, seconds=0):
    admission = an_admission(replay=False, rebalance_run_id=run_id, created_at=after(seconds))
    await store.dpm_runs.admit(admission, KEEP_ALL)


async def test_a_key_stands_for_its_latest_run_and_remembers_the_others(flow, store):
    await admitted(store, "rr_1")
    await admitted(store, "rr_2", 1)

    assert (await flow.get_simulation_key(Caller.local(), "key-1")).rebalance_run_id == "rr_2"
    assert [use.rebalance_run_id for use in await all_of(flow.list_history, Caller.local(), "key-1")] == [
        "rr_1",
        "rr_2",
    ]


async def test_a_key_nobody_used_is_not_found(flow):
    with pytest.raises(IdempotencyKeyNotFound):
        await flow.get_simulation_key(Caller.local(), "key-1")
    with pytest.raises(IdempotencyKeyNotFound):
        await all_of(flow.list_history, Caller.local(), "key-1")


async def test_a_key_goes_with_the_last_of_its_runs(flow, store, clock):
    await admitted(store, "rr_1")
    await admitted(store, "rr_2", 1)

    clock.at = AT + timedelta(days=1, microseconds=1)
    assert [use.rebalance_run_id for use in await all_of(flow.list_history, Caller.local(), "key-1")] == [
        "rr_2"
    ]
    assert (await flow.get_simulation_key(Caller.local(), "key-1")).rebalance_run_id == "rr_2"

    clock.at = AT + timedelta(days=1, seconds=1, microseconds=1)
    with pytest.raises(IdempotencyKeyNotFound):
        await all_of(flow.list_history, Caller.local(), "key-1")
    with pytest.raises(IdempotencyKeyNotFound):
        await flow.get_simulation_key(Caller.local(), "key-1")
