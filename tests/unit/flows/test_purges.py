"""What a server tells of its purges."""

import pytest

from service.clock import SystemClock, TimeOrderedIds
from service.domains.purges import Removed
from service.domains.retention import KEEP_ALL, Retention
from service.errors import StoreUnavailable
from service.flows.purges import PurgeFlow
from service.flows.sweeps import SweepFlow
from service.storage.memory.store import MemoryStore
from tests.integration.contract.builders import an_admission


class Measures:
    def __init__(self):
        self.purges, self.failures, self.sweeps = [], 0, []

    def purged(self, removed, seconds):
        assert seconds >= 0
        self.purges.append(removed)

    def purge_failed(self):
        self.failures += 1

    def swept(self, **fates):
        self.sweeps.append(fates)


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

        monkeypatch.setattr("service.flows.purges.asyncio.sleep", nap)

    return limit


def purging(store, measures, days=1):
    return PurgeFlow(
        store=store,
        clock=SystemClock(),
        new_id=TimeOrderedIds(),
        retention=Retention(days, 86_400),
        simulations_kept_seconds=86_400,
        measures=measures,
    )


async def test_every_round_tells_what_it_removed_by_kind(rounds):
    store, measures = MemoryStore(), Measures()
    # The builders' instants are long past.
    await store.dpm_runs.admit(an_admission(artifact=True), KEEP_ALL)
    rounds(2)

    with pytest.raises(Enough):
        await purging(store, measures).run_every(10)

    first, second = measures.purges
    assert (first["runs"], first["artifacts"], first["requests"], first["simulations"]) == (1, 1, 1, 0)
    assert set(first) == {*Removed.__dataclass_fields__, "simulations"}
    assert not any(second.values())
    assert measures.failures == 0


@pytest.mark.parametrize("error", [StoreUnavailable(), RuntimeError("a bug")])
async def test_a_round_that_is_broken_off_is_told_and_the_next_one_comes(rounds, monkeypatch, error):
    store, measures = MemoryStore(), Measures()
    errors, fold = [error], store.supportability.fold

    async def once_broken():
        if errors:
            raise errors.pop()
        await fold()

    monkeypatch.setattr(store.supportability, "fold", once_broken)
    rounds(2)

    with pytest.raises(Enough):
        await purging(store, measures).run_every(10)

    assert (measures.failures, len(measures.purges)) == (1, 1)


async def test_a_sweep_tells_what_became_of_operations():
    store, measures = MemoryStore(), Measures()
    flow = SweepFlow(
        store=store,
        clock=SystemClock(),
        retention=Retention(0, 86_400),
        attempts_max=1,
        operation_seconds_max=600,
        queue=None,
        lease_seconds=8,
        measures=measures,
    )

    await flow.run_once()

    assert measures.sweeps == [{"taken_back": 0, "exhausted": 0, "expired": 0, "overdue": 0}]
