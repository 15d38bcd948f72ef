"""Edges in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from functools import partial

from service.domains.canonical import canonical_json
from service.domains.lineage import Edge, EdgeType
from service.storage.queries import load
from service.storage.sqlite.database import Database
from service.storage.sqlite.statements import every, instant_of, run, text_of

SQL = load("sqlite", "lineage")


class SqliteLineage:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def list_edges(self, tenant_id: str, entity_id: str) -> tuple[Edge, ...]:
        return await self.database.read(partial(list_edges, tenant_id=tenant_id, entity_id=entity_id))


def insert_edges(conn: sqlite3.Connection, tenant_id: str, edges: Iterable[Edge]) -> None:
    for edge in edges:
        run(
            conn,
            SQL["insert_edge"],
            tenant_id=tenant_id,
            source_entity_id=edge.source_entity_id,
            edge_type=edge.edge_type.value,
            target_entity_id=edge.target_entity_id,
            created_at=text_of(edge.created_at),
            metadata=canonical_json(edge.metadata).decode("ascii"),
        )


def list_edges(conn: sqlite3.Connection, *, tenant_id: str, entity_id: str) -> tuple[Edge, ...]:
    return tuple(
        Edge(
            source_entity_id=row["source_entity_id"],
            edge_type=EdgeType(row["edge_type"]),
            target_entity_id=row["target_entity_id"],
            created_at=instant_of(row["created_at"]),
            metadata=json.loads(row["metadata"]),
        )
        for row in every(conn, SQL["list_edges"], tenant_id=tenant_id, entity_id=entity_id)
    )
