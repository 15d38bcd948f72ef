"""What is answered of operations of the discretionary desk; those of proposals share the errors."""

from __future__ import annotations

import msgspec

from service.domains.operations import AttemptErrorCode, OperationErrorCode
from service.domains.values.ids import CorrelationId, NextCursor, OperationId


class OperationFailure(msgspec.Struct, frozen=True):
    """`DpmAsyncError`."""

    code: OperationErrorCode
    message: str
    """The error in words; the wording may change."""


class OperationProgress(msgspec.Struct, frozen=True):
    """How many scenarios there are, and of how many it is known what came of them."""

    scenarios_total: int
    """How many scenarios the batch has."""
    scenarios_done: int
    """How many of them have run or failed."""


class AttemptFailure(msgspec.Struct, frozen=True):
    """Why the latest attempt was over that did not end the operation, and when."""

    code: AttemptErrorCode
    message: str
    """The error in words; the wording may change."""
    attempt: int
    """Number of the attempt, from 1."""
    at: str
    """Instant at which the attempt was over, in UTC."""


class OperationAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmAsyncAcceptedResponse`, and how far it is."""

    operation_id: OperationId
    operation_type: str
    """What the operation does; here always `ANALYZE_SCENARIOS`.

    Values as of `service.domains.operations.OperationType`.
    """
    status: str
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
    """How often a process has begun to run it; 0 before the first time."""


class OperationStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmAsyncOperationStatusResponse`, and how far it is; the result is the stored bytes."""

    operation_id: OperationId
    operation_type: str
    """What the operation does.

    Values as of `service.domains.operations.OperationType`.
    """
    status: str
    """How far the operation has come.

    Values as of `service.domains.operations.OperationStatus`.
    """
    is_executable: bool
    """Whether it is pending, so that it can be run by request."""
    correlation_id: CorrelationId
    created_at: str
    """Instant at which the operation was accepted, in UTC."""
    started_at: str | None
    """Instant at which the latest attempt began, in UTC; null while none has begun."""
    finished_at: str | None
    """Instant at which the operation ended, in UTC; null until then."""
    result: msgspec.Raw | None
    """What it came to: of an analysis the answer of the batch; null until it succeeds."""
    error: OperationFailure | None
    """Why it failed; null otherwise."""
    progress: OperationProgress
    """How many of its scenarios are done."""
    attempt: int
    """How often a process has begun to run it; 0 before the first time."""
    lease_owner: str | None
    """Process that is running it; null while none is."""
    lease_expires_at: str | None
    """Instant in UTC after which another process may take it over, unless the lease is extended; null while
    none is running it."""
    last_error: AttemptFailure | None
    """Why the latest attempt was over that did not end the operation; null where there was none."""


class OperationListItem(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmAsyncOperationListItemResponse`, and how far it is; its order is not that of the single answer."""

    operation_id: OperationId
    operation_type: str
    """What the operation does; here always `ANALYZE_SCENARIOS`.

    Values as of `service.domains.operations.OperationType`.
    """
    status: str
    """How far the operation has come.

    Values as of `service.domains.operations.OperationStatus`.
    """
    correlation_id: CorrelationId
    is_executable: bool
    """Whether it is pending, so that it can be run by request."""
    created_at: str
    """Instant at which the operation was accepted, in UTC."""
    started_at: str | None
    """Instant at which the latest attempt began, in UTC; null while none has begun."""
    finished_at: str | None
    """Instant at which the operation ended, in UTC; null until then."""
    progress: OperationProgress
    """How many of its scenarios are done."""
    attempt: int
    """How often a process has begun to run it; 0 before the first time."""
    lease_owner: str | None
    """Process that is running it; null while none is."""
    lease_expires_at: str | None
    """Instant in UTC after which another process may take it over, unless the lease is extended; null while
    none is running it."""
    last_error: AttemptFailure | None
    """Why the latest attempt was over that did not end the operation; null where there was none."""


class OperationList(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmAsyncOperationListResponse`."""

    items: list[OperationListItem]
    """Operations on the page, newest first."""
    next_cursor: NextCursor | None
