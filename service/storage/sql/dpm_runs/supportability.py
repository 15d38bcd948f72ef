"""Counts of what a database holds: totals up to the last compaction, and what changed since."""

from __future__ import annotations

from service.domains.dpm_runs.supportability import Bounds, Summary, Unfinished, counts_of
from service.domains.operations import OperationStatus, OperationType
from service.domains.retention.cutoffs import RetentionCutoff
from service.storage.sql.acts import Act, SqlDatabase, every, one

NOUN = "supportability"


class SqlSupportability:
    def __init__(self, database: SqlDatabase) -> None:
        self.database = database

    async def summarise(self, tenant_id: str, cutoff: RetentionCutoff) -> Summary:
        return await self.database.read_snapshot(summarise, tenant_id, cutoff)

    async def list_unfinished(self, tenant_id: str) -> tuple[Unfinished, ...]:
        rows = await self.database.read(every, NOUN, "list_unfinished", tenant_id=tenant_id)
        return tuple(
            Unfinished(
                OperationType(row["operation_type"]),
                OperationStatus(row["status"]),
                row["total"],
                row["oldest_at"],
            )
            for row in rows
        )

    async def compact(self) -> None:
        await self.database.write(compact_counters)


def summarise(tenant_id: str, cutoff: RetentionCutoff) -> Act[Summary]:
    bounded = {
        "tenant_id": tenant_id,
        "runs_since": cutoff.runs_since,
        "operations_since": cutoff.operations_since,
    }
    counted = yield from every(NOUN, "count_kept", **bounded)
    bounds = yield from one(NOUN, "find_bounds", **bounded)
    assert bounds is not None, "bounds are one row, also of nothing"
    return Summary(
        counts_of((row["subject"], row["value"], row["total"]) for row in counted),
        runs=Bounds(bounds["oldest_run_at"], bounds["newest_run_at"]),
        operations=Bounds(bounds["oldest_operation_at"], bounds["newest_operation_at"]),
    )


def compact_counters() -> Act[None]:
    """Adds the changes up into the totals; one instance does at a time."""
    lock = yield from one(NOUN, "lock_compaction")
    if lock is not None and lock["held"]:
        yield from every(NOUN, "add_up_changes")
        yield from every(NOUN, "delete_changes")
