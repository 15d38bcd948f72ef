"""What may happen to a proposal next; pure, decided on the revision that was read (RFC-0024, 6.2, 9.4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from service.domains.proposals.states import (
    APPROVAL_EVENTS,
    APPROVALS,
    TRANSITIONS,
    ApprovalType,
    ProposalEventType,
    ProposalState,
)
from service.domains.proposals.values import Proposal
from service.errors.proposals import (
    ApprovalRequired,
    FourEyesViolation,
    InvalidApprovalState,
    InvalidTransition,
    PortfolioContextMismatch,
    ProposalStateConflict,
    ProposalTerminal,
    ProposalVersionBlocked,
    ProposalVersionMismatch,
)

BLOCKED = "BLOCKED"
# What a version may not come to whose simulation is blocked.
EXECUTABLE_STATES = frozenset({ProposalState.EXECUTION_READY, ProposalState.EXECUTED})


class ApprovalBinding(Enum):
    """EXISTING lets an approval name any version there is, or none; CURRENT only the current one."""

    EXISTING = "EXISTING"
    CURRENT = "CURRENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalRules:
    """The controls; each that is off is as the existing service has it."""

    expected_state_required: bool = True
    portfolio_may_change: bool = False
    simulation_flag_required: bool = True
    evidence_kept: bool = True
    blocked_refused: bool = True
    new_version_to_draft: bool = True
    related_version_checked: bool = True
    approvals_by_approval_only: bool = True
    approval_binding: ApprovalBinding = ApprovalBinding.EXISTING
    four_eyes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a caller says they saw; None where they say nothing."""

    state: ProposalState | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Where a proposal goes, by which event, and the version the event is about."""

    event_type: ProposalEventType
    to_state: ProposalState
    related_version_no: int | None


def decide_transition(
    proposal: Proposal,
    event_type: ProposalEventType,
    related_version_no: int | None,
    expected: Expected,
    rules: ProposalRules,
) -> Step:
    """Raises ProposalStateConflict, InvalidTransition, ApprovalRequired, ProposalVersionMismatch,
    ProposalVersionBlocked; in that order.
    """
    require_expected(proposal, expected, required=rules.expected_state_required)
    to_state = TRANSITIONS.get((proposal.state, event_type))
    if to_state is None:
        raise InvalidTransition()
    if rules.approvals_by_approval_only and event_type in APPROVAL_EVENTS:
        raise ApprovalRequired()
    require_version(proposal, related_version_no, rules)
    require_executable(proposal, to_state, rules)
    return Step(event_type, to_state, related_version_no)


def decide_approval(
    proposal: Proposal,
    approval_type: ApprovalType,
    approved: bool,
    actor_id: str,
    related_version_no: int | None,
    expected: Expected,
    rules: ProposalRules,
) -> Step:
    """Raises ProposalStateConflict, InvalidApprovalState, ProposalVersionMismatch, FourEyesViolation,
    ProposalVersionBlocked; in that order.
    """
    require_expected(proposal, expected, required=rules.expected_state_required)
    given_in, event_type = APPROVALS[approval_type]
    if proposal.state is not given_in:
        raise InvalidApprovalState()
    if rules.approval_binding is ApprovalBinding.CURRENT:
        related_version_no = proposal.version_no if related_version_no is None else related_version_no
        if related_version_no != proposal.version_no:
            raise ProposalVersionMismatch()
    require_version(proposal, related_version_no, rules)
    if not approved:
        return Step(ProposalEventType.REJECTED, ProposalState.REJECTED, related_version_no)
    # Consent is the client's, also where an adviser records it.
    own = actor_id in (proposal.created_by, proposal.versioned_by)
    if rules.four_eyes and own and approval_type is not ApprovalType.CLIENT_CONSENT:
        raise FourEyesViolation()
    to_state = TRANSITIONS[given_in, event_type]
    require_executable(proposal, to_state, rules)
    return Step(event_type, to_state, related_version_no)


def require_versionable(proposal: Proposal, expected: Expected) -> None:
    """Raises ProposalStateConflict, ProposalTerminal."""
    require_expected(proposal, expected, required=False)
    if proposal.has_ended:
        raise ProposalTerminal()


def require_same_portfolio(proposal: Proposal, portfolio_id: str, rules: ProposalRules) -> None:
    """Raises PortfolioContextMismatch."""
    if portfolio_id != proposal.portfolio_id and not rules.portfolio_may_change:
        raise PortfolioContextMismatch()


def decide_version(proposal: Proposal, rules: ProposalRules) -> Step:
    """A new version returns a proposal to DRAFT, so that no version is executed without approval."""
    to_state = ProposalState.DRAFT if rules.new_version_to_draft else proposal.state
    return Step(ProposalEventType.NEW_VERSION_CREATED, to_state, proposal.version_no + 1)


def require_expected(proposal: Proposal, expected: Expected, *, required: bool) -> None:
    if required and expected.state is None and expected.revision is None:
        raise ProposalStateConflict(reason="expected_state is required")
    if expected.state not in (None, proposal.state):
        raise ProposalStateConflict(reason="expected_state mismatch")
    if expected.revision not in (None, proposal.revision):
        raise ProposalStateConflict(reason="expected_revision mismatch")


def require_version(proposal: Proposal, version_no: int | None, rules: ProposalRules) -> None:
    known = version_no is None or 1 <= version_no <= proposal.version_no
    if rules.related_version_checked and not known:
        raise ProposalVersionMismatch()


def require_executable(proposal: Proposal, to_state: ProposalState, rules: ProposalRules) -> None:
    if rules.blocked_refused and to_state in EXECUTABLE_STATES and proposal.version_status == BLOCKED:
        raise ProposalVersionBlocked()
