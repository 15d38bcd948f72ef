"""Errors of proposals; codes never change (HTTP contract 6.3, 10)."""

from __future__ import annotations

from service.errors.families import Conflict, NotFound, Unavailable, Unprocessable
from service.errors.storage import PostgresDsnRequired, StoreUnavailable


class ProposalSimulationDisabled(Unprocessable):
    """The request does not set the switch that asks for a simulation."""

    code = "PROPOSAL_SIMULATION_DISABLED"
    message = "PROPOSAL_SIMULATION_DISABLED: set options.enable_proposal_simulation=true"


class ProposalsDisabled(NotFound):
    """A setting switches the life of proposals off."""

    code = message = "PROPOSAL_WORKFLOW_LIFECYCLE_DISABLED"


class ProposalSupportDisabled(NotFound):
    """A setting switches events, approvals, lineage and keys of proposals off."""

    code = message = "PROPOSAL_SUPPORT_APIS_DISABLED"


class ProposalOperationsDisabled(NotFound):
    """A setting switches the operations of proposals off."""

    code = message = "PROPOSAL_ASYNC_OPERATIONS_DISABLED"


class ProposalNotFound(NotFound):
    """There is no such proposal."""

    code = message = "PROPOSAL_NOT_FOUND"


class ProposalVersionNotFound(NotFound):
    """The proposal has no such version."""

    code = message = "PROPOSAL_VERSION_NOT_FOUND"


class ProposalKeyNotFound(NotFound):
    """No proposal was created under the idempotency key."""

    code = message = "PROPOSAL_IDEMPOTENCY_KEY_NOT_FOUND"


class ProposalOperationNotFound(NotFound):
    """There is no such operation of a proposal."""

    code = message = "PROPOSAL_ASYNC_OPERATION_NOT_FOUND"


class ProposalTerminal(Unprocessable):
    """The proposal has ended, so it takes no version."""

    code = "PROPOSAL_TERMINAL_STATE"
    message = "PROPOSAL_TERMINAL_STATE: cannot create version"


class PortfolioContextMismatch(Unprocessable):
    """The version is about another portfolio than the proposal."""

    code = message = "PORTFOLIO_CONTEXT_MISMATCH"


class InvalidTransition(Unprocessable):
    """The state of the proposal has no such event."""

    code = message = "INVALID_TRANSITION"


class InvalidApprovalState(Unprocessable):
    """The state of the proposal takes no such approval."""

    code = message = "INVALID_APPROVAL_STATE"


class ApprovalRequired(Unprocessable):
    """The event means an approval, and an approval leaves a record."""

    code = message = "APPROVAL_REQUIRED"


class ProposalVersionMismatch(Unprocessable):
    """There is no such version, or it is not the one that is looked at."""

    code = message = "PROPOSAL_VERSION_MISMATCH"


class ProposalVersionBlocked(Unprocessable):
    """The simulation of the version is BLOCKED, so the proposal may not be executed."""

    code = message = "PROPOSAL_VERSION_BLOCKED"


class ProposalStateConflict(Conflict):
    """The proposal is not as the caller says they saw it, or they do not say."""

    code = "STATE_CONFLICT"
    message = "STATE_CONFLICT: {reason}"


class FourEyesViolation(Conflict):
    """The author of a proposal or of its current version may not approve it."""

    code = message = "FOUR_EYES_VIOLATION"


class ProposalConcurrentUpdate(Conflict):
    """The proposal changed since it was read; never reaches a caller, the flow decides again."""

    code = message = "PROPOSAL_MOVED"


class ProposalStoreUnavailable(Unavailable):
    """The store of the proposals cannot be reached or does not answer in time."""

    code = message = "PROPOSAL_POSTGRES_CONNECTION_FAILED"


class ProposalDsnRequired(Unavailable):
    """PostgreSQL is chosen for proposals and no address was given."""

    code = message = "PROPOSAL_POSTGRES_DSN_REQUIRED"


def proposal_refusal(error: StoreUnavailable) -> Unavailable:
    """What callers of proposals are told when a store says this, whichever store it is."""
    told = ProposalDsnRequired() if isinstance(error, PostgresDsnRequired) else ProposalStoreUnavailable()
    told.__cause__ = error.__cause__ or error
    return told
