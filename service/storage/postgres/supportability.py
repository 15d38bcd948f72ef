"""Counts of what PostgreSQL holds."""

from __future__ import annotations

import asyncpg

from service.domains.dpm_runs.supportability import Bounds, Summary, Unfinished, counts_of
from service.domains.operations import OperationStatus, OperationType
from service.domains.retention.cutoffs import RetentionCutoff
from service.errors.storage import StoreBusy
from service.storage.postgres.database import Database
from service.storage.postgres.statements import Connection, every, one, run
from service.storage.queries import load

SQL = load("postgres", "supportability")


class PostgresSupportability:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def summarise(self, tenant_id: str, cutoff: RetentionCutoff) -> Summary:
        bounded = {
            "tenant_id": tenant_id,
            "runs_since": cutoff.runs_since,
            "operations_since": cutoff.operations_since,
        }
        async with self.database.snapshot() as conn:
            counted = await every(conn, SQL["count_kept"], **bounded)
            bounds = await one(conn, SQL["find_bounds"], **bounded)
        assert bounds is not None, "bounds are a row"
        return Summary(
            counts_of((row["subject"], row["value"], row["total"]) for row in counted),
            runs=Bounds(bounds["oldest_run_at"], bounds["newest_run_at"]),
            operations=Bounds(bounds["oldest_operation_at"], bounds["newest_operation_at"]),
        )

    async def list_unfinished(self, tenant_id: str) -> tuple[Unfinished, ...]:
        async with self.database.look() as conn:
            rows = await every(conn, SQL["list_unfinished"], tenant_id=tenant_id)
        return tuple(
            Unfinished(
                OperationType(row["operation_type"]),
                OperationStatus(row["status"]),
                row["total"],
                row["oldest_at"],
            )
            for row in rows
        )

    async def fold(self) -> None:
        try:
            # The one snapshot is what keeps a change from being forgotten that was not added up.
            async with self.database.act(isolation="repeatable_read") as conn:
                await fold(conn)
        except StoreBusy as refused:
            # Another instance folded between our snapshot and our lock, so there is nothing left to do.
            if not isinstance(refused.__cause__, asyncpg.SerializationError):
                raise


async def fold(conn: Connection) -> None:
    right = await one(conn, SQL["lock_folding"])
    assert right is not None, "a lock answers"
    if not right["held"]:
        return
    await run(conn, SQL["add_up_changes"])
    await run(conn, SQL["delete_changes"])
