"""Runs in SQLite. Functions that take `conn` run inside the caller's transaction and never begin one."""

from __future__ import annotations

import sqlite3
from functools import partial

from service.domains.dpm_runs.values import (
    DpmRun,
    RecordBatch,
    Recorded,
    RecordReplay,
    RecordRun,
    RunFilter,
    RunRequest,
    RunSummary,
    StoredRun,
    mapping_of,
    use_of,
)
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.canonical import digest_of
from service.domains.values.pages import EARLIEST, LATEST, Page, empty_page, page_of
from service.errors.dpm_runs import RunExists, RunNotFound
from service.storage.queries import load
from service.storage.sqlite import artifacts, idempotency
from service.storage.sqlite.database import Database
from service.storage.sqlite.run_rows import head_of, request_of, row_of, run_of, sealed_of
from service.storage.sqlite.statements import every, from_first_given, one, text_of
from service.storage.texts import require_storable

SQL = load("sqlite", "dpm_runs")
# By the most selective filter that is given.
LISTS = {
    "request_hash": SQL["list_runs_by_request_hash"],
    "portfolio_id": SQL["list_runs_by_portfolio"],
    "status": SQL["list_runs_by_status"],
    None: SQL["list_runs"],
}


class SqliteDpmRuns:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def admit(self, admission: RecordRun, cutoff: RetentionCutoff) -> Recorded:
        return await self.database.write(partial(admit, admission=admission, cutoff=cutoff))

    async def admit_batch(self, batch: RecordBatch) -> None:
        await self.database.write(partial(admit_batch, batch=batch))

    async def admit_replay(self, replay: RecordReplay, cutoff: RetentionCutoff) -> None:
        await self.database.write(partial(admit_replay, replay=replay, cutoff=cutoff))

    async def get(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> DpmRun:
        return await self.database.read(
            partial(get_run, tenant_id=tenant_id, rebalance_run_id=rebalance_run_id, cutoff=cutoff)
        )

    async def get_head(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> RunSummary:
        return await self.database.read(
            partial(get_head, tenant_id=tenant_id, rebalance_run_id=rebalance_run_id, cutoff=cutoff)
        )

    async def get_sealed(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> StoredRun:
        return await self.database.read(
            partial(get_sealed, tenant_id=tenant_id, rebalance_run_id=rebalance_run_id, cutoff=cutoff)
        )

    async def get_newest_by_correlation(
        self, tenant_id: str, correlation_id: str, cutoff: RetentionCutoff
    ) -> DpmRun:
        find = partial(get_run, query="find_newest_run_by_correlation", correlation_id=correlation_id)
        return await self.database.read(partial(find, tenant_id=tenant_id, cutoff=cutoff))

    async def get_newest_by_request_hash(
        self, tenant_id: str, request_hash: str, cutoff: RetentionCutoff
    ) -> DpmRun:
        find = partial(get_run, query="find_newest_run_by_request_hash", request_hash=request_hash)
        return await self.database.read(partial(find, tenant_id=tenant_id, cutoff=cutoff))

    async def get_request(self, tenant_id: str, request_id: str) -> RunRequest:
        return await self.database.read(partial(get_request, tenant_id=tenant_id, request_id=request_id))

    async def list(
        self, tenant_id: str, runs: RunFilter, *, limit: int, cursor: str | None, cutoff: RetentionCutoff
    ) -> Page[RunSummary]:
        return await self.database.read(
            partial(list_heads, tenant_id=tenant_id, runs=runs, limit=limit, cursor=cursor, cutoff=cutoff)
        )

    async def list_by_cause(
        self, tenant_id: str, cause_id: str, cutoff: RetentionCutoff
    ) -> tuple[RunSummary, ...]:
        return await self.database.read(
            partial(list_by_cause, tenant_id=tenant_id, cause_id=cause_id, cutoff=cutoff)
        )

    async def find_newest_batch(
        self, tenant_id: str, correlation_id: str, cutoff: RetentionCutoff
    ) -> str | None:
        return await self.database.read(
            partial(find_newest_batch, tenant_id=tenant_id, correlation_id=correlation_id, cutoff=cutoff)
        )


def admit(conn: sqlite3.Connection, admission: RecordRun, cutoff: RetentionCutoff) -> Recorded:
    require_storable(admission.run, admission.request)
    run, mapping = admission.run, mapping_of(admission.run)
    if admission.replay:
        holder_id = idempotency.claim(conn, mapping, cutoff)
        if holder_id is not None:
            held = get_run(conn, tenant_id=run.tenant_id, rebalance_run_id=holder_id, cutoff=cutoff)
            return Recorded(held, replayed=True)
    else:
        idempotency.move(conn, mapping)
    insert_request(conn, admission.request)
    insert_run(conn, run)
    idempotency.insert_use(conn, use_of(run))
    artifacts.insert_new(conn, run.tenant_id, [admission.artifact], admission.edges)
    return Recorded(run, replayed=False)


def admit_batch(conn: sqlite3.Connection, batch: RecordBatch) -> None:
    require_storable(batch.request, *batch.runs)
    insert_request(conn, batch.request)
    for run in batch.runs:
        insert_run(conn, run)
    artifacts.insert_new(conn, batch.request.tenant_id, batch.artifacts, batch.edges)


def admit_replay(conn: sqlite3.Connection, replay: RecordReplay, cutoff: RetentionCutoff) -> None:
    require_storable(replay.run)
    run = replay.run
    get_head(conn, tenant_id=run.tenant_id, rebalance_run_id=replay.original_id, cutoff=cutoff)
    insert_run(conn, run)
    artifacts.insert_new(conn, run.tenant_id, [replay.artifact], replay.edges)


def insert_request(conn: sqlite3.Connection, request: RunRequest) -> None:
    inserted = one(
        conn,
        SQL["insert_request"],
        tenant_id=request.tenant_id,
        request_id=request.request_id,
        request_hash=request.request_hash,
        created_at=text_of(request.created_at),
        correlation_id=request.correlation_id,
        body_sha256=digest_of(request.body),
        body=request.body,
    )
    if inserted is None:
        raise RunExists(id=request.request_id)


def insert_run(conn: sqlite3.Connection, run: DpmRun) -> None:
    inserted = one(conn, SQL["insert_run"], **row_of(run))
    if inserted is None:
        raise RunExists(id=run.rebalance_run_id)


def get_run(
    conn: sqlite3.Connection,
    *,
    query: str = "find_run",
    tenant_id: str,
    cutoff: RetentionCutoff,
    **wanted: str,
) -> DpmRun:
    return run_of(get_row(conn, query=query, tenant_id=tenant_id, cutoff=cutoff, **wanted))


def get_sealed(
    conn: sqlite3.Connection, *, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff
) -> StoredRun:
    wanted = {"tenant_id": tenant_id, "rebalance_run_id": rebalance_run_id}
    row = get_row(conn, query="find_sealed_run", cutoff=cutoff, **wanted)
    return sealed_of(row)


def get_head(
    conn: sqlite3.Connection, *, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff
) -> RunSummary:
    head = find_head(conn, tenant_id=tenant_id, rebalance_run_id=rebalance_run_id, cutoff=cutoff)
    if head is None:
        raise RunNotFound(rebalance_run_id=rebalance_run_id)
    return head


def find_head(
    conn: sqlite3.Connection, *, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff
) -> RunSummary | None:
    wanted = {"tenant_id": tenant_id, "rebalance_run_id": rebalance_run_id}
    row = one(conn, SQL["find_run_head"], **wanted, runs_since=text_of(cutoff.runs_since))
    return None if row is None else head_of(row)


def get_row(
    conn: sqlite3.Connection, *, query: str, tenant_id: str, cutoff: RetentionCutoff, **wanted: str
) -> sqlite3.Row:
    row = one(conn, SQL[query], tenant_id=tenant_id, runs_since=text_of(cutoff.runs_since), **wanted)
    if row is None:
        raise RunNotFound(**wanted)
    return row


def get_request(conn: sqlite3.Connection, *, tenant_id: str, request_id: str) -> RunRequest:
    row = one(conn, SQL["find_request"], tenant_id=tenant_id, request_id=request_id)
    if row is None:
        raise RunNotFound(request_id=request_id)
    return request_of(row)


def list_heads(
    conn: sqlite3.Connection,
    *,
    tenant_id: str,
    runs: RunFilter,
    limit: int,
    cursor: str | None,
    cutoff: RetentionCutoff,
) -> Page[RunSummary]:
    before_at, before_id = LATEST, ""
    if cursor is not None:
        last = find_head(conn, tenant_id=tenant_id, rebalance_run_id=cursor, cutoff=cutoff)
        if last is None or not runs.matches(last):
            return empty_page()
        before_at, before_id = last.created_at, last.rebalance_run_id
    filters = from_first_given(
        {"request_hash": runs.request_hash, "portfolio_id": runs.portfolio_id, "status": runs.status}
    )
    rows = every(
        conn,
        LISTS[next(iter(filters), None)],
        **filters,
        tenant_id=tenant_id,
        created_from=text_of(max(runs.created_from or EARLIEST, cutoff.runs_since)),
        created_to=text_of(runs.created_to or LATEST),
        before_at=text_of(before_at),
        before_id=before_id,
        limit=limit + 1,
    )
    return page_of([head_of(row) for row in rows], limit, lambda head: head.rebalance_run_id)


def list_by_cause(
    conn: sqlite3.Connection, *, tenant_id: str, cause_id: str, cutoff: RetentionCutoff
) -> tuple[RunSummary, ...]:
    wanted = {"tenant_id": tenant_id, "cause_id": cause_id}
    rows = every(conn, SQL["list_runs_by_cause"], **wanted, runs_since=text_of(cutoff.runs_since))
    return tuple(head_of(row) for row in rows)


def find_newest_batch(
    conn: sqlite3.Connection, *, tenant_id: str, correlation_id: str, cutoff: RetentionCutoff
) -> str | None:
    wanted = {"tenant_id": tenant_id, "correlation_id": correlation_id}
    row = one(conn, SQL["find_newest_batch"], **wanted, runs_since=text_of(cutoff.runs_since))
    return None if row is None else row["request_id"]
