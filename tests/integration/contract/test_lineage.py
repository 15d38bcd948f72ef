"""What edges promise, whatever the backend."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import pytest

from service.domains.dpm_runs.artifacts import edge_of_artifact
from service.domains.dpm_runs.values import DEFAULT_TENANT, edges_of
from service.domains.lineage import DEPTH_MAX, TRAIL_EDGES_MAX, Direction, EdgeFilter, EdgeType, LineageGraph
from service.domains.operations import edge_of_operation
from service.domains.retention.cutoffs import KEEP_ALL
from service.domains.values.pages import Page, empty_page, opaque
from tests.integration.contract.builders import (
    a_batch,
    a_replay,
    after,
    an_admission,
    an_artifact,
    an_operation,
    operations_since,
    runs_since,
    started,
    submit_and_move,
    succeeded,
)
from tests.integration.contract.reading import ALL_EDGES, all_edges_at, edges_at, touching

UNKNOWN_CURSORS = [
    "",
    " ",
    "|",
    "|||",
    "nowhere",
    "2026-03-02T09:30:00+00:00",
    "2026-03-02T09:30:00+00:00|corr|CORRELATION_TO_RUN|nowhere",
    "2026-03-02T09:30:00|corr|CORRELATION_TO_RUN|rr",
    "2026-03-02T09:30:01+00:00|corr|CORRELATION_TO_RUN|rr",
    "2026-03-02T09:30:00+00:00|corr|IDEMPOTENCY_TO_RUN|rr",
    "2026-03-02T09:30:00+00:00|corr|correlation_to_run|rr",
    "9999-12-31T23:59:59.999999+00:00|corr|CORRELATION_TO_RUN|rr",
    "0001-01-01T00:00:00+00:00|corr|CORRELATION_TO_RUN|rr",
]
PLACE = "2026-03-02T09:30:00+00:00|corr|CORRELATION_TO_RUN|rr"
BOUNDS = [(None, None), (after(2), None), (None, after(2)), (after(2), after(2)), (after(3), after(1))]


async def page_at(store, entity_id, edges=ALL_EDGES, *, limit=100, cursor=None, cutoff=KEEP_ALL):
    return await store.lineage.list(
        DEFAULT_TENANT, entity_id, edges, limit=limit, cursor=cursor, cutoff=cutoff
    )


async def trail_at(store, entity_id, direction=Direction.BOTH, depth=3, cutoff=KEEP_ALL):
    return await store.lineage.trace(DEFAULT_TENANT, entity_id, direction, depth, cutoff)


def ends_of(edges):
    return [(edge.source_entity_id, edge.target_entity_id) for edge in edges]


def by_place(*edges):
    return tuple(sorted(edges, key=lambda edge: edge.place))


async def keep_chain(store, *entity_ids):
    """Edges from each entity to the next, one second apart."""
    edges = []
    for second, (source, target) in enumerate(itertools.pairwise(entity_ids)):
        edges.append(await keep_link(store, source, target, created_at=after(second)))
    return edges


async def keep_link(store, source, target, **fields):
    """One edge from one entity to another, brought by an operation."""
    operation = an_operation(operation_id=source, correlation_id=target, **fields)
    await store.operations.submit(operation)
    return edge_of_operation(operation)


async def test_an_unknown_entity_has_no_edges(store):
    await store.dpm_runs.admit(an_admission(), KEEP_ALL)

    assert await page_at(store, "nowhere") == empty_page()
    assert await trail_at(store, "nowhere") == LineageGraph((), truncated=False)


async def test_the_edges_of_a_run_are_found_from_both_ends(store):
    admission = an_admission(correlation_id="corr", idempotency_key="key")
    await store.dpm_runs.admit(admission, KEEP_ALL)

    from_run = await edges_at(store, admission.run.rebalance_run_id)
    from_correlation = await edges_at(store, "corr")
    from_key = await edges_at(store, "key")

    correlation, key = edges_of(admission.run)
    assert from_run == (correlation, key)
    assert from_correlation == (correlation,)
    assert from_key == (key,)
    assert dict(from_key[0].metadata) == {"request_hash": admission.run.request_hash}


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def traces_of(edges):
    """The trace that each edge names, by what it is."""
    return {edge.edge_type: edge.metadata.get("trace_id") for edge in edges}


@pytest.mark.parametrize("replay", [True, False])
async def test_the_edge_from_a_correlation_id_names_the_trace_and_no_other_does(store, replay):
    first = replace(an_admission(replay=replay, correlation_id="corr"), trace_id=TRACE)
    batch = replace(a_batch("base", cause_id="cause", correlation_id="corr-batch"), trace_id=TRACE)
    again = replace(a_replay(first.run, correlation_id="corr-again"), trace_id=TRACE)
    await store.dpm_runs.admit(first, KEEP_ALL)
    await store.dpm_runs.admit_batch(batch)
    await store.dpm_runs.admit_replay(again, KEEP_ALL)
    await store.operations.submit(an_operation(correlation_id="corr-op"), trace_id=TRACE)

    named, unnamed = EdgeType.CORRELATION_TO_RUN, EdgeType.IDEMPOTENCY_TO_RUN
    assert traces_of(await edges_at(store, batch.runs[0].rebalance_run_id)) == {
        named: TRACE,
        EdgeType.CAUSED_BY: None,
    }
    assert traces_of(await edges_at(store, again.run.rebalance_run_id)) == {
        named: TRACE,
        EdgeType.REPLAYED_FROM: None,
    }
    assert traces_of(await edges_at(store, "corr")) == {named: TRACE}
    assert traces_of(await edges_at(store, first.run.idempotency_key)) == {unnamed: None}
    assert traces_of(await edges_at(store, "corr-op")) == {EdgeType.OPERATION_TO_CORRELATION: TRACE}
    assert dict((await edges_at(store, "corr"))[0].metadata) == {
        "request_hash": first.run.request_hash,
        "trace_id": TRACE,
    }


async def test_up_leads_to_what_a_run_came_from_and_down_to_what_came_of_it(store):
    operation = an_operation(operation_id="dop", correlation_id="corr-op")
    await store.operations.submit(operation)
    batch = a_batch("a", cause_id="dop", correlation_id="corr-run", artifacts=True)
    await store.dpm_runs.admit_batch(batch)
    (run,), (artifact,) = batch.runs, batch.artifacts
    again = a_replay(run, correlation_id="corr-again")
    await store.dpm_runs.admit_replay(again, KEEP_ALL)
    correlation, cause = edges_of(run, cause_id="dop")
    _, replayed = edges_of(again.run, original_id=run.rebalance_run_id)
    derived, accepted = edge_of_artifact(artifact), edge_of_operation(operation)
    ways = {
        (run.rebalance_run_id, Direction.UP): (correlation, cause),
        (run.rebalance_run_id, Direction.DOWN): (replayed, derived),
        ("dop", Direction.UP): (),
        ("dop", Direction.DOWN): (accepted, cause),
        (artifact.artifact_id, Direction.UP): (derived,),
        (artifact.artifact_id, Direction.DOWN): (),
    }

    for (entity_id, direction), edges in ways.items():
        assert (await page_at(store, entity_id, EdgeFilter(direction))).items == by_place(*edges)
        assert (await trail_at(store, entity_id, direction, depth=1)).edges == by_place(*edges)
    assert (await trail_at(store, artifact.artifact_id, Direction.UP)).edges == by_place(
        derived, correlation, cause
    )


async def test_edges_of_every_kind_come_back_as_they_were_written(store):
    first = an_admission(correlation_id="corr · Zürich", idempotency_key="key", artifact=True)
    operation = an_operation(correlation_id="corr · Zürich")
    batch = a_batch("base", cause_id=operation.operation_id, correlation_id="corr · Zürich")
    replay = a_replay(first.run, correlation_id="corr · Zürich")
    await store.dpm_runs.admit(first, KEEP_ALL)
    await store.operations.submit(operation)
    await store.dpm_runs.admit_batch(batch)
    await store.dpm_runs.admit_replay(replay, KEEP_ALL)

    written = (
        *edges_of(first.run),
        edge_of_artifact(first.artifact),
        edge_of_operation(operation),
        *edges_of(batch.runs[0], cause_id=operation.operation_id),
        *edges_of(replay.run, original_id=first.run.rebalance_run_id),
    )
    assert {edge.edge_type for edge in written} == set(EdgeType)
    for entity_id in {end for ends in ends_of(written) for end in ends}:
        assert await edges_at(store, entity_id) == touching(entity_id, *written)
    trail = await trail_at(store, first.run.rebalance_run_id)
    assert trail == LineageGraph(by_place(*written), truncated=False)


@pytest.mark.parametrize(
    ("correlation_id", "idempotency_key"),
    [("a", "b"), ("b", "a"), ("same", "same"), ("ä", "z"), ("B", "a"), ("a ", "a"), ("\U0001f3e6", "\uffff")],
)
async def test_edges_of_one_instant_are_listed_by_source_and_then_type(
    store, correlation_id, idempotency_key
):
    admission = an_admission(correlation_id=correlation_id, idempotency_key=idempotency_key)
    await store.dpm_runs.admit(admission, KEEP_ALL)

    listed = await edges_at(store, admission.run.rebalance_run_id)

    assert [(edge.source_entity_id, edge.edge_type) for edge in listed] == sorted(
        [
            (correlation_id, EdgeType.CORRELATION_TO_RUN),
            (idempotency_key, EdgeType.IDEMPOTENCY_TO_RUN),
        ],
        key=lambda place: (place[0], place[1].value),
    )


async def test_edges_of_many_runs_are_listed_by_creation_and_then_by_target(store):
    at = [after(seconds) for seconds in (3, 1, 2, 1)]
    asked = [an_admission(replay=False, idempotency_key="key", created_at=instant) for instant in at]
    for admission in asked:
        await store.dpm_runs.admit(admission, KEEP_ALL)

    listed = await edges_at(store, "key")

    by_age = sorted(
        (admission.run for admission in asked), key=lambda run: (run.created_at, run.rebalance_run_id)
    )
    assert [edge.target_entity_id for edge in listed] == [run.rebalance_run_id for run in by_age]


@pytest.mark.parametrize("direction", Direction)
async def test_an_edge_from_an_entity_to_itself_is_listed_once(store, direction):
    admission = an_admission(rebalance_run_id="loop", correlation_id="loop", idempotency_key="key")
    await store.dpm_runs.admit(admission, KEEP_ALL)

    page = await page_at(store, "loop", EdgeFilter(direction))
    trail = await trail_at(store, "loop", direction, depth=DEPTH_MAX)

    expected = touching("loop", *edges_of(admission.run), direction=direction)
    assert len(expected) == (1 if direction is Direction.DOWN else 2)
    assert page == Page(expected, None)
    assert trail == LineageGraph(expected, truncated=False)


async def test_tenants_do_not_see_the_edges_of_others(store):
    await store.dpm_runs.admit(an_admission(tenant_id="ours", idempotency_key="key"), KEEP_ALL)

    assert await edges_at(store, "key", tenant_id="theirs") == ()
    assert await store.lineage.trace("theirs", "key", Direction.BOTH, 3, KEEP_ALL) == LineageGraph((), False)


async def keep_many(store):
    """An entity with 250 edges of four types at nine instants, half of them up; as they are listed."""
    down = a_batch(*(f"s{n:03}" for n in range(60)), correlation_id="hub")
    down = replace(down, runs=tuple(replace(run, created_at=after(n % 9)) for n, run in enumerate(down.runs)))
    up = a_batch(*(f"s{n:03}" for n in range(120)), cause_id="hub")
    up = replace(up, runs=tuple(replace(run, created_at=after(n % 7)) for n, run in enumerate(up.runs)))
    keyed = [an_admission(replay=False, idempotency_key="hub", created_at=after(n % 5)) for n in range(30)]
    await store.dpm_runs.admit_batch(up)
    await store.dpm_runs.admit_batch(down)
    for admission in keyed:
        await store.dpm_runs.admit(admission, KEEP_ALL)
    links = [await keep_link(store, f"dop_{n:03}", "hub", created_at=after(n % 4)) for n in range(40)]
    written = [
        *links,
        *(edge for run in up.runs for edge in edges_of(run, cause_id="hub")),
        *(edge for run in down.runs for edge in edges_of(run, cause_id=down.cause_id)),
        *(edge for admission in keyed for edge in edges_of(admission.run)),
    ]
    found = touching("hub", *written)
    assert len(found) == 250
    return found


async def test_an_entity_with_many_edges_is_paged_through_under_every_filter(store):
    edges = await keep_many(store)
    types = [
        None,
        "CORRELATION_TO_RUN",
        "CAUSED_BY",
        "OPERATION_TO_CORRELATION",
        "DERIVED_FROM",
        "UNHEARD",
        "",
    ]

    for direction, edge_type, (since, until) in itertools.product(Direction, types, BOUNDS):
        wanted = EdgeFilter(direction, edge_type, since, until)
        expected = tuple(edge for edge in edges if wanted.touches(edge, "hub") and wanted.matches(edge))
        for limit in (7, 100, 250):
            assert await all_edges_at(store, "hub", wanted, limit=limit) == expected, wanted


async def test_expired_edges_are_on_no_page_and_on_no_walk(store):
    edges = await keep_many(store)
    left = tuple(
        edge for edge in edges if edge.lives_with.value == "OPERATION" or edge.created_at >= after(4)
    )
    assert 40 < len(left) < len(edges)

    for direction in Direction:
        wanted = EdgeFilter(direction)
        expected = tuple(edge for edge in left if wanted.touches(edge, "hub"))
        paged = await all_edges_at(store, "hub", wanted, limit=9, cutoff=runs_since(4))
        trail = await trail_at(store, "hub", direction, depth=1, cutoff=runs_since(4))

        assert paged == expected
        assert trail == LineageGraph(expected, truncated=False)


async def test_a_page_starts_after_any_edge(store):
    edges = await keep_many(store)

    for position in (0, 1, 98, 99, 100, 248, 249):
        page = await page_at(store, "hub", cursor=edges[position].cursor, limit=300)

        assert page == Page(edges[position + 1 :], None)


async def test_a_full_last_page_says_that_nothing_follows(store):
    edges = await keep_many(store)

    assert await page_at(store, "hub", limit=250) == Page(edges, None)
    assert await page_at(store, "hub", limit=249) == Page(edges[:249], edges[248].cursor)


# As they are written inside a cursor, and as they were sent when cursors were not encoded.
@pytest.mark.parametrize(
    "cursor", [*UNKNOWN_CURSORS, *map(opaque, UNKNOWN_CURSORS), PLACE, f"{opaque(PLACE)}="]
)
async def test_an_unknown_cursor_gives_an_empty_page(store, cursor):
    await store.dpm_runs.admit(an_admission(rebalance_run_id="rr", correlation_id="corr"), KEEP_ALL)
    assert (await edges_at(store, "rr"))[0].cursor == opaque(PLACE)

    assert await page_at(store, "rr", cursor=cursor) == empty_page()


async def test_a_cursor_of_an_edge_that_is_not_on_the_list_gives_an_empty_page(store):
    admission = an_admission(correlation_id="corr", idempotency_key="key")
    await store.dpm_runs.admit(admission, KEEP_ALL)
    await store.dpm_runs.admit(an_admission(tenant_id="theirs", correlation_id="theirs"), KEEP_ALL)
    correlation, key = edges_of(admission.run)
    run_id = admission.run.rebalance_run_id
    (foreign,) = await edges_at(store, "theirs", tenant_id="theirs")

    for entity_id, edges, cursor in (
        ("corr", ALL_EDGES, key.cursor),
        ("key", ALL_EDGES, correlation.cursor),
        (run_id, EdgeFilter(Direction.DOWN), correlation.cursor),
        ("corr", EdgeFilter(Direction.UP), correlation.cursor),
        (run_id, EdgeFilter(edge_type="IDEMPOTENCY_TO_RUN"), correlation.cursor),
        (run_id, EdgeFilter(created_from=after(1)), correlation.cursor),
        (run_id, EdgeFilter(created_to=after(-1)), correlation.cursor),
        (run_id, ALL_EDGES, foreign.cursor),
    ):
        assert await page_at(store, entity_id, edges, cursor=cursor) == empty_page()
    assert await page_at(store, run_id, cursor=correlation.cursor) == Page((key,), None)


async def test_a_cursor_of_an_expired_edge_gives_an_empty_page(store):
    old, new = (an_admission(replay=False, created_at=after(second)) for second in (1, 9))
    for admission in (old, new):
        await store.dpm_runs.admit(admission, KEEP_ALL)
    cursor = edges_of(old.run)[1].cursor

    before = await page_at(store, "key-1", cursor=cursor, cutoff=runs_since(1))
    later = await page_at(store, "key-1", cursor=cursor, cutoff=runs_since(5))

    assert before == Page((edges_of(new.run)[1],), None)
    assert later == empty_page()


async def test_a_cursor_can_be_put_into_a_query_as_it_is(store):
    """Whatever the ids are made of (ruling 13)."""
    for number in range(16):
        correlation_id = f"é +&|#{chr(0x1F600 + number)}{'x' * number}"
        admission = an_admission(replay=False, correlation_id=correlation_id, rebalance_run_id=f"rr_{number}")
        await store.dpm_runs.admit(admission, KEEP_ALL)

        page = await page_at(store, f"rr_{number}", limit=1)

        assert re.fullmatch("[A-Za-z0-9_-]+", page.next_cursor)
        assert (await page_at(store, f"rr_{number}", cursor=page.next_cursor)).items


@pytest.mark.parametrize(
    ("correlation_id", "run_id"),
    [
        ("a|b", "rr|c"),
        ("|", "||"),
        ("", "rr"),
        ("a|CORRELATION_TO_RUN|b", "rr"),
        ("a", "b|CORRELATION_TO_RUN|c"),
        ("2026-03-02T09:30:00+00:00|a|CORRELATION_TO_RUN|b", "rr"),
        ("a|IDEMPOTENCY_TO_RUN|b", "rr|CAUSED_BY|d"),
        ("CORRELATION_TO_RUN|CORRELATION_TO_RUN", "CORRELATION_TO_RUN|CORRELATION_TO_RUN"),
    ],
)
async def test_ids_that_contain_bars_can_be_paged_through(store, correlation_id, run_id):
    fields = {"correlation_id": correlation_id, "idempotency_key": f"z{correlation_id}"}
    admission = an_admission(rebalance_run_id=run_id, **fields)
    await store.dpm_runs.admit(admission, KEEP_ALL)

    assert await all_edges_at(store, run_id, ALL_EDGES, limit=1) == touching(run_id, *edges_of(admission.run))


async def test_two_edges_may_have_one_cursor_and_are_paged_through_all_the_same(store):
    mark = "|CORRELATION_TO_RUN|"
    one = an_admission(replay=False, correlation_id="a", rebalance_run_id=f"b{mark}c", idempotency_key="k")
    other = an_admission(replay=False, correlation_id=f"a{mark}b", rebalance_run_id="c", idempotency_key="k")
    for admission in (one, other):
        await store.dpm_runs.admit(admission, KEEP_ALL)
    assert edges_of(one.run)[0].cursor == edges_of(other.run)[0].cursor

    for admission in (one, other):
        run_id = admission.run.rebalance_run_id
        assert await all_edges_at(store, run_id, ALL_EDGES, limit=1) == touching(
            run_id, *edges_of(admission.run)
        )


async def test_a_walk_goes_as_far_as_its_depth(store):
    chain = [f"e{n:02}" for n in range(DEPTH_MAX + 3)]
    edges = await keep_chain(store, *chain)

    for depth in (1, 2, 3, 10, DEPTH_MAX):
        assert await trail_at(store, "e00", Direction.DOWN, depth) == LineageGraph(
            tuple(edges[:depth]), False
        )
        assert await trail_at(store, chain[-1], Direction.UP, depth) == LineageGraph(
            tuple(edges[-depth:]), False
        )
        assert await trail_at(store, "e00", Direction.UP, depth) == LineageGraph((), False)
    for depth in (1, 2, 3):
        middle = await trail_at(store, "e10", Direction.BOTH, depth)
        assert middle == LineageGraph(tuple(edges[10 - depth : 10 + depth]), False)


async def test_a_walk_down_does_not_turn_up_and_a_walk_up_does_not_turn_down(store):
    batch = a_batch("a", "b", cause_id="dop_1")
    await store.dpm_runs.admit_batch(batch)
    one, other = batch.runs
    of_one, of_other = (edges_of(run, cause_id="dop_1") for run in batch.runs)

    up = await trail_at(store, one.rebalance_run_id, Direction.UP, 3)
    down = await trail_at(store, "dop_1", Direction.DOWN, 3)
    both = await trail_at(store, one.correlation_id, Direction.BOTH, 4)

    assert up == LineageGraph(by_place(*of_one), False)
    assert down == LineageGraph(by_place(of_one[1], of_other[1]), False)
    assert both == LineageGraph(by_place(*of_one, *of_other), False)
    assert other.rebalance_run_id not in {end for ends in ends_of(up.edges) for end in ends}


async def test_a_walk_over_two_ways_of_other_length_takes_the_shorter(store):
    first = await keep_chain(store, "a", "b", "c", "d", "e")
    late = an_admission(rebalance_run_id="d", correlation_id="a", created_at=after(9))
    await store.dpm_runs.admit(late, KEEP_ALL)
    short = edges_of(late.run)[0]

    trail = await trail_at(store, "a", Direction.DOWN, 2)

    assert trail == LineageGraph((first[0], first[1], first[3], short), False)


@pytest.mark.parametrize("length", [1, 2, 3, 7])
@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("depth", [1, 2, DEPTH_MAX])
async def test_a_walk_around_a_circle_ends(store, length, direction, depth):
    names = [f"e{n}" for n in range(length)]
    edges = await keep_chain(store, *names, names[0])

    trail = await trail_at(store, "e0", direction, depth)

    steps = min(depth, length)
    expected = {
        Direction.DOWN: edges[:steps],
        Direction.UP: edges[length - steps :],
        Direction.BOTH: edges if 2 * depth >= length else [edges[0], edges[-1]],
    }
    if direction is Direction.BOTH and 2 * depth < length:
        expected[direction] = edges[:depth] + edges[length - depth :]
    assert trail == LineageGraph(tuple(expected[direction]), False)


@pytest.mark.parametrize("direction", Direction)
async def test_a_walk_through_a_dense_web_meets_every_edge_once(store, direction):
    entities = [f"e{n}" for n in range(8)]
    runs = [
        an_admission(replay=False, rebalance_run_id=name, correlation_id=entities[n - 1], idempotency_key=key)
        for n, name in enumerate(entities)
        for key in [entities[n - 3]]
    ]
    for admission in runs:
        await store.dpm_runs.admit(admission, KEEP_ALL)
    written = by_place(*(edge for admission in runs for edge in edges_of(admission.run)))

    trail = await trail_at(store, "e0", direction, DEPTH_MAX)

    assert trail == LineageGraph(written, truncated=False)


async def test_a_trail_of_too_many_edges_is_cut_at_the_nearest_and_says_so(store):
    star = a_batch(*(f"s{n:04}" for n in range(TRAIL_EDGES_MAX + 5)), cause_id="star")
    await store.dpm_runs.admit_batch(star)
    beyond = await keep_link(store, "star", "beyond")
    last = star.runs[-1]
    *others, own = (edges_of(run, cause_id="star")[1] for run in star.runs)
    named = edges_of(last)[0]

    down = await trail_at(store, "star", Direction.DOWN, 1)
    both = await trail_at(store, last.rebalance_run_id, Direction.BOTH, 3)
    up = await trail_at(store, last.rebalance_run_id, Direction.UP, 3)

    assert down == LineageGraph(by_place(*others, own, beyond)[:TRAIL_EDGES_MAX], truncated=True)
    second_step = by_place(*others, beyond)[: TRAIL_EDGES_MAX - 2]
    assert both == LineageGraph(by_place(named, own, *second_step), truncated=True)
    assert up == LineageGraph(by_place(named, own), truncated=False)


async def test_a_trail_of_just_as_many_edges_as_fit_is_whole(store):
    star = a_batch(*(f"s{n:04}" for n in range(TRAIL_EDGES_MAX)), cause_id="star")
    await store.dpm_runs.admit_batch(star)

    trail = await trail_at(store, "star", Direction.DOWN, 1)

    assert len(trail.edges) == TRAIL_EDGES_MAX
    assert not trail.truncated


async def test_a_walk_does_not_pass_over_an_expired_edge(store):
    old = an_admission(correlation_id="corr", created_at=after(1))
    replay = a_replay(old.run, created_at=after(9))
    again = a_replay(replay.run, created_at=after(10))
    await store.dpm_runs.admit(old, KEEP_ALL)
    await store.dpm_runs.admit_replay(replay, KEEP_ALL)
    await store.dpm_runs.admit_replay(again, KEEP_ALL)

    up = await trail_at(store, again.run.rebalance_run_id, Direction.UP, 3, runs_since(5))
    down = await trail_at(store, "corr", Direction.DOWN, 3, runs_since(5))

    assert ends_of(edge for edge in up.edges if edge.edge_type is EdgeType.REPLAYED_FROM) == [
        (replay.run.rebalance_run_id, old.run.rebalance_run_id),
        (again.run.rebalance_run_id, replay.run.rebalance_run_id),
    ]
    assert down == LineageGraph((), truncated=False)


async def test_the_edge_of_an_artifact_has_the_instant_of_its_run(store):
    run = an_admission(created_at=after(3)).run
    await store.dpm_runs.admit(
        an_admission(rebalance_run_id=run.rebalance_run_id, created_at=after(3)), KEEP_ALL
    )
    artifact = an_artifact(run)
    await store.artifacts.keep(artifact)

    assert await edges_at(store, artifact.artifact_id, runs_since(3)) == (edge_of_artifact(artifact),)
    assert await edges_at(store, artifact.artifact_id, runs_since(4)) == ()


async def test_the_edge_of_an_operation_stays_until_the_operation_is_removed(store):
    operation = an_operation()
    await submit_and_move(store, succeeded(started(operation)))

    assert await edges_at(store, "corr-op", runs_since(9)) == (edge_of_operation(operation),)
    assert await edges_at(store, "corr-op", operations_since(9)) == (edge_of_operation(operation),)
