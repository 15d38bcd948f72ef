"""How operations and what came of their scenarios lie in the rows of SQLite."""

from __future__ import annotations

import sqlite3
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
from service.storage.sqlite.statements import instant_of, optional_instant_of


def staged_of(row: sqlite3.Row) -> StagedScenario:
    return StagedScenario(
        scenario=row["scenario"],
        status=None if row["status"] is None else RunStatus(row["status"]),
        result=row["result"],
        metric=row["metric"],
        failure=row["failure"],
    )


def operation_of(row: sqlite3.Row) -> Operation:
    return Operation(**parts_of(row), request=row["request"], result=row["result"])


def head_of(row: sqlite3.Row) -> OperationSummary:
    return OperationSummary(**parts_of(row))


def parts_of(row: sqlite3.Row) -> dict[str, Any]:
    status = OperationStatus(row["status"])
    return {
        "operation_id": row["operation_id"],
        "tenant_id": row["tenant_id"],
        "operation_type": OperationType(row["operation_type"]),
        "status": status,
        "correlation_id": row["correlation_id"],
        "created_at": instant_of(row["created_at"]),
        "started_at": optional_instant_of(row["started_at"]),
        "finished_at": optional_instant_of(row["finished_at"]),
        "error": None
        if row["error_code"] is None
        else OperationError(row["error_code"], row["error_message"]),
        "is_queued": bool(row["is_queued"]),
        "attempt": row["attempt"],
        "scenarios_total": row["scenarios_total"],
        "scenarios_done": row["scenarios_done"],
        # An earlier build leaves the owner where it is when it moves the operation on.
        "lease_owner": row["lease_owner"] if status is OperationStatus.RUNNING else None,
        "lease_expires_at": optional_instant_of(row["lease_until"]),
        "first_started_at": optional_instant_of(row["first_started_at"]),
        "last_error": None
        if row["last_error_code"] is None
        else AttemptError(
            row["last_error_code"],
            row["last_error_message"],
            row["last_error_attempt"],
            instant_of(row["last_error_at"]),
        ),
    }
