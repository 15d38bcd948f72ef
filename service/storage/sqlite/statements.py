"""Runs a named query on a connection the caller holds, and spells values the way the tables do."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import dropwhile

from service.domains.values.pages import LATEST
from service.storage.queries import Query

# Nothing is stored outside these, and what lies outside may have no spelling in UTC.
FIRST_INSTANT = datetime.min.replace(tzinfo=UTC)
LAST_INSTANT = LATEST


def run(conn: sqlite3.Connection, query: Query, **values: object) -> None:
    conn.execute(query.text, query.named(values))


def count(conn: sqlite3.Connection, query: Query, **values: object) -> int:
    """Run a query that changes rows, and say how many."""
    return conn.execute(query.text, query.named(values)).rowcount


def one(conn: sqlite3.Connection, query: Query, **values: object) -> sqlite3.Row | None:
    rows = every(conn, query, **values)
    return rows[0] if rows else None


def every(conn: sqlite3.Connection, query: Query, **values: object) -> list[sqlite3.Row]:
    # Fetched to the end, for a statement half read would hold its transaction open.
    return conn.execute(query.text, query.named(values)).fetchall()


def text_of(instant: datetime) -> str:
    """The spelling whose order is that of time; a bound no row can lie beyond is drawn in to what has one."""
    return min(max(instant, FIRST_INSTANT), LAST_INSTANT).astimezone(UTC).isoformat(timespec="microseconds")


def instant_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def optional_instant_of(text: str | None) -> datetime | None:
    return None if text is None else instant_of(text)


def from_first_given(filters: Mapping[str, str | None]) -> dict[str, str | None]:
    """The first filter that is given and those after it, as the query named for it takes them."""
    return dict(dropwhile(lambda named: named[1] is None, filters.items()))
