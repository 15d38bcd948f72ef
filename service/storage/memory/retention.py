"""Removal of what has expired from memory, and the records of it."""

from __future__ import annotations

from itertools import islice

from service.domains.retention.deletions import DeletedRows, DeletionBatch, DeletionRecord
from service.storage.memory import idempotency, idempotent_answers, lineage, workflow_decisions
from service.storage.memory.dpm_runs import artifacts, runs
from service.storage.memory.operations import moves
from service.storage.memory.tables.state import State


class MemoryRetention:
    def __init__(self, state: State) -> None:
        self.state = state

    async def remove(self, purge: DeletionBatch) -> DeletedRows | None:
        self.state.require_open()
        removed = remove_expired(self.state, purge)
        if removed.anything:
            record = DeletionRecord(purge.purge_id, purge.tenant_id, purge.purged_at, purge.cutoff, removed)
            self.state.deletion_records[purge.tenant_id, purge.purge_id] = record
            self.state.purges_by_time.put((purge.tenant_id,), (purge.purged_at, purge.purge_id))
        return removed

    async def list_records(self, tenant_id: str, *, limit: int) -> tuple[DeletionRecord, ...]:
        self.state.require_open()
        places = islice(self.state.purges_by_time.backward((tenant_id,)), limit)
        return tuple(self.state.deletion_records[tenant_id, purge_id] for _, purge_id in places)


def remove_expired(state: State, purge: DeletionBatch) -> DeletedRows:
    """Remove the oldest runs and operations of all that expired, and what belongs to them."""
    tenant_id, cutoff = purge.tenant_id, purge.cutoff
    expired_runs = state.runs_by_creation.older_than(
        (tenant_id,), cutoff.runs_since, purge.runs_skipped + purge.runs_limit
    )
    run_ids = [run_id for _, run_id in expired_runs[purge.runs_skipped :]]
    ended = state.operations_by_end.older_than(
        (tenant_id,), cutoff.operations_since, purge.operations_skipped + purge.operations_limit
    )
    operation_ids = [operation_id for _, operation_id in ended[purge.operations_skipped :]]
    return remove_rows(state, tenant_id, run_ids, operation_ids)


def remove_rows(state: State, tenant_id: str, run_ids: list[str], operation_ids: list[str]) -> DeletedRows:
    """Remove runs and operations, and what belongs to them."""
    edges = [
        *(lineage.edges_of_run(state, tenant_id, run_id) for run_id in run_ids),
        *(lineage.edges_of_operation(state, tenant_id, operation_id) for operation_id in operation_ids),
    ]
    # The key of a run is found by its use, and a request goes when its last run has gone.
    keys = sum(idempotency.remove_key(state, tenant_id, run_id) for run_id in run_ids)
    keys += sum(
        idempotent_answers.remove_answers(state, tenant_id, entity_id)
        for entity_id in (*run_ids, *operation_ids)
    )
    uses = sum(idempotency.remove_use(state, tenant_id, run_id) for run_id in run_ids)
    requests = runs.remove_runs(state, tenant_id, run_ids)
    for operation_id in operation_ids:
        moves.remove_operation(state, tenant_id, operation_id)
    return DeletedRows(
        runs=len(run_ids),
        requests=requests,
        artifacts=sum(artifacts.remove_artifact(state, tenant_id, run_id) for run_id in run_ids),
        decisions=sum(workflow_decisions.remove_decisions(state, tenant_id, run_id) for run_id in run_ids),
        keys=keys,
        uses=uses,
        edges=sum(lineage.remove_edges(state, tenant_id, brought) for brought in edges),
        operations=len(operation_ids),
    )
