"""Counts in SQLite: totals up to the last fold, and what changed since."""

from __future__ import annotations

import sqlite3
from functools import partial

from service.domains.dpm_runs.supportability import Bounds, Subject, Summary, Unfinished, counts_of
from service.domains.operations import OperationStatus, OperationType
from service.domains.retention.cutoffs import RetentionCutoff
from service.storage.queries import load
from service.storage.sqlite.database import Database
from service.storage.sqlite.statements import every, instant_of, one, optional_instant_of, run, text_of

SQL = load("sqlite", "supportability")


class SqliteSupportability:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def summarise(self, tenant_id: str, cutoff: RetentionCutoff) -> Summary:
        return await self.database.read_snapshot(partial(summarise, tenant_id=tenant_id, cutoff=cutoff))

    async def list_unfinished(self, tenant_id: str) -> tuple[Unfinished, ...]:
        return await self.database.read(partial(list_unfinished, tenant_id=tenant_id))

    async def fold(self) -> None:
        await self.database.write(fold)


def summarise(conn: sqlite3.Connection, *, tenant_id: str, cutoff: RetentionCutoff) -> Summary:
    runs, operations = find_bounds(conn, tenant_id=tenant_id, cutoff=cutoff)
    return Summary(count_kept(conn, tenant_id=tenant_id, cutoff=cutoff), runs, operations)


def count_kept(
    conn: sqlite3.Connection, *, tenant_id: str, cutoff: RetentionCutoff
) -> dict[Subject, dict[str, int]]:
    rows = every(
        conn,
        SQL["count_kept"],
        tenant_id=tenant_id,
        runs_since=text_of(cutoff.runs_since),
        operations_since=text_of(cutoff.operations_since),
    )
    return counts_of((row["subject"], row["value"], row["total"]) for row in rows)


def find_bounds(
    conn: sqlite3.Connection, *, tenant_id: str, cutoff: RetentionCutoff
) -> tuple[Bounds, Bounds]:
    """Those of the runs and those of the operations."""
    row = one(
        conn,
        SQL["find_bounds"],
        tenant_id=tenant_id,
        runs_since=text_of(cutoff.runs_since),
        operations_since=text_of(cutoff.operations_since),
    )
    assert row is not None, "bounds are one row, also of nothing"
    return (
        Bounds(optional_instant_of(row["oldest_run_at"]), optional_instant_of(row["newest_run_at"])),
        Bounds(
            optional_instant_of(row["oldest_operation_at"]), optional_instant_of(row["newest_operation_at"])
        ),
    )


def list_unfinished(conn: sqlite3.Connection, *, tenant_id: str) -> tuple[Unfinished, ...]:
    return tuple(
        Unfinished(
            OperationType(row["operation_type"]),
            OperationStatus(row["status"]),
            row["total"],
            instant_of(row["oldest_at"]),
        )
        for row in every(conn, SQL["list_unfinished"], tenant_id=tenant_id)
    )


def fold(conn: sqlite3.Connection) -> None:
    lock = one(conn, SQL["lock_folding"])
    if lock is not None and lock["held"]:
        run(conn, SQL["add_up_changes"])
        run(conn, SQL["delete_changes"])
