"""Edges in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from functools import partial

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
from service.storage.queries import load
from service.storage.sqlite.database import Database
from service.storage.sqlite.statements import every, instant_of, one, run, text_of

SQL = load("sqlite", "lineage")

BEFORE_THE_FIRST: EdgePlace = (EARLIEST, "", "", "")


class SqliteLineage:
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
        return await self.database.read(
            partial(
                list_edges,
                tenant_id=tenant_id,
                entity_id=entity_id,
                edges=edges,
                limit=limit,
                cursor=cursor,
                cutoff=cutoff,
            )
        )

    async def trace(
        self, tenant_id: str, entity_id: str, direction: Direction, depth: int, cutoff: RetentionCutoff
    ) -> LineageGraph:
        return await self.database.read(
            partial(
                trace,
                tenant_id=tenant_id,
                entity_id=entity_id,
                direction=direction,
                depth=depth,
                cutoff=cutoff,
            )
        )


def insert_edges(conn: sqlite3.Connection, tenant_id: str, edges: Iterable[Edge]) -> None:
    if rows := [row_of(edge) for edge in edges]:
        run(conn, SQL["insert_edges"], tenant_id=tenant_id, edges=canonical_json(rows).decode("ascii"))


def row_of(edge: Edge) -> dict[str, str]:
    return {
        "source_entity_id": edge.source_entity_id,
        "edge_type": edge.edge_type.value,
        "target_entity_id": edge.target_entity_id,
        "created_at": text_of(edge.created_at),
        "metadata": canonical_json(edge.metadata).decode("ascii"),
        "lives_with": edge.lives_with.value,
    }


def list_edges(
    conn: sqlite3.Connection,
    *,
    tenant_id: str,
    entity_id: str,
    edges: EdgeFilter,
    limit: int,
    cursor: str | None,
    cutoff: RetentionCutoff,
) -> Page[Edge]:
    after: EdgePlace | None = BEFORE_THE_FIRST
    if cursor is not None:
        after = find_place(
            conn, tenant_id=tenant_id, entity_id=entity_id, edges=edges, cursor=cursor, cutoff=cutoff
        )
    if after is None:
        return empty_page()
    after_at, after_source, after_type, after_target = after
    rows = every(
        conn,
        SQL["list_edges"],
        tenant_id=tenant_id,
        entity_id=entity_id,
        types_from_source=json.dumps(edges.direction.types_from_source),
        types_to_source=json.dumps(edges.direction.types_to_source),
        edge_type=edges.edge_type,
        created_from=text_of(edges.created_from or EARLIEST),
        created_to=text_of(edges.created_to or LATEST),
        runs_since=text_of(cutoff.runs_since),
        after_at=text_of(after_at),
        after_source=after_source,
        after_type=after_type,
        after_target=after_target,
        limit=limit + 1,
    )
    return page_of([edge_of(row) for row in rows], limit, lambda edge: edge.cursor)


def find_place(
    conn: sqlite3.Connection,
    *,
    tenant_id: str,
    entity_id: str,
    edges: EdgeFilter,
    cursor: str,
    cutoff: RetentionCutoff,
) -> EdgePlace | None:
    """The place a cursor stands for in the list of these edges."""
    for place in places_of(cursor):
        edge = find_edge(conn, tenant_id=tenant_id, place=place, cutoff=cutoff)
        if edge is not None and edges.touches(edge, entity_id) and edges.matches(edge):
            return place
    return None


def find_edge(
    conn: sqlite3.Connection, *, tenant_id: str, place: EdgePlace, cutoff: RetentionCutoff
) -> Edge | None:
    """The edge that stands at a place."""
    _, source_entity_id, edge_type, target_entity_id = place
    row = one(
        conn,
        SQL["find_edge"],
        tenant_id=tenant_id,
        source_entity_id=source_entity_id,
        edge_type=edge_type,
        target_entity_id=target_entity_id,
        runs_since=text_of(cutoff.runs_since),
    )
    if row is None:
        return None
    edge = edge_of(row)
    return edge if edge.place == place else None


def trace(
    conn: sqlite3.Connection,
    *,
    tenant_id: str,
    entity_id: str,
    direction: Direction,
    depth: int,
    cutoff: RetentionCutoff,
) -> LineageGraph:
    rows = every(
        conn,
        SQL["trace_edges"],
        tenant_id=tenant_id,
        entity_id=entity_id,
        depth=depth,
        types_from_source=json.dumps(direction.types_from_source),
        types_to_source=json.dumps(direction.types_to_source),
        runs_since=text_of(cutoff.runs_since),
        steps_max=TRAIL_STEPS_MAX,
        limit=TRAIL_EDGES_MAX + 1,
    )
    return lineage_graph_of([edge_of(row) for row in rows], steps=rows[0]["steps"] if rows else 0)


def edge_of(row: sqlite3.Row) -> Edge:
    return Edge(
        source_entity_id=row["source_entity_id"],
        edge_type=EdgeType(row["edge_type"]),
        target_entity_id=row["target_entity_id"],
        created_at=instant_of(row["created_at"]),
        metadata=json.loads(row["metadata"]),
        lives_with=OwnerKind(row["lives_with"]),
    )
