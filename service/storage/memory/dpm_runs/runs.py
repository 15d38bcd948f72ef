"""Runs in memory. No method awaits between its checks and its writes, so each is atomic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from service.domains.dpm_runs.artifacts import Artifact
from service.domains.dpm_runs.supportability import Subject
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
    summary_of,
    use_of,
)
from service.domains.lineage import EdgeType
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.canonical import digest_of
from service.domains.values.pages import EARLIEST, LATEST, Page, empty_page, page_of
from service.errors.dpm_runs import RunExists, RunNotFound
from service.storage.digests import digests_ahead
from service.storage.memory import idempotency, lineage
from service.storage.memory.dpm_runs import artifacts
from service.storage.memory.tables.collector import hide
from service.storage.memory.tables.sorted_index import Place, ShelfKey, SortedIndex
from service.storage.memory.tables.state import KeptRequest, KeptRun, State
from service.storage.texts import require_storable


class MemoryDpmRuns:
    def __init__(self, state: State) -> None:
        self.state = state

    async def admit(self, admission: RecordRun, cutoff: RetentionCutoff) -> Recorded:
        state, run, mapping = self.state, admission.run, mapping_of(admission.run)
        state.require_open()
        body_sha256, result_sha256 = await digests_ahead(admission.request.body, run.result)
        state.require_open()
        require_storable(admission.request, run)
        held = None
        if admission.replay:
            held = idempotency.find_key(
                state, mapping.tenant_id, mapping.family, mapping.idempotency_key, cutoff
            )
        if held is not None:
            held.require_same(mapping.request_hash, mapping.policy_hash)
            return Recorded(state.runs[held.tenant_id, held.rebalance_run_id].run, replayed=True)
        require_free(state, [run], admission.request)
        insert_request(state, admission.request, body_sha256)
        insert_run(state, run, result_sha256)
        lineage.insert_edges(state, run.tenant_id, admission.edges)
        insert_artifacts(state, admission.artifact)
        idempotency.move_key(state, mapping)
        idempotency.insert_use(state, use_of(run))
        state.trim("runs", run.tenant_id)
        return Recorded(run, replayed=False)

    async def admit_batch(self, batch: RecordBatch) -> None:
        self.state.require_open()
        digests = await digests_of_batch(batch)
        self.state.require_open()
        require_free(self.state, batch.runs, batch.request)
        insert_batch(self.state, batch, digests)

    async def admit_replay(self, replay: RecordReplay, cutoff: RetentionCutoff) -> None:
        state, run = self.state, replay.run
        state.require_open()
        (result_sha256,) = await digests_ahead(run.result)
        state.require_open()
        require_storable(run)
        original = get_run(state, run.tenant_id, replay.original_id, cutoff).run
        assert run.request_id == original.request_id, (run.request_id, original.request_id)
        require_free(state, [run])
        insert_run(state, run, result_sha256)
        lineage.insert_edges(state, run.tenant_id, replay.edges)
        insert_artifacts(state, replay.artifact)
        state.trim("runs", run.tenant_id)

    async def get(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> DpmRun:
        self.state.require_open()
        return get_run(self.state, tenant_id, rebalance_run_id, cutoff).run

    async def get_head(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> RunSummary:
        self.state.require_open()
        return get_run(self.state, tenant_id, rebalance_run_id, cutoff).head

    async def get_sealed(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> StoredRun:
        self.state.require_open()
        held = get_run(self.state, tenant_id, rebalance_run_id, cutoff)
        asked = self.state.requests[tenant_id, held.run.request_id]
        return StoredRun(held.run, held.result_sha256, asked.request, asked.body_sha256)

    async def get_newest_by_correlation(
        self, tenant_id: str, correlation_id: str, cutoff: RetentionCutoff
    ) -> DpmRun:
        self.state.require_open()
        places = self.state.runs_by_correlation.backward((tenant_id, correlation_id), first=cutoff.runs_since)
        for _, run_id in places:
            return self.state.runs[tenant_id, run_id].run
        raise RunNotFound(correlation_id=correlation_id)

    async def get_newest_by_request_hash(
        self, tenant_id: str, request_hash: str, cutoff: RetentionCutoff
    ) -> DpmRun:
        self.state.require_open()
        places = self.state.runs_by_request_hash.backward((tenant_id, request_hash), first=cutoff.runs_since)
        for _, run_id in places:
            return self.state.runs[tenant_id, run_id].run
        raise RunNotFound(request_hash=request_hash)

    async def get_request(self, tenant_id: str, request_id: str) -> RunRequest:
        self.state.require_open()
        held = self.state.requests.get((tenant_id, request_id))
        if held is None:
            raise RunNotFound(request_id=request_id)
        return held.request

    async def list(
        self, tenant_id: str, runs: RunFilter, *, limit: int, cursor: str | None, cutoff: RetentionCutoff
    ) -> Page[RunSummary]:
        state = self.state
        state.require_open()
        before = None
        if cursor is not None:
            held = state.runs.get((tenant_id, cursor))
            if held is None or not is_there(held, cutoff) or not runs.matches(held.head, held.policy_pack_id):
                return empty_page()
            before = held.place
        shelves, shelf = shelf_for(state, tenant_id, runs)
        places = shelves.backward(
            shelf,
            first=max(runs.created_from or EARLIEST, cutoff.runs_since),
            last=runs.created_to or LATEST,
            before=before,
        )
        kept, matches = state.runs, runs.matches
        rows = (
            held.head
            for _, run_id in places
            if matches((held := kept[tenant_id, run_id]).head, held.policy_pack_id)
        )
        return page_of(list(islice(rows, limit + 1)), limit, lambda run: run.rebalance_run_id)

    async def list_by_cause(
        self, tenant_id: str, cause_id: str, cutoff: RetentionCutoff
    ) -> tuple[RunSummary, ...]:
        self.state.require_open()
        caused = [
            self.state.runs[tenant_id, edge.source_entity_id]
            for edge in lineage.edges_at(self.state, tenant_id, cause_id)
            if edge.target_entity_id == cause_id and edge.edge_type is EdgeType.CAUSED_BY
        ]
        heads = (held.head for held in caused if is_there(held, cutoff))
        return tuple(sorted(heads, key=lambda run: (run.scenario or "", run.rebalance_run_id)))

    async def find_newest_batch(
        self, tenant_id: str, correlation_id: str, cutoff: RetentionCutoff
    ) -> str | None:
        self.state.require_open()
        places = self.state.batches_by_correlation.backward(
            (tenant_id, correlation_id), first=cutoff.runs_since
        )
        return next((request_id for _, request_id in places), None)


def get_run(state: State, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> KeptRun:
    held = state.runs.get((tenant_id, rebalance_run_id))
    if held is None or not is_there(held, cutoff):
        raise RunNotFound(rebalance_run_id=rebalance_run_id)
    return held


def is_there(held: KeptRun, cutoff: RetentionCutoff) -> bool:
    return held.created_at >= cutoff.runs_since


def shelf_for(state: State, tenant_id: str, runs: RunFilter) -> tuple[SortedIndex[Place], ShelfKey]:
    """The shortest shelf with all runs that a filter lets through."""
    if runs.request_hash is not None:
        return state.runs_by_request_hash, (tenant_id, runs.request_hash)
    return state.runs_by_creation, (tenant_id,)


def require_free(state: State, runs: Sequence[DpmRun], request: RunRequest | None = None) -> None:
    """Raises RunExists when an id is taken, StoreRefused for a text; asked before anything is written."""
    require_storable(request, *runs)
    if request is not None and (request.tenant_id, request.request_id) in state.requests:
        raise RunExists(id=request.request_id)
    drawn: set[str] = set()
    for run in runs:
        if run.rebalance_run_id in drawn or (run.tenant_id, run.rebalance_run_id) in state.runs:
            raise RunExists(id=run.rebalance_run_id)
        drawn.add(run.rebalance_run_id)


async def digests_of_batch(batch: RecordBatch) -> Sequence[str | None]:
    """That of its request, then those of its results."""
    return await digests_ahead(batch.request.body, *[run.result for run in batch.runs])


def insert_batch(state: State, batch: RecordBatch, digests: Sequence[str | None]) -> None:
    """Write a batch whose ids are free, with its digests."""
    body_sha256, *result_digests = digests
    insert_request(state, batch.request, body_sha256)
    for run, result_sha256 in zip(batch.runs, result_digests, strict=True):
        insert_run(state, run, result_sha256)
    lineage.insert_edges(state, batch.request.tenant_id, batch.edges)
    insert_artifacts(state, *batch.artifacts)
    state.trim("runs", batch.request.tenant_id)


def insert_request(state: State, request: RunRequest, body_sha256: str | None) -> None:
    kept = KeptRequest(request, body_sha256 or digest_of(request.body))
    hide(kept)
    state.requests[request.tenant_id, request.request_id] = kept
    if request.correlation_id is not None:
        state.batches_by_correlation.put((request.tenant_id, request.correlation_id), kept.place)


def insert_run(state: State, run: DpmRun, result_sha256: str | None) -> None:
    kept = KeptRun(run, summary_of(run), run.policy_pack_id, result_sha256 or digest_of(run.result))
    hide(kept)
    state.runs[run.tenant_id, run.rebalance_run_id] = kept
    for shelves, shelf in shelves_of(state, run):
        shelves.put(shelf, kept.place)
    state.tally(run.tenant_id, Subject.RUN_STATUS, run.status.value, 1)


def insert_artifacts(state: State, *given: Artifact | None) -> None:
    """Write the artifacts that are kept beside their runs."""
    for artifact in given:
        if artifact is not None:
            artifacts.insert_artifact(state, artifact)


def remove_runs(state: State, tenant_id: str, run_ids: Iterable[str]) -> int:
    """Remove runs, and the requests that no run is left of; tells how many requests."""
    removed = [state.runs.pop((tenant_id, run_id)) for run_id in run_ids]
    for held in removed:
        for shelves, shelf in shelves_of(state, held.run):
            shelves.take(shelf, held.place)
        state.tally(tenant_id, Subject.RUN_STATUS, held.run.status.value, -1)
    asked = {held.run.request_id for held in removed}
    left_alone = [request_id for request_id in asked if (tenant_id, request_id) not in state.runs_by_request]
    for request_id in left_alone:
        remove_request(state, tenant_id, request_id)
    return len(left_alone)


def remove_request(state: State, tenant_id: str, request_id: str) -> None:
    kept = state.requests.pop((tenant_id, request_id))
    if kept.request.correlation_id is not None:
        state.batches_by_correlation.take((tenant_id, kept.request.correlation_id), kept.place)


def shelves_of(state: State, run: DpmRun) -> tuple[tuple[SortedIndex[Place], ShelfKey], ...]:
    """Every shelf that a run stands on."""
    return (
        (state.runs_by_creation, (run.tenant_id,)),
        (state.runs_by_correlation, (run.tenant_id, run.correlation_id)),
        (state.runs_by_request_hash, (run.tenant_id, run.request_hash)),
        (state.runs_by_request, (run.tenant_id, run.request_id)),
    )
