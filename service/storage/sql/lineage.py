"""Edges in SQL."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC

import msgspec

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
from service.domains.values.canonical import canonical_json
from service.domains.values.pages import EARLIEST, LATEST, Page, empty_page, page_of
from service.storage.sql.acts import Act, Row, SqlDatabase, every, one

NOUN = "lineage"
FIRST_PLACE: EdgePlace = (EARLIEST, "", "", "")


class SqlLineage:
    def __init__(self, database: SqlDatabase) -> None:
        self.database = database

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
        return await self.database.read(
            list_edges, tenant_id, entity_id, edges, limit=limit, cursor=cursor, cutoff=cutoff
        )

    async def trace(
        self, tenant_id: str, entity_id: str, direction: Direction, depth: int, cutoff: RetentionCutoff
    ) -> LineageGraph:
        return await self.database.read(trace, tenant_id, entity_id, direction, depth, cutoff)


def list_edges(
    tenant_id: str,
    entity_id: str,
    edges: EdgeFilter,
    *,
    limit: int,
    cursor: str | None,
    cutoff: RetentionCutoff,
) -> Act[Page[Edge]]:
    after: EdgePlace | None = FIRST_PLACE
    if cursor is not None:
        after = yield from find_place(tenant_id, entity_id, edges, cursor, cutoff)
    if after is None:
        return empty_page()
    rows = yield from every(
        NOUN,
        "list_edges",
        tenant_id=tenant_id,
        entity_id=entity_id,
        types_from_source=edges.direction.types_from_source,
        types_to_source=edges.direction.types_to_source,
        edge_type=edges.edge_type,
        created_from=edges.created_from or EARLIEST,
        created_to=edges.created_to or LATEST,
        runs_since=cutoff.runs_since,
        after_at=after[0],
        after_source=after[1],
        after_type=after[2],
        after_target=after[3],
        limit=limit + 1,
    )
    return page_of([edge_of(row) for row in rows], limit, lambda edge: edge.cursor)


def find_place(
    tenant_id: str, entity_id: str, edges: EdgeFilter, cursor: str, cutoff: RetentionCutoff
) -> Act[EdgePlace | None]:
    """The place a cursor names, if an edge of this list has it."""
    for place in places_of(cursor):
        _, source, edge_type, target = place
        row = yield from one(
            NOUN,
            "find_edge",
            tenant_id=tenant_id,
            source_entity_id=source,
            edge_type=edge_type,
            target_entity_id=target,
            runs_since=cutoff.runs_since,
        )
        if row is None:
            continue
        edge = edge_of(row)
        if edge.place == place and edges.touches(edge, entity_id) and edges.matches(edge):
            return place
    return None


def trace(
    tenant_id: str, entity_id: str, direction: Direction, depth: int, cutoff: RetentionCutoff
) -> Act[LineageGraph]:
    rows = yield from every(
        NOUN,
        "trace_edges",
        tenant_id=tenant_id,
        entity_id=entity_id,
        types_from_source=direction.types_from_source,
        types_to_source=direction.types_to_source,
        depth=depth,
        runs_since=cutoff.runs_since,
        steps_max=TRAIL_STEPS_MAX,
        limit=TRAIL_EDGES_MAX + 1,
    )
    return lineage_graph_of([edge_of(row) for row in rows], steps=rows[0]["steps"] if rows else 0)


def edge_of(row: Row) -> Edge:
    return Edge(
        source_entity_id=row["source_entity_id"],
        edge_type=EdgeType(row["edge_type"]),
        target_entity_id=row["target_entity_id"],
        created_at=row["created_at"],
        metadata=json.loads(row["metadata"]),
        lives_with=OwnerKind(row["lives_with"]),
    )


def insert_edges(tenant_id: str, edges: Iterable[Edge]) -> Act[None]:
    """Write any number of edges in one statement."""
    yield from every(NOUN, "insert_edges", tenant_id=tenant_id, edges=text_of(edges))


def text_of(edges: Iterable[Edge]) -> str:
    return msgspec.json.encode(
        [
            {
                "source_entity_id": edge.source_entity_id,
                "edge_type": edge.edge_type.value,
                "target_entity_id": edge.target_entity_id,
                "created_at": edge.created_at.astimezone(UTC).isoformat(timespec="microseconds"),
                "metadata": canonical_json(edge.metadata).decode("ascii"),
                "lives_with": edge.lives_with.value,
            }
            for edge in edges
        ]
    ).decode()
