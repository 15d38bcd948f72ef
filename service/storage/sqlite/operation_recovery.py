"""Operations in SQLite that nobody holds, and those that nobody came for."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime

from service.domains.operations import UNEXECUTED, OperationError, Reaped, exhausted_after, lease_expired
from service.storage.queries import load
from service.storage.sqlite.statements import every, run, text_of

SQL = load("sqlite", "operations")


def reap(
    conn: sqlite3.Connection,
    *,
    tenant_id: str,
    now: datetime,
    attempts_max: int,
    limit: int,
    only: Collection[str] | None,
) -> Reaped:
    requeued, exhausted = [], []
    ended = every(conn, SQL["list_ended_leases"], tenant_id=tenant_id, now=text_of(now), limit=limit)
    for row in chosen_of(ended, only):
        wanted = {"tenant_id": tenant_id, "operation_id": row["operation_id"]}
        if row["attempt"] < attempts_max:
            error = lease_expired(row["lease_owner"])
            told = {"now": text_of(now), "error_code": error.code, "error_message": error.message}
            run(conn, SQL["take_back_operation"], **wanted, **told)
            requeued.append(row["operation_id"])
        else:
            fail(conn, "exhaust_operation", wanted, now, exhausted_after(row["attempt"]))
            exhausted.append(row["operation_id"])
    return Reaped(tuple(requeued), tuple(exhausted))


def expire(
    conn: sqlite3.Connection,
    *,
    tenant_id: str,
    created_before: datetime,
    now: datetime,
    limit: int,
    only: Collection[str] | None,
) -> tuple[str, ...]:
    before = text_of(created_before)
    waiting = every(conn, SQL["list_unexecuted"], tenant_id=tenant_id, created_before=before, limit=limit)
    rows = chosen_of(waiting, only)
    for row in rows:
        wanted = {"tenant_id": tenant_id, "operation_id": row["operation_id"]}
        fail(conn, "expire_operation", wanted, now, UNEXECUTED)
    return tuple(row["operation_id"] for row in rows)


def fail_overdue(
    conn: sqlite3.Connection,
    *,
    tenant_id: str,
    started_before: datetime,
    now: datetime,
    error: OperationError,
    limit: int,
    only: Collection[str] | None,
) -> tuple[str, ...]:
    before = text_of(started_before)
    overdue = every(conn, SQL["list_overdue"], tenant_id=tenant_id, started_before=before, limit=limit)
    rows = chosen_of(overdue, only)
    for row in rows:
        fail(
            conn, "fail_operation", {"tenant_id": tenant_id, "operation_id": row["operation_id"]}, now, error
        )
    return tuple(row["operation_id"] for row in rows)


def chosen_of(rows: Sequence[sqlite3.Row], only: Collection[str] | None) -> list[sqlite3.Row]:
    return [row for row in rows if only is None or row["operation_id"] in only]


def fail(
    conn: sqlite3.Connection, query: str, wanted: dict[str, str], now: datetime, error: OperationError
) -> None:
    ends = {"finished_at": text_of(now), "error_code": error.code, "error_message": error.message}
    run(conn, SQL[query], **wanted, **ends)
    run(conn, SQL["delete_scenarios"], **wanted)
