"""Errors of proposals; codes never change (HTTP contract 6.3, 10)."""

from __future__ import annotations

from service.errors.families import Conflict, NotFound, Unavailable, Unprocessable
from service.errors.storage import PostgresDsnRequired, StoreUnavailable


class ProposalSimulationDisabled(Unprocessable):
    """The request does not set `enable_proposal_simulation`."""

    code = "PROPOSAL_SIMULATION_DISABLED"
    message = "PROPOSAL_SIMULATION_DISABLED: set options.enable_proposal_simulation=true"


class ProposalsDisabled(NotFound):
    """Proposals are switched off; they can only be simulated."""

    code = message = "PROPOSAL_WORKFLOW_LIFECYCLE_DISABLED"


class ProposalSupportDisabled(NotFound):
    """Looking up keys, lineage and settings of proposals is switched off."""

    code = message = "PROPOSAL_SUPPORT_APIS_DISABLED"


class ProposalOperationsDisabled(NotFound):
    """Background operations of proposals are switched off."""

    code = message = "PROPOSAL_ASYNC_OPERATIONS_DISABLED"


class ProposalNotFound(NotFound):
    """No proposal is stored under this id."""

    code = message = "PROPOSAL_NOT_FOUND"


class ProposalVersionNotFound(NotFound):
    """The proposal has no version of this number."""

    code = message = "PROPOSAL_VERSION_NOT_FOUND"


class ProposalKeyNotFound(NotFound):
    """No proposal was created under this idempotency key."""

    code = message = "PROPOSAL_IDEMPOTENCY_KEY_NOT_FOUND"


class ProposalOperationNotFound(NotFound):
    """No operation of proposals is stored under this id."""

    code = message = "PROPOSAL_ASYNC_OPERATION_NOT_FOUND"


class ProposalTerminal(Unprocessable):
    """The proposal has ended, so it takes no further version."""

    code = "PROPOSAL_TERMINAL_STATE"
    message = "PROPOSAL_TERMINAL_STATE: cannot create version"


class PortfolioContextMismatch(Unprocessable):
    """The version is about another portfolio than the proposal."""

    code = message = "PORTFOLIO_CONTEXT_MISMATCH"


class InvalidTransition(Unprocessable):
    """The event cannot happen in the state of the proposal."""

    code = message = "INVALID_TRANSITION"


class InvalidApprovalState(Unprocessable):
    """The approval cannot be given in the state of the proposal."""

    code = message = "INVALID_APPROVAL_STATE"


class ApprovalRequired(Unprocessable):
    """The event means an approval, which has to be recorded as one."""

    code = message = "APPROVAL_REQUIRED"


class ProposalVersionMismatch(Unprocessable):
    """The proposal has no version of this number, or another version has to be approved."""

    code = message = "PROPOSAL_VERSION_MISMATCH"


class ProposalVersionBlocked(Unprocessable):
    """The simulation of the version is blocked, so it may not be executed."""

    code = message = "PROPOSAL_VERSION_BLOCKED"


class ProposalStateConflict(Conflict):
    """The proposal is not in the state or revision that the caller saw, or the caller does not say which that
    is."""

    code = "STATE_CONFLICT"
    message = "STATE_CONFLICT: {reason}"


class FourEyesViolation(Conflict):
    """Who created the proposal or its version may not approve it."""

    code = message = "FOUR_EYES_VIOLATION"


class ProposalConcurrentUpdate(Conflict):
    """Somebody else changed the proposal since it was read; the flow decides anew."""

    code = message = "PROPOSAL_MOVED"


class ProposalStoreUnavailable(Unavailable):
    """The database of proposals cannot be reached."""

    code = message = "PROPOSAL_POSTGRES_CONNECTION_FAILED"


class ProposalDsnRequired(Unavailable):
    """Proposals are to be stored in PostgreSQL, and the service was given no address of it."""

    code = message = "PROPOSAL_POSTGRES_DSN_REQUIRED"


def proposal_refusal(error: StoreUnavailable) -> Unavailable:
    """What callers of proposals are told when a store says this, whichever store it is."""
    told = ProposalDsnRequired() if isinstance(error, PostgresDsnRequired) else ProposalStoreUnavailable()
    told.__cause__ = error.__cause__ or error
    return told
