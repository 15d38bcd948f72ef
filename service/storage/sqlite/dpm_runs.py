"""Runs in SQLite. Functions that take `conn` run inside the caller's transaction and never begin one."""

from __future__ import annotations

import sqlite3
from functools import partial

from service.domains.canonical import digest_of
from service.domains.dpm_runs import (
    Admitted,
    BatchAdmission,
    DpmRun,
    RunAdmission,
    RunRequest,
    RunStatus,
    edges_of,
    mapping_of,
    use_of,
)
from service.errors import RunExists, RunNotFound
from service.storage.queries import load
from service.storage.sqlite import idempotency, lineage
from service.storage.sqlite.database import Database
from service.storage.sqlite.statements import instant_of, one, text_of

SQL = load("sqlite", "dpm_runs")


class SqliteDpmRuns:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def admit(self, admission: RunAdmission) -> Admitted:
        return await self.database.write(partial(admit, admission=admission))

    async def admit_batch(self, batch: BatchAdmission) -> None:
        await self.database.write(partial(admit_batch, batch=batch))

    async def get(self, tenant_id: str, rebalance_run_id: str) -> DpmRun:
        return await self.database.read(
            partial(get_run, tenant_id=tenant_id, rebalance_run_id=rebalance_run_id)
        )

    async def get_newest_by_correlation(self, tenant_id: str, correlation_id: str) -> DpmRun:
        return await self.database.read(
            partial(get_newest_by_correlation, tenant_id=tenant_id, correlation_id=correlation_id)
        )

    async def get_request(self, tenant_id: str, request_id: str) -> RunRequest:
        return await self.database.read(partial(get_request, tenant_id=tenant_id, request_id=request_id))


def admit(conn: sqlite3.Connection, admission: RunAdmission) -> Admitted:
    run, mapping = admission.run, mapping_of(admission.run)
    if admission.replay:
        holder_id = idempotency.claim(conn, mapping)
        if holder_id is not None:
            held = get_run(conn, tenant_id=run.tenant_id, rebalance_run_id=holder_id)
            return Admitted(held, replayed=True)
    else:
        idempotency.move(conn, mapping)
    insert_request(conn, admission.request)
    insert_run(conn, run)
    idempotency.insert_use(conn, use_of(run))
    return Admitted(run, replayed=False)


def admit_batch(conn: sqlite3.Connection, batch: BatchAdmission) -> None:
    insert_request(conn, batch.request)
    for run in batch.runs:
        insert_run(conn, run)


def insert_request(conn: sqlite3.Connection, request: RunRequest) -> None:
    inserted = one(
        conn,
        SQL["insert_request"],
        tenant_id=request.tenant_id,
        request_id=request.request_id,
        request_hash=request.request_hash,
        created_at=text_of(request.created_at),
        body_sha256=digest_of(request.body),
        body=request.body,
    )
    if inserted is None:
        raise RunExists(id=request.request_id)


def insert_run(conn: sqlite3.Connection, run: DpmRun) -> None:
    """Write a run and the edges that lead to it."""
    inserted = one(
        conn,
        SQL["insert_run"],
        tenant_id=run.tenant_id,
        rebalance_run_id=run.rebalance_run_id,
        request_id=run.request_id,
        correlation_id=run.correlation_id,
        idempotency_key=run.idempotency_key,
        request_hash=run.request_hash,
        portfolio_id=run.portfolio_id,
        status=run.status.value,
        engine_version=run.engine_version,
        scenario=run.scenario,
        created_at=text_of(run.created_at),
        result_sha256=digest_of(run.result),
        result=run.result,
    )
    if inserted is None:
        raise RunExists(id=run.rebalance_run_id)
    lineage.insert_edges(conn, run.tenant_id, edges_of(run))


def get_run(conn: sqlite3.Connection, *, tenant_id: str, rebalance_run_id: str) -> DpmRun:
    row = one(conn, SQL["find_run"], tenant_id=tenant_id, rebalance_run_id=rebalance_run_id)
    if row is None:
        raise RunNotFound(rebalance_run_id=rebalance_run_id)
    return run_of(row)


def get_newest_by_correlation(conn: sqlite3.Connection, *, tenant_id: str, correlation_id: str) -> DpmRun:
    row = one(conn, SQL["find_newest_run_by_correlation"], tenant_id=tenant_id, correlation_id=correlation_id)
    if row is None:
        raise RunNotFound(correlation_id=correlation_id)
    return run_of(row)


def get_request(conn: sqlite3.Connection, *, tenant_id: str, request_id: str) -> RunRequest:
    row = one(conn, SQL["find_request"], tenant_id=tenant_id, request_id=request_id)
    if row is None:
        raise RunNotFound(request_id=request_id)
    return RunRequest(
        request_id=row["request_id"],
        tenant_id=row["tenant_id"],
        request_hash=row["request_hash"],
        body=row["body"],
        created_at=instant_of(row["created_at"]),
    )


def run_of(row: sqlite3.Row) -> DpmRun:
    return DpmRun(
        rebalance_run_id=row["rebalance_run_id"],
        tenant_id=row["tenant_id"],
        correlation_id=row["correlation_id"],
        request_hash=row["request_hash"],
        idempotency_key=row["idempotency_key"],
        portfolio_id=row["portfolio_id"],
        status=RunStatus(row["status"]),
        engine_version=row["engine_version"],
        request_id=row["request_id"],
        scenario=row["scenario"],
        created_at=instant_of(row["created_at"]),
        result=row["result"],
    )
