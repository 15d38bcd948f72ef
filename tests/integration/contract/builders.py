"""Values for the storage contract; every field has a default, and every default is valid."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from service.domains.callers import DEFAULT_TENANT
from service.domains.dpm_runs.artifacts import Artifact
from service.domains.dpm_runs.values import (
    DpmRun,
    RecordBatch,
    RecordReplay,
    RecordRun,
    RunRequest,
    RunStatus,
    RunSummary,
)
from service.domains.idempotency import AnswerScope, IdempotentAnswer
from service.domains.operations import (
    Claim,
    Ending,
    Lease,
    Operation,
    OperationError,
    OperationStatus,
    OperationSummary,
    OperationType,
    StagedScenario,
)
from service.domains.proposals.values import ProposalChange
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.retention.deletions import DELETED_AT_ONCE, DeletionBatch
from service.domains.workflow_decisions import NO_CORRELATION, ReviewAction, ReviewRule, WorkflowAction
from service.storage.ports.store import Store

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ODD_BYTES = '{"note":"Zürich \N{MIDDLE DOT} 日本 \N{BANK}","amount":"1.10"}'.encode()
SOME_HASH = "sha256:" + "b" * 64
OTHER_HASH = "sha256:" + "c" * 64
# Longer than any test lets pass.
LONG_SECONDS = 10_000_000.0
REVIEWED = ReviewRule(frozenset({RunStatus.PENDING_REVIEW.value}))

numbers = itertools.count(1)


def an_id(prefix: str) -> str:
    return f"{prefix}_{next(numbers):032x}"


def after(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def runs_since(seconds: float) -> RetentionCutoff:
    """The cutoff at which runs created before that moment have expired."""
    return RetentionCutoff(runs_since=after(seconds))


def operations_since(seconds: float) -> RetentionCutoff:
    """The cutoff at which operations that ended before that moment have expired."""
    return RetentionCutoff(operations_since=after(seconds))


def a_run(**fields: Any) -> DpmRun:
    run_id = fields.pop("rebalance_run_id", None) or an_id("rr")
    given: dict[str, Any] = {
        "rebalance_run_id": run_id,
        "tenant_id": DEFAULT_TENANT,
        "correlation_id": f"corr_of_{run_id}",
        "request_hash": "sha256:" + "a" * 64,
        "idempotency_key": "key-1",
        "portfolio_id": "pf-1",
        "status": RunStatus.READY,
        "engine_version": "1",
        "request_id": run_id,
        "scenario": None,
        "created_at": AT,
        "result": b'{"rebalance_run_id":"' + run_id.encode() + b'"}',
    }
    return DpmRun(**(given | fields))


def head_of(run: DpmRun) -> RunSummary:
    return RunSummary(**{field.name: getattr(run, field.name) for field in dataclasses.fields(RunSummary)})


def a_request(run: DpmRun, body: bytes = b'{"options":{}}') -> RunRequest:
    return RunRequest(run.request_id, run.tenant_id, run.request_hash, body, run.created_at)


def an_artifact(run: DpmRun, **fields: Any) -> Artifact:
    given: dict[str, Any] = {
        "artifact_id": f"artifact_of_{run.rebalance_run_id}",
        "tenant_id": run.tenant_id,
        "rebalance_run_id": run.rebalance_run_id,
        "artifact_hash": "sha256:" + "d" * 64,
        "created_at": run.created_at,
        "body": ODD_BYTES,
    }
    return Artifact(**(given | fields))


def an_admission(
    *, replay: bool = True, body: bytes = b'{"options":{}}', artifact: bool = False, **fields: Any
) -> RecordRun:
    run = a_run(**fields)
    return RecordRun(run, a_request(run, body), replay, an_artifact(run) if artifact else None)


def a_batch(
    *scenarios: str,
    cause_id: str | None = None,
    sent_as: str | None = None,
    batch_id: str | None = None,
    artifacts: bool = False,
    **fields: Any,
) -> RecordBatch:
    """A batch of one run for each scenario; `sent_as` is the correlation id of its caller."""
    batch_id = batch_id or an_id("batch")
    runs = tuple(a_run(**({**defaults_of_scenario(batch_id, name), **fields})) for name in scenarios)
    request = RunRequest(
        batch_id,
        fields.get("tenant_id", DEFAULT_TENANT),
        "sha256:" + "b" * 64,
        b'{"scenarios":{}}',
        fields.get("created_at", AT),
        sent_as,
    )
    kept = tuple(an_artifact(run) for run in runs) if artifacts else ()
    return RecordBatch(request, runs, cause_id or batch_id, kept)


def defaults_of_scenario(batch_id: str, scenario: str) -> dict[str, Any]:
    return {
        "idempotency_key": None,
        "request_id": batch_id,
        "scenario": scenario,
        "correlation_id": f"{batch_id}:{scenario}",
        "request_hash": f"{batch_id}:{scenario}",
    }


def with_run_id(batch: RecordBatch, position: int, run_id: str) -> RecordBatch:
    runs = list(batch.runs)
    runs[position] = replace(runs[position], rebalance_run_id=run_id)
    return replace(batch, runs=tuple(runs))


def a_replay(original: DpmRun, *, artifact: bool = False, **fields: Any) -> RecordReplay:
    run_id = fields.pop("rebalance_run_id", None) or an_id("rr")
    given: dict[str, Any] = {
        "rebalance_run_id": run_id,
        "idempotency_key": None,
        "correlation_id": f"corr_of_{run_id}",
        "created_at": original.created_at + timedelta(seconds=1),
    }
    run = replace(original, **(given | fields))
    return RecordReplay(run, original.rebalance_run_id, an_artifact(run) if artifact else None)


def a_verdict(run: DpmRun, action: WorkflowAction = WorkflowAction.APPROVE, **fields: Any) -> ReviewAction:
    given: dict[str, Any] = {
        "decision_id": an_id("dwd"),
        "tenant_id": run.tenant_id,
        "rebalance_run_id": run.rebalance_run_id,
        "action": action,
        "reason_code": "REVIEWED",
        "comment": None,
        "actor_id": "reviewer-1",
        "decided_at": AT,
        "correlation_id": NO_CORRELATION,
    }
    return ReviewAction(**(given | fields))


def an_operation(**fields: Any) -> Operation:
    """A PENDING operation, as it is submitted."""
    given: dict[str, Any] = {
        "operation_id": an_id("dop"),
        "tenant_id": DEFAULT_TENANT,
        "operation_type": OperationType.ANALYZE_SCENARIOS,
        "status": OperationStatus.PENDING,
        "correlation_id": "corr-op",
        "created_at": AT,
        "request": ODD_BYTES,
        "scenarios_total": 3,
    }
    return Operation(**(given | fields))


def started(operation: Operation, seconds: float = 1) -> Operation:
    """The operation as its claim leaves it."""
    return replace(
        operation,
        status=OperationStatus.RUNNING,
        started_at=after(seconds),
        first_started_at=operation.first_started_at or after(seconds),
        attempt=operation.attempt + 1,
    )


def succeeded(operation: Operation, seconds: float = 2, result: bytes = ODD_BYTES) -> Operation:
    return replace(
        operation,
        status=OperationStatus.SUCCEEDED,
        finished_at=after(seconds),
        result=result,
        scenarios_done=operation.scenarios_total,
    )


def failed(operation: Operation, seconds: float = 2) -> Operation:
    error = OperationError("ValueError", "no usable price · 日本")
    return replace(operation, status=OperationStatus.FAILED, finished_at=after(seconds), error=error)


def head_of_operation(operation: Operation) -> OperationSummary:
    return OperationSummary(
        **{field.name: getattr(operation, field.name) for field in dataclasses.fields(OperationSummary)}
    )


def a_lease(now: float = 1, until: float = LONG_SECONDS) -> Lease:
    return Lease(after(now), after(until))


def a_staged(scenario: str = "a", **fields: Any) -> StagedScenario:
    """What came of a scenario that ran."""
    given: dict[str, Any] = {
        "scenario": scenario,
        "status": RunStatus.READY,
        "result": ODD_BYTES,
        "metric": b'{"trades":1}',
    }
    return StagedScenario(**(given | fields))


def a_staged_failure(scenario: str = "a", failure: str = "no usable price · 日本") -> StagedScenario:
    return StagedScenario(scenario=scenario, failure=failure)


def ending_of(operation: Operation, effect: RecordBatch | ProposalChange | None = None) -> Ending:
    """What leaves an operation as it is."""
    assert operation.finished_at is not None
    return Ending(
        finished_at=operation.finished_at, result=operation.result, effect=effect, error=operation.error
    )


def as_submitted(operation: Operation) -> Operation:
    return replace(
        operation,
        status=OperationStatus.PENDING,
        started_at=None,
        first_started_at=None,
        last_error=None,
        finished_at=None,
        result=None,
        error=None,
        attempt=0,
        scenarios_done=0,
    )


async def claimed(store: Store, operation: Operation, lease: Lease | None = None) -> Claim:
    """The claim of an operation that is submitted."""
    return await store.operations.claim(operation.tenant_id, operation.operation_id, lease or a_lease())


async def submit_and_move(store: Store, operation: Operation) -> Claim | None:
    """Bring an operation to the state it is in by the acts that lead there; gives the claim, if any."""
    await store.operations.submit(as_submitted(operation))
    if operation.started_at is None:
        return None
    claim = await claimed(store, operation, Lease(operation.started_at, after(LONG_SECONDS)))
    if operation.has_ended:
        await store.operations.finish(claim, ending_of(operation))
    return claim


def an_answer(entity_id: str, **fields: Any) -> IdempotentAnswer:
    """The answer to a review of a run, or to an analysis whose operation's id begins with `dop`."""
    is_operation = entity_id.startswith("dop")
    given: dict[str, Any] = {
        "tenant_id": DEFAULT_TENANT,
        "family": AnswerScope.ANALYZE_ASYNC if is_operation else AnswerScope.WORKFLOW_ACTION,
        "idempotency_key": "act-1",
        "request_hash": SOME_HASH,
        "entity_id": entity_id,
        "created_at": AT,
        "answer": f"answer about {entity_id}".encode(),
    }
    return IdempotentAnswer(**(given | fields))


def a_purge(cutoff: RetentionCutoff, **fields: Any) -> DeletionBatch:
    given: dict[str, Any] = {
        "purge_id": an_id("purge"),
        "tenant_id": DEFAULT_TENANT,
        "purged_at": after(1000),
        "cutoff": cutoff,
        "limit": DELETED_AT_ONCE,
    }
    return DeletionBatch(**(given | fields))
