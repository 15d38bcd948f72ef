"""What is answered of operations of the discretionary desk; those of proposals share the errors."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from service.domains.operations import (
    AttemptErrorCode,
    Operation,
    OperationErrorCode,
    OperationSummary,
    OperationType,
)
from service.domains.operations import OperationStatus as Status
from service.domains.values.ids import CorrelationId, NextCursor, OperationId
from service.domains.values.published import document, published

# The one kind of operation that these routes accept.
Analysis = Literal["ANALYZE_SCENARIOS"]
# Where operations are found.
OPERATIONS = "/rebalance/operations"


@published("DpmAsyncError")
class OperationFailure(msgspec.Struct, frozen=True):
    """`DpmAsyncError`."""

    code: OperationErrorCode
    message: str
    """The error in words; the wording may change."""


@published("DpmAsyncProgress")
class OperationProgress(msgspec.Struct, frozen=True):
    """How many scenarios there are, and of how many it is known what came of them."""

    scenarios_total: int
    """How many scenarios the batch has."""
    scenarios_done: int
    """How many of them have run or failed."""


@published("DpmAsyncAttemptError")
class AttemptFailure(msgspec.Struct, frozen=True):
    """Why the latest attempt was over that did not end the operation, and when."""

    code: AttemptErrorCode
    message: str
    """The error in words; the wording may change."""
    attempt: int
    """Number of the attempt, from 1."""
    at: str
    """Instant at which the attempt was over, in UTC."""


@published("DpmAsyncAcceptedResponse")
class OperationAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmAsyncAcceptedResponse`, and how far it is."""

    operation_id: OperationId
    operation_type: Annotated[OperationType, document(Analysis)]
    """What the operation does; here always `ANALYZE_SCENARIOS`.

    Values as of `service.domains.operations.OperationType`.
    """
    status: Status
    """How far the operation has come.

    Values as of `service.domains.operations.OperationStatus`.
    """
    correlation_id: CorrelationId
    created_at: str
    """Instant at which the operation was accepted, in UTC."""
    status_url: str
    """Path to look the operation up under, without a host."""
    execute_url: str
    """Path to run the operation under by request, without a host."""
    progress: OperationProgress
    """How many of its scenarios are done."""
    attempt: int
    """How often a process has begun to run it, not counting attempts that were released soon; 0 before the
    first time."""


@published("DpmAsyncOperationStatusResponse")
class OperationStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmAsyncOperationStatusResponse`, and how far it is; the result is the stored bytes."""

    operation_id: OperationId
    operation_type: OperationType
    """What the operation does.

    Values as of `service.domains.operations.OperationType`.
    """
    status: Status
    """How far the operation has come.

    Values as of `service.domains.operations.OperationStatus`.
    """
    is_executable: bool
    """Whether it is pending, so that it can be run by request."""
    correlation_id: CorrelationId
    created_at: str
    """Instant at which the operation was accepted, in UTC."""
    started_at: str | None
    """Instant at which the latest attempt began, in UTC; null while the operation waits to be run."""
    finished_at: str | None
    """Instant at which the operation ended, in UTC; null until then."""
    result: Annotated[msgspec.Raw | None, document(dict[str, Any] | None)]
    """What it came to: of an analysis the answer of the batch; null until it succeeds."""
    error: OperationFailure | None
    """Why it failed; null otherwise."""
    progress: OperationProgress
    """How many of its scenarios are done."""
    attempt: int
    """How often a process has begun to run it, not counting attempts that were released soon; 0 before the
    first time."""
    lease_owner: str | None
    """Process that is running it; null while none is."""
    lease_expires_at: str | None
    """Instant in UTC after which another process may take it over, unless the lease is extended; null while
    none is running it."""
    last_error: AttemptFailure | None
    """Why the latest attempt was over that did not end the operation; null where there was none."""


@published("DpmAsyncOperationListItemResponse")
class OperationListItem(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmAsyncOperationListItemResponse`, and how far it is; its order is not that of the single answer."""

    operation_id: OperationId
    operation_type: Annotated[OperationType, document(Analysis)]
    """What the operation does; here always `ANALYZE_SCENARIOS`.

    Values as of `service.domains.operations.OperationType`.
    """
    status: Status
    """How far the operation has come.

    Values as of `service.domains.operations.OperationStatus`.
    """
    correlation_id: CorrelationId
    is_executable: bool
    """Whether it is pending, so that it can be run by request."""
    created_at: str
    """Instant at which the operation was accepted, in UTC."""
    started_at: str | None
    """Instant at which the latest attempt began, in UTC; null while the operation waits to be run."""
    finished_at: str | None
    """Instant at which the operation ended, in UTC; null until then."""
    progress: OperationProgress
    """How many of its scenarios are done."""
    attempt: int
    """How often a process has begun to run it, not counting attempts that were released soon; 0 before the
    first time."""
    lease_owner: str | None
    """Process that is running it; null while none is."""
    lease_expires_at: str | None
    """Instant in UTC after which another process may take it over, unless the lease is extended; null while
    none is running it."""
    last_error: AttemptFailure | None
    """Why the latest attempt was over that did not end the operation; null where there was none."""


@published("DpmAsyncOperationListResponse")
class OperationList(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmAsyncOperationListResponse`."""

    items: list[OperationListItem]
    """Operations on the page, newest first."""
    next_cursor: NextCursor | None


def status_of(operation: Operation) -> OperationStatus:
    error = operation.error
    return OperationStatus(
        operation_id=operation.operation_id,
        operation_type=operation.operation_type,
        status=operation.status,
        is_executable=operation.is_executable,
        correlation_id=operation.correlation_id,
        created_at=operation.created_at.isoformat(),
        started_at=text_of(operation.started_at),
        finished_at=text_of(operation.finished_at),
        result=msgspec.Raw(operation.result) if operation.result is not None else None,
        error=OperationFailure(error.code, error.message) if error else None,
        progress=progress_of(operation),
        attempt=operation.attempt,
        lease_owner=operation.lease_owner,
        lease_expires_at=text_of(operation.lease_expires_at),
        last_error=last_error_of(operation),
    )


def last_error_of(operation: OperationSummary) -> AttemptFailure | None:
    error = operation.last_error
    return AttemptFailure(error.code, error.message, error.attempt, error.at.isoformat()) if error else None


def accepted_of(operation: OperationSummary) -> OperationAccepted:
    return OperationAccepted(
        operation_id=operation.operation_id,
        operation_type=operation.operation_type,
        status=operation.status,
        correlation_id=operation.correlation_id,
        created_at=operation.created_at.isoformat(),
        status_url=f"{OPERATIONS}/{operation.operation_id}",
        execute_url=f"{OPERATIONS}/{operation.operation_id}/execute",
        progress=progress_of(operation),
        attempt=operation.attempt,
    )


def listed(operation: OperationSummary) -> OperationListItem:
    return OperationListItem(
        operation_id=operation.operation_id,
        operation_type=operation.operation_type,
        status=operation.status,
        correlation_id=operation.correlation_id,
        is_executable=operation.is_executable,
        created_at=operation.created_at.isoformat(),
        started_at=text_of(operation.started_at),
        finished_at=text_of(operation.finished_at),
        progress=progress_of(operation),
        attempt=operation.attempt,
        lease_owner=operation.lease_owner,
        lease_expires_at=text_of(operation.lease_expires_at),
        last_error=last_error_of(operation),
    )


def progress_of(operation: OperationSummary) -> OperationProgress:
    return OperationProgress(operation.scenarios_total, operation.scenarios_done)


def text_of(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant is not None else None
