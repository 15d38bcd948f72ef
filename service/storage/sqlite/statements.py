"""Runs a named query on a connection the caller holds, and spells instants the way the tables do."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

from service.storage.queries import Query


def run(conn: sqlite3.Connection, query: Query, **values: object) -> None:
    conn.execute(query.text, query.named(values))


def one(conn: sqlite3.Connection, query: Query, **values: object) -> sqlite3.Row | None:
    rows = every(conn, query, **values)
    return rows[0] if rows else None


def every(conn: sqlite3.Connection, query: Query, **values: object) -> list[sqlite3.Row]:
    # Fetched to the end, for a statement half read would hold its transaction open.
    return conn.execute(query.text, query.named(values)).fetchall()


def text_of(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def instant_of(text: str) -> datetime:
    return datetime.fromisoformat(text)
