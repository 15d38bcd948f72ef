"""Edges in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterable

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
from service.storage.postgres.database import Database
from service.storage.postgres.statements import Connection, Row, every, one, run
from service.storage.queries import load

SQL = load("postgres", "lineage")
FIRST_PLACE: EdgePlace = (EARLIEST, "", "", "")


class PostgresLineage:
    def __init__(self, database: Database) -> None:
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
        async with self.database.look() as conn:
            after: EdgePlace | None = FIRST_PLACE
            if cursor is not None:
                after = await find_place(conn, tenant_id, entity_id, edges, cursor, cutoff)
            if after is None:
                return empty_page()
            rows = await every(
                conn,
                SQL["list_edges"],
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

    async def trace(
        self, tenant_id: str, entity_id: str, direction: Direction, depth: int, cutoff: RetentionCutoff
    ) -> LineageGraph:
        async with self.database.look() as conn:
            rows = await every(
                conn,
                SQL["trace_edges"],
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


async def insert_edges(conn: Connection, tenant_id: str, edges: Iterable[Edge]) -> None:
    """Write any number of edges in one statement."""
    await run(conn, SQL["insert_edges"], tenant_id=tenant_id, edges=text_of(edges))


async def find_place(
    conn: Connection, tenant_id: str, entity_id: str, edges: EdgeFilter, cursor: str, cutoff: RetentionCutoff
) -> EdgePlace | None:
    """The place a cursor names, if an edge of this list has it."""
    for created_at, source, edge_type, target in places_of(cursor):
        row = await one(
            conn,
            SQL["find_edge"],
            tenant_id=tenant_id,
            source_entity_id=source,
            edge_type=edge_type,
            target_entity_id=target,
            runs_since=cutoff.runs_since,
        )
        if row is None:
            continue
        edge = edge_of(row)
        if edge.created_at == created_at and edges.touches(edge, entity_id) and edges.matches(edge):
            return edge.place
    return None


def text_of(edges: Iterable[Edge]) -> str:
    return msgspec.json.encode(
        [
            {
                "source_entity_id": edge.source_entity_id,
                "edge_type": edge.edge_type.value,
                "target_entity_id": edge.target_entity_id,
                "created_at": edge.created_at.isoformat(),
                "metadata": canonical_json(edge.metadata).decode("ascii"),
                "lives_with": edge.lives_with.value,
            }
            for edge in edges
        ]
    ).decode()


def edge_of(row: Row) -> Edge:
    return Edge(
        source_entity_id=row["source_entity_id"],
        edge_type=EdgeType(row["edge_type"]),
        target_entity_id=row["target_entity_id"],
        created_at=row["created_at"],
        metadata=json.loads(row["metadata"]),
        lives_with=OwnerKind(row["lives_with"]),
    )
