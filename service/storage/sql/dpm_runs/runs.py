"""Runs in SQL; digests of what is stored are made before an act, those of large texts in a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

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
from service.domains.lineage import Edge
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import EARLIEST, LATEST, Page
from service.errors.dpm_runs import RunExists, RunNotFound
from service.storage.digests import digests_of
from service.storage.sql import idempotency, lineage
from service.storage.sql.acts import Act, ReferenceMissing, SqlDatabase, every, many, one
from service.storage.sql.dpm_runs import artifacts
from service.storage.sql.dpm_runs.rows import head_of, request_of, row_of, row_of_request, run_of, sealed_of
from service.storage.sql.listing import Listing
from service.storage.texts import require_storable

NOUN = "dpm_runs"

# A run that holds a key can be removed before we read it; its key is free then.
RECORDS_MAX = 3

# Records a run under a free key, or tells that the key is taken and writes nothing.
RecordFresh = Callable[[RecordRun, Sequence[str]], Act[bool]]


class SqlDpmRuns:
    """`record_fresh` is how a dialect records a run under a free key, where it knows a shorter way."""

    def __init__(self, database: SqlDatabase, record_fresh: RecordFresh | None = None) -> None:
        self.database = database
        self.record_fresh = record_fresh

    async def admit(self, admission: RecordRun, cutoff: RetentionCutoff) -> Recorded:
        digests = await digests_of(admission.request.body, admission.run.result)
        return await self.database.write(record, admission, cutoff, digests, self.record_fresh)

    async def admit_batch(self, batch: RecordBatch) -> None:
        await self.database.write(record_batch, batch, await digests_of_batch(batch))

    async def admit_replay(self, replay: RecordReplay, cutoff: RetentionCutoff) -> None:
        await self.database.write(record_replay, replay, cutoff, await digests_of(replay.run.result))

    async def get(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> DpmRun:
        return await self.database.read(get_run, tenant_id, rebalance_run_id, cutoff)

    async def get_head(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> RunSummary:
        return await self.database.read(get_head, tenant_id, rebalance_run_id, cutoff)

    async def get_sealed(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> StoredRun:
        return await self.database.read(get_sealed, tenant_id, rebalance_run_id, cutoff)

    async def get_newest_by_correlation(
        self, tenant_id: str, correlation_id: str, cutoff: RetentionCutoff
    ) -> DpmRun:
        query = "find_newest_run_by_correlation"
        named = {"tenant_id": tenant_id, "correlation_id": correlation_id}
        return await self.database.read(get_one, query, cutoff, **named)

    async def get_newest_by_request_hash(
        self, tenant_id: str, request_hash: str, cutoff: RetentionCutoff
    ) -> DpmRun:
        query = "find_newest_run_by_request_hash"
        named = {"tenant_id": tenant_id, "request_hash": request_hash}
        return await self.database.read(get_one, query, cutoff, **named)

    async def get_request(self, tenant_id: str, request_id: str) -> RunRequest:
        return await self.database.read(get_request, tenant_id, request_id)

    async def list(
        self, tenant_id: str, runs: RunFilter, *, limit: int, cursor: str | None, cutoff: RetentionCutoff
    ) -> Page[RunSummary]:
        return await self.database.read(
            RUNS.page,
            filters={name: getattr(runs, name) for name in RUNS.queries if name is not None},
            matches=lambda row: runs.matches(head_of(row), row["policy_pack_id"]),
            cursor=cursor,
            limit=limit,
            found={"tenant_id": tenant_id, "runs_since": cutoff.runs_since},
            bounds={
                "created_from": max(runs.created_from or EARLIEST, cutoff.runs_since),
                "created_to": runs.created_to or LATEST,
            },
        )

    async def list_by_cause(
        self, tenant_id: str, cause_id: str, cutoff: RetentionCutoff
    ) -> tuple[RunSummary, ...]:
        named = {"tenant_id": tenant_id, "cause_id": cause_id}
        rows = await self.database.read(
            every, NOUN, "list_runs_by_cause", **named, runs_since=cutoff.runs_since
        )
        return tuple(head_of(row) for row in rows)

    async def find_newest_batch(
        self, tenant_id: str, correlation_id: str, cutoff: RetentionCutoff
    ) -> str | None:
        named = {"tenant_id": tenant_id, "correlation_id": correlation_id}
        row = await self.database.read(one, NOUN, "find_newest_batch", **named, runs_since=cutoff.runs_since)
        return None if row is None else str(row["request_id"])


async def digests_of_batch(batch: RecordBatch) -> list[str]:
    """Of the body of the request and of the result of each run."""
    return await digests_of(batch.request.body, *[run.result for run in batch.runs])


def record(
    admission: RecordRun,
    cutoff: RetentionCutoff,
    digests: Sequence[str],
    record_fresh: RecordFresh | None,
) -> Act[Recorded]:
    """`digests` are those of the request and of the result."""
    require_storable(admission.run, admission.request)
    run, mapping = admission.run, mapping_of(admission.run)
    if admission.replay:
        if record_fresh is not None and (yield from record_fresh(admission, digests)):
            return Recorded(run, replayed=False)
        for _ in range(RECORDS_MAX):
            holder_id = yield from idempotency.claim(mapping, cutoff)
            if holder_id is None:
                break
            with suppress(RunNotFound):
                held = yield from get_run(run.tenant_id, holder_id, cutoff)
                return Recorded(held, replayed=True)
        else:
            raise AssertionError("a key that keeps standing for no run")
    else:
        yield from idempotency.move(mapping)
    body_sha256, result_sha256 = digests
    yield from insert_request(admission.request, body_sha256)
    kept = [] if admission.artifact is None else [admission.artifact]
    yield from insert_runs([run], [result_sha256], admission.edges, kept)
    yield from idempotency.insert_use(use_of(run))
    return Recorded(run, replayed=False)


def record_batch(batch: RecordBatch, digests: Sequence[str]) -> Act[None]:
    """Keep a request and its runs; `digests` are as of digests_of_batch. Raises RunExists."""
    require_storable(batch.request, *batch.runs)
    body_sha256, *results_sha256 = digests
    yield from insert_request(batch.request, body_sha256)
    yield from insert_runs(batch.runs, results_sha256, batch.edges, batch.artifacts)


def record_replay(replay: RecordReplay, cutoff: RetentionCutoff, digests: Sequence[str]) -> Act[None]:
    require_storable(replay.run)
    run = replay.run
    yield from get_head(run.tenant_id, replay.original_id, cutoff)
    kept = [] if replay.artifact is None else [replay.artifact]
    try:
        yield from insert_runs([run], digests, replay.edges, kept)
    except ReferenceMissing:
        # The request went with the original, after we had seen it.
        raise RunNotFound(rebalance_run_id=replay.original_id) from None


def insert_request(request: RunRequest, body_sha256: str) -> Act[None]:
    if (yield from one(NOUN, "insert_request", **row_of_request(request, body_sha256))) is None:
        raise RunExists(id=request.request_id)


def insert_runs(
    runs: Sequence[DpmRun], digests: Sequence[str], edges: Sequence[Edge], kept: Sequence[Artifact]
) -> Act[None]:
    """Write runs with their artifacts and edges, each table in one trip."""
    if not runs:
        return
    inserted = yield from many(NOUN, "insert_run", map(row_of, runs, digests))
    if len(inserted) < len(runs):
        raise RunExists(id=runs[0].request_id)
    if kept:
        yield from artifacts.insert_artifacts(kept)
    yield from lineage.insert_edges(runs[0].tenant_id, [*edges, *map(edge_of_artifact, kept)])


def get_run(tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> Act[DpmRun]:
    named = {"tenant_id": tenant_id, "rebalance_run_id": rebalance_run_id}
    return (yield from get_one("find_run", cutoff, **named))


def get_one(query: str, cutoff: RetentionCutoff, **named: str) -> Act[DpmRun]:
    row = yield from one(NOUN, query, runs_since=cutoff.runs_since, **named)
    if row is None:
        raise RunNotFound(**named)
    return run_of(row)


def get_sealed(tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> Act[StoredRun]:
    named = {"tenant_id": tenant_id, "rebalance_run_id": rebalance_run_id}
    row = yield from one(NOUN, "find_sealed_run", runs_since=cutoff.runs_since, **named)
    if row is None:
        raise RunNotFound(rebalance_run_id=rebalance_run_id)
    return sealed_of(row)


def get_head(tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> Act[RunSummary]:
    named = {"tenant_id": tenant_id, "rebalance_run_id": rebalance_run_id}
    row = yield from one(NOUN, "find_run_head", **named, runs_since=cutoff.runs_since)
    if row is None:
        raise RunNotFound(rebalance_run_id=rebalance_run_id)
    return head_of(row)


def get_request(tenant_id: str, request_id: str) -> Act[RunRequest]:
    row = yield from one(NOUN, "find_request", tenant_id=tenant_id, request_id=request_id)
    if row is None:
        raise RunNotFound(request_id=request_id)
    return request_of(row)


# From the filter that leaves the fewest rows to the one that leaves the most.
RUNS = Listing(
    noun=NOUN,
    queries={
        "request_hash": "list_runs_by_request_hash",
        "portfolio_id": "list_runs_by_portfolio",
        "policy_pack_id": "list_runs_by_policy_pack",
        "status": "list_runs_by_status",
        None: "list_runs",
    },
    find="find_run_head",
    id_name="rebalance_run_id",
    read=head_of,
    place=lambda head: (head.created_at, head.rebalance_run_id),
    only_found=frozenset({"runs_since"}),
)
