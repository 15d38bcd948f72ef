"""How operations and what came of their scenarios lie in their rows."""

from __future__ import annotations

from typing import Any

from service.domains.dpm_runs.values import RunStatus
from service.domains.operations import (
    AttemptError,
    Operation,
    OperationError,
    OperationStatus,
    OperationSummary,
    OperationType,
    StagedScenario,
)
from service.storage.sql.acts import Row


def row_of(operation: Operation, request_sha256: str) -> dict[str, object]:
    """What is written when an operation is accepted."""
    return key_of(operation) | {
        "operation_type": operation.operation_type.value,
        "correlation_id": operation.correlation_id,
        "created_at": operation.created_at,
        "is_queued": operation.is_queued,
        "scenarios_total": operation.scenarios_total,
        "request_sha256": request_sha256,
        "request": operation.request,
    }


def operation_of(row: Row) -> Operation:
    return Operation(**parts_of(row), request=row["request"], result=row["result"])


def summary_of(row: Row) -> OperationSummary:
    return OperationSummary(**parts_of(row))


def parts_of(row: Row) -> dict[str, Any]:
    status = OperationStatus(row["status"])
    return {
        "operation_id": row["operation_id"],
        "tenant_id": row["tenant_id"],
        "operation_type": OperationType(row["operation_type"]),
        "status": status,
        "correlation_id": row["correlation_id"],
        "created_at": row["created_at"],
        "started_at": row["started_at"],
        "finished_at": row["finished_at"],
        "error": None
        if row["error_code"] is None
        else OperationError(row["error_code"], row["error_message"]),
        "is_queued": bool(row["is_queued"]),
        "attempt": row["attempt"],
        "scenarios_total": row["scenarios_total"],
        "scenarios_done": row["scenarios_done"],
        # An earlier build leaves the owner where it is when it moves the operation on.
        "lease_owner": row["lease_owner"] if status is OperationStatus.RUNNING else None,
        "lease_expires_at": row["lease_until"],
        "first_started_at": row["first_started_at"],
        "last_error": None
        if row["last_error_code"] is None
        else AttemptError(
            row["last_error_code"],
            row["last_error_message"],
            row["last_error_attempt"],
            row["last_error_at"],
        ),
    }


def row_of_staged(operation: OperationSummary, staged: StagedScenario) -> dict[str, object]:
    return key_of(operation) | {
        "scenario": staged.scenario,
        "status": None if staged.status is None else staged.status.value,
        "result": staged.result,
        "metric": staged.metric,
        "failure": staged.failure,
    }


def key_of(operation: OperationSummary) -> dict[str, object]:
    return {"tenant_id": operation.tenant_id, "operation_id": operation.operation_id}


def staged_of(row: Row) -> StagedScenario:
    return StagedScenario(
        scenario=row["scenario"],
        status=None if row["status"] is None else RunStatus(row["status"]),
        result=row["result"],
        metric=row["metric"],
        failure=row["failure"],
    )
