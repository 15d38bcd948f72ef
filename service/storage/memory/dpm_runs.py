"""Runs in memory. No method awaits between its checks and its writes, so each is atomic."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from service.domains.dpm_runs import (
    Admitted,
    BatchAdmission,
    DpmRun,
    RunAdmission,
    RunRequest,
    edges_of,
    mapping_of,
    use_of,
)
from service.errors import IdempotencyKeyConflict, RunExists, RunNotFound
from service.storage.memory import idempotency, lineage
from service.storage.memory.state import State


class MemoryDpmRuns:
    def __init__(self, state: State) -> None:
        self.state = state

    async def admit(self, admission: RunAdmission) -> Admitted:
        state, run, mapping = self.state, admission.run, mapping_of(admission.run)
        state.require_open()
        held = idempotency.find_key(state, mapping) if admission.replay else None
        if held is not None:
            if held.request_hash != run.request_hash:
                raise IdempotencyKeyConflict(key=mapping.idempotency_key)
            return Admitted(state.runs[held.tenant_id, held.rebalance_run_id], replayed=True)
        insert(state, admission.request, [run])
        idempotency.move_key(state, mapping)
        idempotency.insert_use(state, use_of(run))
        return Admitted(run, replayed=False)

    async def admit_batch(self, batch: BatchAdmission) -> None:
        self.state.require_open()
        insert(self.state, batch.request, batch.runs)

    async def get(self, tenant_id: str, rebalance_run_id: str) -> DpmRun:
        self.state.require_open()
        run = self.state.runs.get((tenant_id, rebalance_run_id))
        if run is None:
            raise RunNotFound(rebalance_run_id=rebalance_run_id)
        return run

    async def get_newest_by_correlation(self, tenant_id: str, correlation_id: str) -> DpmRun:
        self.state.require_open()
        run = self.state.newest_by_correlation.get((tenant_id, correlation_id))
        if run is None:
            raise RunNotFound(correlation_id=correlation_id)
        return run

    async def get_request(self, tenant_id: str, request_id: str) -> RunRequest:
        self.state.require_open()
        request = self.state.requests.get((tenant_id, request_id))
        if request is None:
            raise RunNotFound(request_id=request_id)
        return request


def insert(state: State, request: RunRequest, runs: Sequence[DpmRun]) -> None:
    """Write a request and its runs with their edges; all ids are checked before anything is written."""
    if (request.tenant_id, request.request_id) in state.requests:
        raise RunExists(id=request.request_id)
    drawn: set[str] = set()
    for run in runs:
        if run.rebalance_run_id in drawn or (run.tenant_id, run.rebalance_run_id) in state.runs:
            raise RunExists(id=run.rebalance_run_id)
        drawn.add(run.rebalance_run_id)
    state.requests[request.tenant_id, request.request_id] = request
    for run in runs:
        insert_run(state, run)
        lineage.insert_edges(state, run.tenant_id, edges_of(run))


def insert_run(state: State, run: DpmRun) -> None:
    state.runs[run.tenant_id, run.rebalance_run_id] = run
    newest = state.newest_by_correlation.get((run.tenant_id, run.correlation_id))
    if newest is None or age_of(newest) < age_of(run):
        state.newest_by_correlation[run.tenant_id, run.correlation_id] = run


def age_of(run: DpmRun) -> tuple[datetime, str]:
    return (run.created_at, run.rebalance_run_id)
