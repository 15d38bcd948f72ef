"""Removes from PostgreSQL what has expired."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.retention.deletions import DeletedRows, DeletionBatch, DeletionRecord
from service.storage.postgres.database import Database
from service.storage.postgres.statements import Connection, Row, every, one, run
from service.storage.queries import load

SQL = load("postgres", "retention")

# The engine of the queue writes three rows for a job that goes well, and one more each time it is put back.
JOB_LOG_ROWS = 10


class PostgresRetention:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def remove(self, purge: DeletionBatch) -> DeletedRows | None:
        async with self.database.act() as conn:
            return await remove(conn, purge)

    async def list_records(self, tenant_id: str, *, limit: int) -> tuple[DeletionRecord, ...]:
        async with self.database.look() as conn:
            rows = await every(conn, SQL["list_purges"], tenant_id=tenant_id, limit=limit)
        return tuple(record_of(row) for row in rows)


async def remove(conn: Connection, purge: DeletionBatch) -> DeletedRows | None:
    right = await one(conn, SQL["lock_purging"])
    assert right is not None, "a lock answers"
    if not right["held"]:
        return None
    await remove_job_log(conn, purge)
    runs = await every(
        conn,
        SQL["list_expired_runs"],
        tenant_id=purge.tenant_id,
        runs_before=purge.cutoff.runs_since,
        limit=purge.runs_limit,
        skipped=purge.runs_skipped,
    )
    operations = await every(
        conn,
        SQL["list_expired_operations"],
        tenant_id=purge.tenant_id,
        operations_before=purge.cutoff.operations_since,
        limit=purge.operations_limit,
        skipped=purge.operations_skipped,
    )
    if not runs and not operations:
        return DeletedRows()
    await one(conn, SQL["allow_removal"])
    removed = await remove_all(conn, purge.tenant_id, runs, operations)
    await one(conn, SQL["forbid_removal"])
    record = DeletionRecord(purge.purge_id, purge.tenant_id, purge.purged_at, purge.cutoff, removed)
    await insert_record(conn, record)
    return removed


async def remove_job_log(conn: Connection, purge: DeletionBatch) -> None:
    """Remove what the engine of the queue wrote down; it is the engine's, so no record tells of it."""
    for name in ("delete_job_log", "delete_job_statistics"):
        await run(
            conn,
            SQL[name],
            operations_before=purge.cutoff.operations_since,
            limit=purge.limit * JOB_LOG_ROWS,
        )


async def remove_all(
    conn: Connection, tenant_id: str, runs: Sequence[Row], operations: Sequence[Row]
) -> DeletedRows:
    run_ids = text_of(row["rebalance_run_id"] for row in runs)
    request_ids = text_of({row["request_id"] for row in runs})
    operation_ids = text_of(row["operation_id"] for row in operations)

    async def delete(name: str, **ids: str) -> int:
        return await run(conn, SQL[name], tenant_id=tenant_id, **ids)

    # What refers to a row goes before it.
    return DeletedRows(
        decisions=await delete("delete_decisions", run_ids=run_ids),
        artifacts=await delete("delete_artifacts", run_ids=run_ids),
        keys=await delete("delete_keys", run_ids=run_ids)
        + await delete("delete_answers_about_runs", run_ids=run_ids)
        + await delete("delete_answers_about_operations", operation_ids=operation_ids),
        uses=await delete("delete_uses", run_ids=run_ids),
        edges=await delete("delete_edges_to_runs", run_ids=run_ids)
        + await delete("delete_edges_from_runs", run_ids=run_ids)
        + await delete("delete_edges_of_operations", operation_ids=operation_ids),
        runs=await delete("delete_runs", run_ids=run_ids),
        requests=await delete("delete_requests", request_ids=request_ids),
        operations=await delete("delete_operations", operation_ids=operation_ids),
    )


async def insert_record(conn: Connection, record: DeletionRecord) -> None:
    removed = record.removed
    await run(
        conn,
        SQL["insert_purge"],
        tenant_id=record.tenant_id,
        purge_id=record.purge_id,
        purged_at=record.purged_at,
        runs_before=record.cutoff.runs_since,
        operations_before=record.cutoff.operations_since,
        runs=removed.runs,
        requests=removed.requests,
        artifacts=removed.artifacts,
        decisions=removed.decisions,
        keys=removed.keys,
        uses=removed.uses,
        edges=removed.edges,
        operations=removed.operations,
    )


def text_of(ids: Iterable[str]) -> str:
    return msgspec.json.encode(sorted(ids)).decode()


def record_of(row: Row) -> DeletionRecord:
    return DeletionRecord(
        purge_id=row["purge_id"],
        tenant_id=row["tenant_id"],
        purged_at=row["purged_at"],
        cutoff=RetentionCutoff(row["runs_before"], row["operations_before"]),
        removed=DeletedRows(
            runs=row["runs"],
            requests=row["requests"],
            artifacts=row["artifacts"],
            decisions=row["decisions"],
            keys=row["keys"],
            uses=row["uses"],
            edges=row["edges"],
            operations=row["operations"],
        ),
    )
