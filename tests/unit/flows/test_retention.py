"""What a server tells of its purges."""

import asyncio
from dataclasses import replace

import pytest

from service.cli import purge as purge_command
from service.domains.callers import DEFAULT_TENANT, Caller
from service.domains.retention.cutoffs import KEEP_ALL, Retention
from service.domains.retention.deletions import DeletedRows
from service.errors.storage import StoreRefused, StoreUnavailable
from service.flows.operations.recovery import Reaper
from service.flows.retention import REFUSED_MAX, RetentionFlow
from service.runtime.clock import SystemClock, TimeOrderedIds
from service.settings import process
from service.storage.memory.store import MemoryStore
from service.wiring import server
from tests.integration.contract.builders import after, an_admission
from tests.integration.contract.proposal_builders import a_simulation
from tests.integration.contract.test_shadow_differences import a_difference


class Measures:
    def __init__(self):
        self.retention, self.failures, self.reaper = [], 0, []

    def purged(self, removed, seconds):
        assert seconds >= 0
        self.retention.append(removed)

    def purge_failed(self):
        self.failures += 1

    def recovered(self, **fates):
        self.reaper.append(fates)


class Enough(Exception):
    pass


@pytest.fixture
def rounds(monkeypatch):
    """Ends a flow that goes on for ever after so many rounds."""

    def limit(count):
        naps = iter([None] * count + [Enough()])

        async def nap(_):
            if (end := next(naps)) is not None:
                raise end

        monkeypatch.setattr("service.flows.retention.asyncio.sleep", nap)

    return limit


def purging(store, measures, days=1, removed_at_once=100):
    return RetentionFlow(
        store=store,
        clock=SystemClock(),
        new_id=TimeOrderedIds(),
        retention=Retention(days, 86_400),
        simulations_kept_seconds=86_400,
        removed_at_once=removed_at_once,
        measures=measures,
    )


async def test_every_round_tells_what_it_removed_by_kind(rounds):
    store, measures = MemoryStore(), Measures()
    # The builders' instants are long past.
    await store.dpm_runs.admit(an_admission(artifact=True), KEEP_ALL)
    rounds(2)

    with pytest.raises(Enough):
        await purging(store, measures).run_every(Caller.local(), 10)

    first, second = measures.retention
    assert (first["runs"], first["artifacts"], first["requests"], first["simulations"]) == (1, 1, 1, 0)
    assert set(first) == {*DeletedRows.__dataclass_fields__, "simulations", "differences"}
    assert not any(second.values())
    assert measures.failures == 0


@pytest.mark.parametrize("error", [StoreUnavailable(), RuntimeError("a bug")])
async def test_a_round_that_is_broken_off_is_told_and_the_next_one_comes(rounds, monkeypatch, error):
    store, measures = MemoryStore(), Measures()
    errors, compact = [error], store.supportability.compact

    async def once_broken():
        if errors:
            raise errors.pop()
        await compact()

    monkeypatch.setattr(store.supportability, "compact", once_broken)
    rounds(2)

    with pytest.raises(Enough):
        await purging(store, measures).run_every(Caller.local(), 10)

    assert (measures.failures, len(measures.retention)) == (1, 1)


async def test_a_sweep_tells_what_became_of_operations():
    store, measures = MemoryStore(), Measures()
    flow = Reaper(
        store=store,
        clock=SystemClock(),
        retention=Retention(0, 86_400),
        attempts_max=1,
        operation_seconds_max=600,
        queue=None,
        lease_seconds=8,
        measures=measures,
    )

    await flow.run_once(Caller.local())

    assert measures.reaper == [{"requeued": 0, "exhausted": 0, "expired": 0, "overdue": 0}]


def refusing(store, monkeypatch, *, kind, ids):
    """The store refuses every act that would remove one of these."""
    remove = store.retention.remove
    refused = []

    async def remove_unless_refused(purge):
        shelf, limit, skipped, since = {
            "runs": (
                store.state.runs_by_creation,
                purge.runs_limit,
                purge.runs_skipped,
                purge.cutoff.runs_since,
            ),
            "operations": (
                store.state.operations_by_end,
                purge.operations_limit,
                purge.operations_skipped,
                purge.cutoff.operations_since,
            ),
        }[kind]
        found = shelf.older_than((DEFAULT_TENANT,), since, skipped + limit)[skipped:]
        if any(name in ids for _, name in found):
            refused.append(purge)
            raise StoreRefused(sqlstate="23503")
        return await remove(purge)

    monkeypatch.setattr(store.retention, "remove", remove_unless_refused)
    return refused


async def test_a_run_that_cannot_be_removed_keeps_no_other_run_from_going(monkeypatch):
    store = MemoryStore()
    runs = [an_admission(idempotency_key=f"key-{n}").run for n in range(7)]
    for n, run in enumerate(runs):
        admission = an_admission(
            idempotency_key=f"key-{n}", rebalance_run_id=run.rebalance_run_id, created_at=after(n)
        )
        await store.dpm_runs.admit(admission, KEEP_ALL)
    stuck = {runs[1].rebalance_run_id, runs[5].rebalance_run_id}
    refused = refusing(store, monkeypatch, kind="runs", ids=stuck)

    purged = await purging(store, Measures(), removed_at_once=3).run_all(Caller.local())

    assert purged.removed.runs == 5
    assert {run_id for _, run_id in store.state.runs} == stuck
    # Each once in an act and once alone, and not again and again.
    assert len(refused) <= 3 * len(stuck)


async def test_what_is_refused_in_one_part_keeps_no_other_part_from_being_done(monkeypatch):
    store = await filled()

    async def refuse(*_, **__):
        raise StoreRefused(sqlstate="42501")

    monkeypatch.setattr(store.supportability, "compact", refuse)
    monkeypatch.setattr(store.retention, "remove", refuse)

    with pytest.raises(StoreRefused):
        await purging(store, Measures()).run_all(Caller.local())

    assert (len(store.state.runs), store.state.simulations, store.state.differences) == (1, {}, {})


async def test_a_store_that_refuses_every_removal_is_not_asked_for_ever(monkeypatch):
    store = MemoryStore()
    asked = []

    async def refuse(purge):
        asked.append(purge)
        raise StoreRefused(sqlstate="42501")

    monkeypatch.setattr(store.retention, "remove", refuse)

    with pytest.raises(StoreRefused):
        await purging(store, Measures()).run(Caller.local())

    assert len(asked) <= REFUSED_MAX + 2


async def test_a_round_that_is_refused_is_told_and_the_next_one_comes(rounds, monkeypatch):
    store, measures = MemoryStore(), Measures()

    async def refuse(*_):
        raise StoreRefused(sqlstate="42501")

    monkeypatch.setattr(store.supportability, "compact", refuse)
    rounds(2)

    with pytest.raises(Enough):
        await purging(store, measures).run_every(Caller.local(), 10)

    assert (measures.failures, measures.retention) == (2, [])


async def filled():
    store = MemoryStore()
    await fill(store)
    return store


async def fill(store):
    """Leaves one of everything that is kept for a time, and its time is over."""
    await store.dpm_runs.admit(an_admission(), KEEP_ALL)
    await store.proposal_simulations.keep(a_simulation(), kept_since=after(0))
    await store.shadow_differences.record([a_difference()])


async def test_a_round_removes_everything_that_is_kept_for_a_time():
    store = await filled()

    purged = await purging(store, Measures()).run_all(Caller.local())

    assert (purged.removed.runs, purged.simulations, purged.differences) == (1, 1, 1)
    assert (store.state.runs, store.state.simulations, store.state.differences) == ({}, {}, {})


@pytest.fixture
def one_store(monkeypatch):
    """Every process opens this store."""
    store = MemoryStore()

    async def opened(*_):
        return store

    async def nothing(*_):
        pass

    store.close = nothing
    # Engine processes take a second to begin, and nobody asks them anything.
    monkeypatch.setattr(server.Running, "warm_up", nothing)
    monkeypatch.setattr(server, "open_store", opened)
    monkeypatch.setattr(server, "open_purging_store", opened)
    monkeypatch.setenv("DPM_SUPPORTABILITY_RETENTION_DAYS", "1")
    return store


async def by_command(chosen, removed):
    await purge_command._purge(chosen)


async def by_timer(chosen, removed):
    async with server.assemble(chosen) as running:
        beside = [asyncio.create_task(work) for work in running.beside(chosen)]
        async with asyncio.timeout(60):
            while not removed():
                await asyncio.sleep(0)
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)


@pytest.mark.parametrize("purge", [by_command, by_timer])
async def test_the_command_and_the_timer_of_a_server_remove_the_same(one_store, purge):
    await fill(one_store)
    state = one_store.state

    await purge(
        replace(process.read(), purge_interval_seconds=0),
        lambda: not (state.runs or state.simulations or state.differences),
    )

    assert (state.runs, state.simulations, state.differences) == ({}, {}, {})
    assert len(state.deletion_records) == 1
