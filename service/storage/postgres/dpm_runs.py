"""Runs in PostgreSQL. Functions that take `conn` run inside the caller's transaction and never begin one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import asyncpg

from service.domains.dpm_runs.artifacts import Artifact, edge_of_artifact
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
from service.domains.idempotency import KeyScope
from service.domains.lineage import Edge
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import EARLIEST, LATEST, Page, empty_page, page_of
from service.errors.dpm_runs import RunExists, RunNotFound
from service.storage.digests import digests_of
from service.storage.postgres import artifacts, idempotency, lineage
from service.storage.postgres.database import Database
from service.storage.postgres.run_rows import head_of, request_of, row_of, run_of, sealed_of
from service.storage.postgres.statements import Connection, every, many, one
from service.storage.queries import load
from service.storage.texts import require_storable

SQL = load("postgres", "dpm_runs")

# A held run can be removed before we read it; its key is free then.
ADMISSIONS_MAX = 3


class PostgresDpmRuns:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def admit(self, admission: RecordRun, cutoff: RetentionCutoff) -> Recorded:
        async with self.database.act() as conn:
            return await admit(conn, admission, cutoff)

    async def admit_batch(self, batch: RecordBatch) -> None:
        async with self.database.act() as conn:
            await admit_batch(conn, batch)

    async def admit_replay(self, replay: RecordReplay, cutoff: RetentionCutoff) -> None:
        async with self.database.act() as conn:
            await admit_replay(conn, replay, cutoff)

    async def get(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> DpmRun:
        async with self.database.look() as conn:
            return await get_run(conn, tenant_id, rebalance_run_id, cutoff)

    async def get_head(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> RunSummary:
        async with self.database.look() as conn:
            return await get_head(conn, tenant_id, rebalance_run_id, cutoff)

    async def get_sealed(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> StoredRun:
        async with self.database.look() as conn:
            row = await one(
                conn,
                SQL["find_sealed_run"],
                tenant_id=tenant_id,
                rebalance_run_id=rebalance_run_id,
                runs_since=cutoff.runs_since,
            )
        if row is None:
            raise RunNotFound(rebalance_run_id=rebalance_run_id)
        return sealed_of(row)

    async def get_newest_by_correlation(
        self, tenant_id: str, correlation_id: str, cutoff: RetentionCutoff
    ) -> DpmRun:
        async with self.database.look() as conn:
            query = "find_newest_run_by_correlation"
            return await get_one(conn, query, cutoff, tenant_id=tenant_id, correlation_id=correlation_id)

    async def get_newest_by_request_hash(
        self, tenant_id: str, request_hash: str, cutoff: RetentionCutoff
    ) -> DpmRun:
        async with self.database.look() as conn:
            query = "find_newest_run_by_request_hash"
            return await get_one(conn, query, cutoff, tenant_id=tenant_id, request_hash=request_hash)

    async def get_request(self, tenant_id: str, request_id: str) -> RunRequest:
        async with self.database.look() as conn:
            row = await one(conn, SQL["find_request"], tenant_id=tenant_id, request_id=request_id)
        if row is None:
            raise RunNotFound(request_id=request_id)
        return request_of(row)

    async def list(
        self, tenant_id: str, runs: RunFilter, *, limit: int, cursor: str | None, cutoff: RetentionCutoff
    ) -> Page[RunSummary]:
        async with self.database.look() as conn:
            before_at, before_id = LATEST, ""
            if cursor is not None:
                last = await find_head(conn, tenant_id, cursor, cutoff)
                if last is None or not runs.matches(last):
                    return empty_page()
                before_at, before_id = last.created_at, last.rebalance_run_id
            name, values = listing_of(runs)
            rows = await every(
                conn,
                SQL[name],
                tenant_id=tenant_id,
                created_from=max(runs.created_from or EARLIEST, cutoff.runs_since),
                created_to=runs.created_to or LATEST,
                before_at=before_at,
                before_id=before_id,
                limit=limit + 1,
                **values,
            )
        return page_of([head_of(row) for row in rows], limit, lambda head: head.rebalance_run_id)

    async def list_by_cause(
        self, tenant_id: str, cause_id: str, cutoff: RetentionCutoff
    ) -> tuple[RunSummary, ...]:
        async with self.database.look() as conn:
            rows = await every(
                conn,
                SQL["list_runs_by_cause"],
                tenant_id=tenant_id,
                cause_id=cause_id,
                runs_since=cutoff.runs_since,
            )
        return tuple(head_of(row) for row in rows)

    async def find_newest_batch(
        self, tenant_id: str, correlation_id: str, cutoff: RetentionCutoff
    ) -> str | None:
        async with self.database.look() as conn:
            row = await one(
                conn,
                SQL["find_newest_batch"],
                tenant_id=tenant_id,
                correlation_id=correlation_id,
                runs_since=cutoff.runs_since,
            )
        return None if row is None else str(row["request_id"])


def listing_of(runs: RunFilter) -> tuple[str, dict[str, str | None]]:
    """The query that walks the index of the narrowest filter given, and the values of its filters."""
    filters = {"request_hash": runs.request_hash, "portfolio_id": runs.portfolio_id, "status": runs.status}
    if runs.request_hash is not None:
        return "list_runs_by_request_hash", filters
    del filters["request_hash"]
    if runs.portfolio_id is not None:
        return "list_runs_by_portfolio", filters
    del filters["portfolio_id"]
    return ("list_runs_by_status", filters) if runs.status is not None else ("list_runs", {})


async def admit(conn: Connection, admission: RecordRun, cutoff: RetentionCutoff) -> Recorded:
    require_storable(admission.run, admission.request)
    run, mapping = admission.run, mapping_of(admission.run)
    if admission.replay:
        if await admit_at_once(conn, admission):
            return Recorded(run, replayed=False)
        for _ in range(ADMISSIONS_MAX):
            holder_id = await idempotency.claim(conn, mapping, cutoff)
            if holder_id is None:
                break
            with suppress(RunNotFound):
                held = await get_run(conn, run.tenant_id, holder_id, cutoff)
                return Recorded(held, replayed=True)
        else:
            raise AssertionError("a key that keeps standing for no run")
    else:
        await idempotency.move(conn, mapping)
    await insert_request(conn, admission.request)
    kept = [] if admission.artifact is None else [admission.artifact]
    await insert_runs(conn, [run], admission.edges, kept)
    await idempotency.insert_use(conn, use_of(run))
    return Recorded(run, replayed=False)


async def admit_at_once(conn: Connection, admission: RecordRun) -> bool:
    """Record a run under a key that nobody has; False, and nothing written, when somebody has it."""
    run, artifact = admission.run, admission.artifact
    edges = [*admission.edges, *([edge_of_artifact(artifact)] if artifact else [])]
    result_sha256, body_sha256 = await digests_of(run.result, admission.request.body)
    row = row_of(run, result_sha256)
    del row["scenario"]
    outcome = await one(
        conn,
        SQL["admit_run"],
        **row,
        family=KeyScope.DPM_SIMULATE.value,
        body_sha256=body_sha256,
        body=admission.request.body,
        edges=lineage.text_of(edges),
    )
    assert outcome is not None, "an outcome is a row"
    if outcome["claimed"] and not outcome["recorded"]:
        raise RunExists(id=run.rebalance_run_id)
    if outcome["claimed"] and artifact:
        await artifacts.insert_artifacts(conn, [artifact])
    return bool(outcome["claimed"])


async def admit_batch(conn: Connection, batch: RecordBatch) -> None:
    require_storable(batch.request, *batch.runs)
    await insert_request(conn, batch.request)
    await insert_runs(conn, batch.runs, batch.edges, batch.artifacts)


async def admit_replay(conn: Connection, replay: RecordReplay, cutoff: RetentionCutoff) -> None:
    require_storable(replay.run)
    run = replay.run
    await get_head(conn, run.tenant_id, replay.original_id, cutoff)
    kept = [] if replay.artifact is None else [replay.artifact]
    try:
        await insert_runs(conn, [run], replay.edges, kept)
    except asyncpg.ForeignKeyViolationError:
        # The request went with the original, after we had seen it.
        raise RunNotFound(rebalance_run_id=replay.original_id) from None


async def insert_request(conn: Connection, request: RunRequest) -> None:
    (body_sha256,) = await digests_of(request.body)
    inserted = await one(
        conn,
        SQL["insert_request"],
        tenant_id=request.tenant_id,
        request_id=request.request_id,
        request_hash=request.request_hash,
        created_at=request.created_at,
        correlation_id=request.correlation_id,
        body_sha256=body_sha256,
        body=request.body,
    )
    if inserted is None:
        raise RunExists(id=request.request_id)


async def insert_runs(
    conn: Connection, runs: Sequence[DpmRun], edges: Sequence[Edge], kept: Sequence[Artifact]
) -> None:
    """Write runs with their artifacts and edges, each table in one trip."""
    if not runs:
        return
    digests = await digests_of(*[run.result for run in runs])
    rows = [row_of(run, digest) for run, digest in zip(runs, digests, strict=True)]
    inserted = await many(conn, SQL["insert_run"], rows)
    if len(inserted) < len(runs):
        raise RunExists(id=runs[0].request_id)
    if kept:
        await artifacts.insert_artifacts(conn, list(kept))
    edges = [*edges, *map(edge_of_artifact, kept)]
    await lineage.insert_edges(conn, runs[0].tenant_id, edges)


async def get_run(conn: Connection, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> DpmRun:
    return await get_one(conn, "find_run", cutoff, tenant_id=tenant_id, rebalance_run_id=rebalance_run_id)


async def get_one(conn: Connection, query: str, cutoff: RetentionCutoff, **named: str) -> DpmRun:
    row = await one(conn, SQL[query], runs_since=cutoff.runs_since, **named)
    if row is None:
        raise RunNotFound(**named)
    return run_of(row)


async def get_head(
    conn: Connection, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff
) -> RunSummary:
    head = await find_head(conn, tenant_id, rebalance_run_id, cutoff)
    if head is None:
        raise RunNotFound(rebalance_run_id=rebalance_run_id)
    return head


async def find_head(
    conn: Connection, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff
) -> RunSummary | None:
    row = await one(
        conn,
        SQL["find_run_head"],
        tenant_id=tenant_id,
        rebalance_run_id=rebalance_run_id,
        runs_since=cutoff.runs_since,
    )
    return None if row is None else head_of(row)
