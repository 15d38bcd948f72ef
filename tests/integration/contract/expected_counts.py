"""What a test has had a store keep, counted again by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from service.domains.dpm_runs.artifacts import Artifact, edge_of_artifact
from service.domains.dpm_runs.supportability import Bounds, Subject, Summary
from service.domains.dpm_runs.values import (
    DEFAULT_TENANT,
    DpmRun,
    RecordBatch,
    RecordReplay,
    RecordRun,
    edges_of,
)
from service.domains.lineage import Edge, OwnerKind
from service.domains.operations import (
    Claim,
    Ending,
    Lease,
    Operation,
    OperationStatus,
    Reaped,
    edge_of_operation,
)
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.domains.workflow_decisions import ReviewAction, WorkflowDecision
from service.storage.ports.store import Store
from tests.integration.contract.builders import REVIEWED


@dataclass(slots=True)
class Ledger:
    """Does an act on a store and notes what the act is to leave there."""

    store: Store
    runs: dict[str, DpmRun] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    decisions: list[WorkflowDecision] = field(default_factory=list)
    operations: dict[str, Operation] = field(default_factory=dict)

    async def admit(self, admission: RecordRun) -> DpmRun:
        await self.store.dpm_runs.admit(admission, KEEP_ALL)
        self._note(admission.run, admission.artifact)
        return admission.run

    async def admit_batch(self, batch: RecordBatch) -> tuple[DpmRun, ...]:
        await self.store.dpm_runs.admit_batch(batch)
        self._note_batch(batch)
        return batch.runs

    async def admit_replay(self, replay: RecordReplay) -> DpmRun:
        await self.store.dpm_runs.admit_replay(replay, KEEP_ALL)
        self._note(replay.run, replay.artifact, original_id=replay.original_id)
        return replay.run

    async def keep(self, artifact: Artifact) -> None:
        await self.store.artifacts.keep(artifact)
        self.edges.append(edge_of_artifact(artifact))

    async def decide(self, verdict: ReviewAction) -> None:
        _, decision = await self.store.workflow_decisions.decide(verdict, REVIEWED, KEEP_ALL)
        self.decisions.append(decision)

    async def submit(self, operation: Operation) -> Operation:
        await self.store.operations.submit(operation)
        self.operations[operation.operation_id] = operation
        self.edges.append(edge_of_operation(operation))
        return operation

    async def claim(self, operation: Operation, lease: Lease) -> Claim:
        claim = await self.store.operations.claim(operation.tenant_id, operation.operation_id, lease)
        self.operations[operation.operation_id] = claim.operation
        return claim

    async def finish(self, claim: Claim, ending: Ending) -> None:
        await self.store.operations.finish(claim, ending)
        self._move(
            claim.operation.operation_id,
            status=ending.status,
            finished_at=ending.finished_at,
        )
        if isinstance(ending.effect, RecordBatch):
            self._note_batch(ending.effect)

    async def release(self, claim: Claim, lease: Lease) -> None:
        await self.store.operations.release(claim, lease)
        self._move(claim.operation.operation_id, status=OperationStatus.PENDING)

    async def reap(self, now: datetime, attempts_max: int) -> Reaped:
        reaped = await self.store.operations.reap(
            DEFAULT_TENANT, now=now, attempts_max=attempts_max, limit=100
        )
        for operation_id in reaped.requeued:
            self._move(operation_id, status=OperationStatus.PENDING)
        for operation_id in reaped.exhausted:
            self._move(operation_id, status=OperationStatus.FAILED, finished_at=now)
        return reaped

    async def expire(self, created_before: datetime, now: datetime) -> tuple[str, ...]:
        expired = await self.store.operations.expire(
            DEFAULT_TENANT, created_before=created_before, now=now, limit=100
        )
        for operation_id in expired:
            self._move(operation_id, status=OperationStatus.FAILED, finished_at=now)
        return expired

    def summary_at(self, cutoff: RetentionCutoff = KEEP_ALL) -> Summary:
        """What the store is to say of itself. The edge of an operation counts until it is removed."""
        since = cutoff.runs_since
        runs = {run_id: run for run_id, run in self.runs.items() if run.created_at >= since}
        operations = [
            operation
            for operation in self.operations.values()
            if operation.finished_at is None or operation.finished_at >= cutoff.operations_since
        ]
        decisions = [decision for decision in self.decisions if decision.rebalance_run_id in runs]
        edges = [
            edge for edge in self.edges if edge.lives_with is OwnerKind.OPERATION or edge.created_at >= since
        ]
        counts = {
            Subject.RUN_STATUS: Counter(run.status.value for run in runs.values()),
            Subject.OPERATION_STATUS: Counter(operation.status.value for operation in operations),
            Subject.WORKFLOW_ACTION: Counter(decision.action.value for decision in decisions),
            Subject.WORKFLOW_REASON_CODE: Counter(decision.reason_code for decision in decisions),
            Subject.LINEAGE_EDGE_TYPE: Counter(edge.edge_type.value for edge in edges),
        }
        return Summary(counts, bounds_of(runs.values()), bounds_of(operations))

    def _move(self, operation_id: str, **fields: Any) -> None:
        self.operations[operation_id] = replace(self.operations[operation_id], **fields)

    def _note_batch(self, batch: RecordBatch) -> None:
        for run in batch.runs:
            self._note(run, None, cause_id=batch.cause_id)
        self.edges += map(edge_of_artifact, batch.artifacts)

    def _note(self, run: DpmRun, artifact: Artifact | None, **ends: str) -> None:
        self.runs[run.rebalance_run_id] = run
        self.edges += edges_of(run, **ends)
        if artifact is not None:
            self.edges.append(edge_of_artifact(artifact))


def bounds_of(kept: Iterable[DpmRun | Operation]) -> Bounds:
    instants = [one.created_at for one in kept]
    return Bounds(min(instants, default=None), max(instants, default=None))
