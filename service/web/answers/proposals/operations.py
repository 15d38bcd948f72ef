"""Answers about background operations of proposals."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from service.domains.operations import OperationStatus as Status
from service.domains.operations import OperationType
from service.domains.values.ids import CorrelationId, IdempotencyKey, OperationId
from service.domains.values.published import document, published
from service.web.answers.operations import AttemptFailure, OperationFailure
from service.web.answers.proposals.proposals import Created

ProposalOperationType = Literal["CREATE_PROPOSAL", "CREATE_PROPOSAL_VERSION"]


class ProposalAsyncError(OperationFailure, frozen=True):
    """Why an operation failed."""


@published("ProposalAsyncAcceptedResponse")
class ProposalOperationAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalAsyncAcceptedResponse`."""

    operation_id: OperationId
    operation_type: Annotated[OperationType, document(ProposalOperationType)]
    """What the operation does.

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


@published("ProposalAsyncOperationStatusResponse")
class ProposalOperationStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalAsyncOperationStatusResponse`; the result is the stored bytes."""

    operation_id: OperationId
    operation_type: Annotated[OperationType, document(ProposalOperationType)]
    """What the operation does.

    Values as of `service.domains.operations.OperationType`.
    """
    status: Status
    """How far the operation has come.

    Values as of `service.domains.operations.OperationStatus`.
    """
    correlation_id: CorrelationId
    idempotency_key: IdempotencyKey | None
    proposal_id: str | None
    """Proposal that a version is added to, or that was created; null until it is."""
    created_by: str
    """Who creates the proposal or the version, as the caller named them."""
    created_at: str
    """Instant at which the operation was accepted, in UTC."""
    started_at: str | None
    """Instant at which the latest attempt began, in UTC; null while the operation waits to be run."""
    finished_at: str | None
    """Instant at which the operation ended, in UTC; null until then."""
    result: Annotated[msgspec.Raw | None, document(Created | None)]
    """The proposal with its new version; null until the operation succeeds."""
    error: Annotated[OperationFailure | None, document(ProposalAsyncError | None)]
    """Why it failed; null otherwise."""
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


class Named(msgspec.Struct, frozen=True):
    proposal_id: str


class CreatedHead(msgspec.Struct, frozen=True):
    proposal: Named


CREATED_HEAD = msgspec.json.Decoder(CreatedHead)
