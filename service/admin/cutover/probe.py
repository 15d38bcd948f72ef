"""A PostgreSQL database as somebody sees it who is about to serve from it; only reads."""

from __future__ import annotations

from typing import Any

import psycopg

from service.admin.cutover.checks import Looked, MigrationHistory, Unreachable
from service.admin.migrations.postgres_state import list_invalid_indexes, one_line, shown_of
from service.runtime.clock import SystemClock
from service.storage.queries import load
from service.storage.schema import SchemaRefused, read_applied

APPLICATION_NAME = "lotus-manage cutover-check"
CONNECT_SECONDS_MAX = 5
# The quickest of so many trips tells the time best.
CLOCK_TRIPS = 3


def look(dsn: str) -> Looked:
    """Raises Unreachable."""
    try:
        shown = shown_of(dsn)
    except SchemaRefused as refused:
        raise Unreachable(str(refused)) from None
    try:
        with psycopg.connect(
            dsn, connect_timeout=CONNECT_SECONDS_MAX, fallback_application_name=APPLICATION_NAME
        ) as conn:
            conn.read_only = True
            queries = load("postgres", "migrations")
            login, is_superuser = _row(conn, queries["get_login"].text)
            rights = conn.execute(queries["list_rights"].text).fetchall()
            return Looked(
                shown=shown,
                login=login,
                is_superuser=is_superuser,
                rights=frozenset((thing, privilege) for thing, privilege in rights),
                skew_seconds=_skew_of(conn, queries["get_clock"].text),
                # Last, for a login that may not read them can ask nothing more in this transaction.
                history=_history_in(conn),
            )
    except psycopg.Error as error:
        raise Unreachable(f"{shown} cannot be used: {one_line(error)}") from None


def _history_in(conn: psycopg.Connection[Any]) -> MigrationHistory | None:
    try:
        applied = read_applied(conn, "postgres")
    except psycopg.errors.InsufficientPrivilege:
        return None
    return MigrationHistory(applied, tuple(name for name, _ in list_invalid_indexes(conn)))


def _skew_of(conn: psycopg.Connection[Any], question: str) -> float:
    clock, trips = SystemClock(), []
    for _ in range(CLOCK_TRIPS):
        asked = clock.now()
        (present,) = _row(conn, question)
        trip = clock.now() - asked
        # The answer was true when the trip was half done.
        trips.append((trip, (present - asked - trip / 2).total_seconds()))
    return float(min(trips)[1])


def _row(conn: psycopg.Connection[Any], question: str) -> tuple[Any, ...]:
    found: tuple[Any, ...] | None = conn.execute(question).fetchone()
    assert found is not None
    return found
