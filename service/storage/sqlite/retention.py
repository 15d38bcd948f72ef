"""What retention removes from SQLite, and the records of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from functools import partial

from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.retention.deletions import DeletedRows, DeletionBatch, DeletionRecord
from service.storage.queries import load
from service.storage.sqlite.database import Database
from service.storage.sqlite.statements import count, every, instant_of, one, run, text_of

SQL = load("sqlite", "retention")


class SqliteRetention:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def remove(self, purge: DeletionBatch) -> DeletedRows | None:
        return await self.database.write(partial(remove, purge=purge))

    async def list_records(self, tenant_id: str, *, limit: int) -> tuple[DeletionRecord, ...]:
        return await self.database.read(partial(list_records, tenant_id=tenant_id, limit=limit))


def remove(conn: sqlite3.Connection, purge: DeletionBatch) -> DeletedRows | None:
    lock = one(conn, SQL["lock_purging"])
    if lock is None or not lock["held"]:
        return None
    runs = every(
        conn,
        SQL["list_expired_runs"],
        tenant_id=purge.tenant_id,
        runs_before=text_of(purge.cutoff.runs_since),
        limit=purge.runs_limit,
        skipped=purge.runs_skipped,
    )
    operations = every(
        conn,
        SQL["list_expired_operations"],
        tenant_id=purge.tenant_id,
        operations_before=text_of(purge.cutoff.operations_since),
        limit=purge.operations_limit,
        skipped=purge.operations_skipped,
    )
    if not runs and not operations:
        return DeletedRows()
    run(conn, SQL["allow_removal"])
    removed = remove_all(conn, purge.tenant_id, runs, operations)
    run(conn, SQL["forbid_removal"])
    insert_record(conn, purge, removed)
    return removed


def remove_all(
    conn: sqlite3.Connection,
    tenant_id: str,
    runs: Sequence[sqlite3.Row],
    operations: Sequence[sqlite3.Row],
) -> DeletedRows:
    """Delete what has expired, what refers to a row always before the row."""
    of_runs = {"tenant_id": tenant_id, "run_ids": list_of(row["rebalance_run_id"] for row in runs)}
    of_requests = {"tenant_id": tenant_id, "request_ids": list_of(row["request_id"] for row in runs)}
    of_operations = {
        "tenant_id": tenant_id,
        "operation_ids": list_of(row["operation_id"] for row in operations),
    }
    return DeletedRows(
        decisions=count(conn, SQL["delete_decisions"], **of_runs),
        artifacts=count(conn, SQL["delete_artifacts"], **of_runs),
        keys=count(conn, SQL["delete_keys"], **of_runs)
        + count(conn, SQL["delete_answers_about_runs"], **of_runs)
        + count(conn, SQL["delete_answers_about_operations"], **of_operations),
        uses=count(conn, SQL["delete_uses"], **of_runs),
        edges=count(conn, SQL["delete_edges_to_runs"], **of_runs)
        + count(conn, SQL["delete_edges_from_runs"], **of_runs)
        + count(conn, SQL["delete_edges_of_operations"], **of_operations),
        runs=count(conn, SQL["delete_runs"], **of_runs),
        requests=count(conn, SQL["delete_requests"], **of_requests),
        operations=count(conn, SQL["delete_operations"], **of_operations),
    )


def list_of(ids: Iterable[str]) -> str:
    """The ids, each once, as the JSON list a query takes."""
    return json.dumps(list(dict.fromkeys(ids)))


def insert_record(conn: sqlite3.Connection, purge: DeletionBatch, removed: DeletedRows) -> None:
    run(
        conn,
        SQL["insert_purge"],
        tenant_id=purge.tenant_id,
        purge_id=purge.purge_id,
        purged_at=text_of(purge.purged_at),
        runs_before=text_of(purge.cutoff.runs_since),
        operations_before=text_of(purge.cutoff.operations_since),
        runs=removed.runs,
        requests=removed.requests,
        artifacts=removed.artifacts,
        decisions=removed.decisions,
        keys=removed.keys,
        uses=removed.uses,
        edges=removed.edges,
        operations=removed.operations,
    )


def list_records(conn: sqlite3.Connection, *, tenant_id: str, limit: int) -> tuple[DeletionRecord, ...]:
    rows = every(conn, SQL["list_purges"], tenant_id=tenant_id, limit=limit)
    return tuple(record_of(row) for row in rows)


def record_of(row: sqlite3.Row) -> DeletionRecord:
    return DeletionRecord(
        purge_id=row["purge_id"],
        tenant_id=row["tenant_id"],
        purged_at=instant_of(row["purged_at"]),
        cutoff=RetentionCutoff(instant_of(row["runs_before"]), instant_of(row["operations_before"])),
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
