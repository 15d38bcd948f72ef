"""Deletes what has expired, and keeps records of it, in SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.retention.deletions import DeletedRows, DeletionBatch, DeletionRecord
from service.storage.sql.acts import Act, Row, SqlDatabase, every, one

NOUN = "retention"


def nothing_more(_: DeletionBatch) -> Act[None]:
    """What a dialect without a job queue deletes beside the rows of the nouns."""
    yield from ()


class SqlRetention:
    """`beside` deletes what a dialect keeps beside the rows of the nouns, in the same act."""

    def __init__(
        self, database: SqlDatabase, beside: Callable[[DeletionBatch], Act[None]] = nothing_more
    ) -> None:
        self.database = database
        self.beside = beside

    async def remove(self, purge: DeletionBatch) -> DeletedRows | None:
        return await self.database.write(remove, purge, self.beside)

    async def list_records(self, tenant_id: str, *, limit: int) -> tuple[DeletionRecord, ...]:
        rows = await self.database.read(every, NOUN, "list_purges", tenant_id=tenant_id, limit=limit)
        return tuple(record_of(row) for row in rows)


def remove(purge: DeletionBatch, beside: Callable[[DeletionBatch], Act[None]]) -> Act[DeletedRows | None]:
    lock = yield from one(NOUN, "lock_purging")
    if lock is None or not lock["held"]:
        return None
    yield from beside(purge)
    runs = yield from every(
        NOUN,
        "list_expired_runs",
        tenant_id=purge.tenant_id,
        runs_before=purge.cutoff.runs_since,
        limit=purge.runs_limit,
        skipped=purge.runs_skipped,
    )
    operations = yield from every(
        NOUN,
        "list_expired_operations",
        tenant_id=purge.tenant_id,
        operations_before=purge.cutoff.operations_since,
        limit=purge.operations_limit,
        skipped=purge.operations_skipped,
    )
    if not runs and not operations:
        return DeletedRows()
    yield from every(NOUN, "allow_removal")
    removed = yield from remove_all(purge.tenant_id, runs, operations)
    yield from every(NOUN, "forbid_removal")
    yield from insert_record(purge, removed)
    return removed


def remove_all(tenant_id: str, runs: Sequence[Row], operations: Sequence[Row]) -> Act[DeletedRows]:
    """Delete what has expired, what refers to a row always before the row."""
    of_runs = {"tenant_id": tenant_id, "run_ids": text_of(row["rebalance_run_id"] for row in runs)}
    of_requests = {"tenant_id": tenant_id, "request_ids": text_of(row["request_id"] for row in runs)}
    of_operations = {
        "tenant_id": tenant_id,
        "operation_ids": text_of(row["operation_id"] for row in operations),
    }
    decisions = yield from delete("delete_decisions", of_runs)
    artifacts = yield from delete("delete_artifacts", of_runs)
    keys = yield from delete("delete_keys", of_runs)
    keys += yield from delete("delete_answers_about_runs", of_runs)
    keys += yield from delete("delete_answers_about_operations", of_operations)
    uses = yield from delete("delete_uses", of_runs)
    edges = yield from delete("delete_edges_to_runs", of_runs)
    edges += yield from delete("delete_edges_from_runs", of_runs)
    edges += yield from delete("delete_edges_of_operations", of_operations)
    return DeletedRows(
        decisions=decisions,
        artifacts=artifacts,
        keys=keys,
        uses=uses,
        edges=edges,
        runs=(yield from delete("delete_runs", of_runs)),
        requests=(yield from delete("delete_requests", of_requests)),
        operations=(yield from delete("delete_operations", of_operations)),
    )


def delete(name: str, values: dict[str, str]) -> Act[int]:
    return len((yield from every(NOUN, name, **values)))


def text_of(ids: Iterable[str]) -> str:
    """The ids, each once, as the JSON list that a statement takes."""
    return msgspec.json.encode(sorted(set(ids))).decode()


def insert_record(purge: DeletionBatch, removed: DeletedRows) -> Act[None]:
    yield from every(
        NOUN,
        "insert_purge",
        tenant_id=purge.tenant_id,
        purge_id=purge.purge_id,
        purged_at=purge.purged_at,
        runs_before=purge.cutoff.runs_since,
        operations_before=purge.cutoff.operations_since,
        runs=removed.runs,
        requests=removed.requests,
        artifacts=removed.artifacts,
        decisions=removed.decisions,
        keys=removed.keys,
        uses=removed.uses,
        edges=removed.edges,
        operations=removed.operations,
    )


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
