"""What is told of the operations of a store."""

import pytest

from service.domains.retention.cutoffs import Retention
from service.errors.storage import StoreUnavailable
from service.flows.operations.gauges import OperationGauges
from service.storage.memory.store import MemoryStore
from tests.integration.contract.builders import after, an_operation, started, submit_and_move, succeeded


class Late:
    def now(self):
        return after(100)


class Measures:
    def __init__(self):
        self.kept, self.unfinished, self.answers = {}, {}, []

    def operations_kept(self, store, by_status):
        self.kept[store] = dict(by_status)

    def operations_unfinished(self, store, operation_type, status, *, count, oldest_seconds):
        self.unfinished[store, operation_type, status] = (count, oldest_seconds)

    def store_answered(self, store):
        self.answers.append((store, True))

    def store_silent(self, store):
        self.answers.append((store, False))


@pytest.fixture
def measures():
    return Measures()


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def flow(store, measures):
    return OperationGauges(
        name="runs", store=store, clock=Late(), retention=Retention(0, 86_400), measures=measures
    )


async def test_states_and_ages_are_told_and_nought_where_there_is_nothing(flow, store, measures):
    await submit_and_move(store, an_operation(created_at=after(40)))
    await submit_and_move(store, an_operation(created_at=after(70)))
    await submit_and_move(store, started(an_operation(created_at=after(10)), 20))
    await submit_and_move(store, succeeded(started(an_operation(created_at=after(1)), 2), 30))

    await flow.look()

    assert measures.kept["runs"] == {"PENDING": 2, "RUNNING": 1, "SUCCEEDED": 1}
    assert measures.unfinished["runs", "ANALYZE_SCENARIOS", "PENDING"] == (2, 60.0)
    assert measures.unfinished["runs", "ANALYZE_SCENARIOS", "RUNNING"] == (1, 90.0)
    assert measures.unfinished["runs", "CREATE_PROPOSAL", "PENDING"] == (0, 0.0)
    assert len(measures.unfinished) == 6
    assert measures.answers == [("runs", True)]


async def test_a_store_that_is_away_is_told_as_such_and_asked_again(flow, store, measures, monkeypatch):
    naps = iter([False, True])

    async def nap(_):
        if next(naps):
            raise Enough

    class Enough(Exception):
        pass

    monkeypatch.setattr("service.flows.operations.gauges.asyncio.sleep", nap)
    away = [StoreUnavailable()]
    summarise = store.supportability.summarise

    async def once_away(*args):
        if away:
            raise away.pop()
        return await summarise(*args)

    monkeypatch.setattr(store.supportability, "summarise", once_away)

    with pytest.raises(Enough):
        await flow.run_every()

    assert measures.answers == [("runs", False), ("runs", True)]
