"""How the edges around an entity are followed, chosen and paged."""

import pytest

from service.domains.callers import Caller
from service.domains.lineage import Direction, EdgeFilter
from service.domains.retention.cutoffs import KEEP_ALL, Retention
from service.flows.lineage import LineageFlow
from service.storage.memory.store import MemoryStore
from tests.integration.contract.builders import AT, a_replay, after, an_admission
from tests.runtimes import a_runtime


class StoppedClock:
    def now(self):
        return AT


@pytest.fixture
async def store():
    """Four runs, each a replay of the one before."""
    store = MemoryStore()
    admission = an_admission(rebalance_run_id="rr_0", correlation_id="corr", created_at=AT)
    original = (await store.dpm_runs.admit(admission, KEEP_ALL)).run
    for number in range(1, 4):
        replay = a_replay(
            original, rebalance_run_id=f"rr_{number}", correlation_id="corr", created_at=after(number)
        )
        await store.dpm_runs.admit_replay(replay, KEEP_ALL)
        original = replay.run
    return store


@pytest.fixture
def flow(store):
    return LineageFlow(store=store, runtime=a_runtime(clock=StoppedClock(), retention=Retention(0, 60)))


def walk(met):
    return [(edge.source_entity_id, edge.target_entity_id) for edge in met.page.items]


REPLAYED = EdgeFilter(edge_type="REPLAYED_FROM")


async def test_one_step_asks_for_the_edges_of_the_entity_itself(flow, store, monkeypatch):
    async def walked(*_):
        raise AssertionError("nobody asked for a walk")

    monkeypatch.setattr(store.lineage, "trace", walked, raising=False)
    met = await flow.list(Caller.local(), "rr_1", REPLAYED, depth=1, limit=50, cursor=None)

    assert walk(met) == [("rr_1", "rr_0"), ("rr_2", "rr_1")]
    assert not met.truncated


async def test_a_walk_goes_as_deep_as_asked_in_its_direction(flow):
    async def met(depth, direction):
        edges = EdgeFilter(direction, edge_type="REPLAYED_FROM")
        return walk(await flow.list(Caller.local(), "rr_2", edges, depth=depth, limit=50, cursor=None))

    back = [("rr_1", "rr_0"), ("rr_2", "rr_1")]
    forth = [("rr_3", "rr_2")]
    assert await met(2, Direction.UP) == await met(20, Direction.UP) == back
    assert await met(2, Direction.DOWN) == forth
    assert await met(2, Direction.BOTH) == back + forth


async def test_a_walk_passes_edges_that_are_not_shown(flow):
    keyed = EdgeFilter(edge_type="IDEMPOTENCY_TO_RUN")

    assert walk(await flow.list(Caller.local(), "rr_2", keyed, depth=3, limit=50, cursor=None)) == [
        ("key-1", "rr_0")
    ]


async def test_pages_of_a_walk_follow_each_other_to_the_end(flow):
    pages, cursor = [], None
    for _ in range(3):
        met = await flow.list(Caller.local(), "corr", EdgeFilter(), depth=3, limit=3, cursor=cursor)
        pages.append(walk(met))
        cursor = met.page.next_cursor
        if cursor is None:
            break

    every = walk(await flow.list(Caller.local(), "corr", EdgeFilter(), depth=3, limit=50, cursor=None))
    assert [len(page) for page in pages] == [3, 3, 2]
    assert [edge for page in pages for edge in page] == every


async def test_a_walk_has_no_page_after_an_edge_it_does_not_show(flow):
    met = await flow.list(Caller.local(), "corr", EdgeFilter(), depth=2, limit=1, cursor=None)
    assert met.page.next_cursor is not None

    for cursor in ("", "unknown", met.page.next_cursor):
        page = (await flow.list(Caller.local(), "corr", REPLAYED, depth=2, limit=1, cursor=cursor)).page
        assert (page.items, page.next_cursor) == ((), None)
