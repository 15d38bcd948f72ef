"""Edges in memory, filed under both their ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from service.domains.dpm_runs.supportability import Subject
from service.domains.lineage import (
    TRAIL_EDGES_MAX,
    TRAIL_STEPS_MAX,
    Direction,
    Edge,
    EdgeFilter,
    EdgePlace,
    EdgeType,
    LineageGraph,
    OwnerKind,
    lineage_graph_of,
    places_of,
)
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import EARLIEST, LATEST, Page, empty_page, page_of
from service.storage.memory.tables.collector import hide
from service.storage.memory.tables.state import State

# The edges a run brings end at it or start at it, by their type.
BROUGHT_TO_RUN = frozenset({EdgeType.CORRELATION_TO_RUN, EdgeType.IDEMPOTENCY_TO_RUN, EdgeType.DERIVED_FROM})
BROUGHT_FROM_RUN = frozenset({EdgeType.CAUSED_BY, EdgeType.REPLAYED_FROM})


class MemoryLineage:
    def __init__(self, state: State) -> None:
        self.state = state

    async def list(
        self,
        tenant_id: str,
        entity_id: str,
        edges: EdgeFilter,
        *,
        limit: int,
        cursor: str | None,
        cutoff: RetentionCutoff,
    ) -> Page[Edge]:
        self.state.require_open()

        def is_listed(edge: Edge) -> bool:
            return is_there(edge, cutoff) and edges.touches(edge, entity_id) and edges.matches(edge)

        after = None
        if cursor is not None:
            after = find_place(edge for edge in named_by(self.state, tenant_id, cursor) if is_listed(edge))
            if after is None:
                return empty_page()
        places = self.state.edges_by_entity.forward(
            (tenant_id, entity_id),
            first=edges.created_from or EARLIEST,
            last=edges.created_to or LATEST,
            after=after,
        )
        rows = filter(is_listed, (self.state.edges[tenant_id, place] for place in places))
        return page_of(list(islice(rows, limit + 1)), limit, lambda edge: edge.cursor)

    async def trace(
        self, tenant_id: str, entity_id: str, direction: Direction, depth: int, cutoff: RetentionCutoff
    ) -> LineageGraph:
        self.state.require_open()
        # A dict keeps its order: nearest first, then by place.
        met: dict[EdgePlace, Edge] = {}
        reached, steps = {entity_id}, 1
        for distance in range(depth):
            ways = [
                way
                for entity in reached
                for way in ways_from(self.state, tenant_id, entity, direction, cutoff)
            ]
            for edge in sorted((edge for edge, _ in ways), key=lambda edge: edge.place):
                met.setdefault(edge.place, edge)
            reached = {other for _, other in ways}
            # What the last edges lead to is not walked on from, and is no step.
            steps += len(reached) if distance + 1 < depth else 0
            if len(met) > TRAIL_EDGES_MAX or steps >= TRAIL_STEPS_MAX:
                break
        return lineage_graph_of(list(met.values()), steps=steps)


def ways_from(
    state: State, tenant_id: str, entity_id: str, direction: Direction, cutoff: RetentionCutoff
) -> Iterator[tuple[Edge, str]]:
    """The edges a walk may take from an entity, each with the entity it leads to."""
    followed = EdgeFilter(direction)
    for edge in edges_at(state, tenant_id, entity_id):
        if is_there(edge, cutoff) and followed.touches(edge, entity_id):
            is_source = edge.source_entity_id == entity_id
            yield edge, edge.target_entity_id if is_source else edge.source_entity_id


def edges_at(state: State, tenant_id: str, entity_id: str) -> Iterator[Edge]:
    """Every edge that starts or ends at an entity, expired or not, by its place."""
    for place in state.edges_by_entity.forward((tenant_id, entity_id)):
        yield state.edges[tenant_id, place]


def edges_of_run(state: State, tenant_id: str, rebalance_run_id: str) -> list[Edge]:
    """The edges that a run brought."""
    return [
        edge
        for edge in edges_at(state, tenant_id, rebalance_run_id)
        if edge.lives_with is OwnerKind.RUN
        and (
            (edge.target_entity_id == rebalance_run_id and edge.edge_type in BROUGHT_TO_RUN)
            or (edge.source_entity_id == rebalance_run_id and edge.edge_type in BROUGHT_FROM_RUN)
        )
    ]


def edges_of_operation(state: State, tenant_id: str, operation_id: str) -> list[Edge]:
    """The edges that an operation brought."""
    return [
        edge
        for edge in edges_at(state, tenant_id, operation_id)
        if edge.lives_with is OwnerKind.OPERATION and edge.source_entity_id == operation_id
    ]


def is_there(edge: Edge, cutoff: RetentionCutoff) -> bool:
    return edge.lives_with is not OwnerKind.RUN or edge.created_at >= cutoff.runs_since


def named_by(state: State, tenant_id: str, cursor: str) -> Iterator[Edge]:
    for place in places_of(cursor):
        if (tenant_id, place) in state.edges:
            yield state.edges[tenant_id, place]


def find_place(edges: Iterator[Edge]) -> EdgePlace | None:
    edge = next(edges, None)
    return None if edge is None else edge.place


def insert_edges(state: State, tenant_id: str, edges: Iterable[Edge]) -> None:
    for edge in edges:
        place = edge.place
        hide(edge, place)
        state.edges[tenant_id, place] = edge
        for entity_id in {edge.source_entity_id, edge.target_entity_id}:
            state.edges_by_entity.put((tenant_id, entity_id), place)
        state.tally(tenant_id, Subject.LINEAGE_EDGE_TYPE, edge.edge_type.value, 1)


def remove_edges(state: State, tenant_id: str, edges: Sequence[Edge]) -> int:
    for edge in edges:
        del state.edges[tenant_id, edge.place]
        for entity_id in {edge.source_entity_id, edge.target_entity_id}:
            state.edges_by_entity.take((tenant_id, entity_id), edge.place)
        state.tally(tenant_id, Subject.LINEAGE_EDGE_TYPE, edge.edge_type.value, -1)
    return len(edges)
