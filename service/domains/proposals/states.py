"""The states of a proposal and the events that lead from one to another (advisory specification, 6)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class ProposalState(Enum):
    """Where a proposal stands."""

    DRAFT = "DRAFT"
    """The adviser is working on it."""
    RISK_REVIEW = "RISK_REVIEW"
    """The risk function has to decide."""
    COMPLIANCE_REVIEW = "COMPLIANCE_REVIEW"
    """The compliance function has to decide."""
    AWAITING_CLIENT_CONSENT = "AWAITING_CLIENT_CONSENT"
    """The client has to agree."""
    EXECUTION_READY = "EXECUTION_READY"
    """It may be executed."""
    EXECUTED = "EXECUTED"
    """It was executed; it changes no more."""
    REJECTED = "REJECTED"
    """A review or the client refused it; it changes no more."""
    CANCELLED = "CANCELLED"
    """It was withdrawn; it changes no more."""
    EXPIRED = "EXPIRED"
    """It was not executed in time; it changes no more."""


TERMINAL_STATES = frozenset(
    {ProposalState.EXECUTED, ProposalState.REJECTED, ProposalState.CANCELLED, ProposalState.EXPIRED}
)


class ProposalEventType(Enum):
    """What happened to a proposal."""

    CREATED = "CREATED"
    """The proposal was created with its first version."""
    NEW_VERSION_CREATED = "NEW_VERSION_CREATED"
    """Another version was added."""
    SUBMITTED_FOR_RISK_REVIEW = "SUBMITTED_FOR_RISK_REVIEW"
    """A draft went to the risk function."""
    RISK_APPROVED = "RISK_APPROVED"
    """The risk function approved it."""
    SUBMITTED_FOR_COMPLIANCE_REVIEW = "SUBMITTED_FOR_COMPLIANCE_REVIEW"
    """A draft went to the compliance function."""
    COMPLIANCE_APPROVED = "COMPLIANCE_APPROVED"
    """The compliance function approved it."""
    CLIENT_CONSENT_RECORDED = "CLIENT_CONSENT_RECORDED"
    """The client agreed."""
    EXECUTION_REQUESTED = "EXECUTION_REQUESTED"
    """Reserved; no state lets it happen."""
    EXECUTED = "EXECUTED"
    """The orders were executed."""
    REJECTED = "REJECTED"
    """A review or the client refused it."""
    EXPIRED = "EXPIRED"
    """It was not executed in time."""
    CANCELLED = "CANCELLED"
    """It was withdrawn."""


class ApprovalType(Enum):
    """Whose approval it is."""

    RISK = "RISK"
    """That of the risk function."""
    COMPLIANCE = "COMPLIANCE"
    """That of the compliance function."""
    CLIENT_CONSENT = "CLIENT_CONSENT"
    """That of the client, as somebody recorded it."""


S, E = ProposalState, ProposalEventType

# Where an event leads; CANCELLED leads there from every state that is not terminal. EXECUTION_REQUESTED is in
# the vocabulary and leads nowhere. CREATED and NEW_VERSION_CREATED come with a version and are not asked for.
TRANSITIONS: Mapping[tuple[ProposalState, ProposalEventType], ProposalState] = {
    (S.DRAFT, E.SUBMITTED_FOR_RISK_REVIEW): S.RISK_REVIEW,
    (S.DRAFT, E.SUBMITTED_FOR_COMPLIANCE_REVIEW): S.COMPLIANCE_REVIEW,
    (S.RISK_REVIEW, E.RISK_APPROVED): S.AWAITING_CLIENT_CONSENT,
    (S.RISK_REVIEW, E.REJECTED): S.REJECTED,
    (S.COMPLIANCE_REVIEW, E.COMPLIANCE_APPROVED): S.AWAITING_CLIENT_CONSENT,
    (S.COMPLIANCE_REVIEW, E.REJECTED): S.REJECTED,
    (S.AWAITING_CLIENT_CONSENT, E.CLIENT_CONSENT_RECORDED): S.EXECUTION_READY,
    (S.AWAITING_CLIENT_CONSENT, E.REJECTED): S.REJECTED,
    (S.EXECUTION_READY, E.EXECUTED): S.EXECUTED,
    (S.EXECUTION_READY, E.EXPIRED): S.EXPIRED,
    **{(state, E.CANCELLED): S.CANCELLED for state in ProposalState if state not in TERMINAL_STATES},
}

# The state an approval is given in, and the event it is when it is given; refused, it is REJECTED.
APPROVALS: Mapping[ApprovalType, tuple[ProposalState, ProposalEventType]] = {
    ApprovalType.RISK: (S.RISK_REVIEW, E.RISK_APPROVED),
    ApprovalType.COMPLIANCE: (S.COMPLIANCE_REVIEW, E.COMPLIANCE_APPROVED),
    ApprovalType.CLIENT_CONSENT: (S.AWAITING_CLIENT_CONSENT, E.CLIENT_CONSENT_RECORDED),
}

# What brings a version, and makes what was approved before void.
VERSION_EVENTS = frozenset({ProposalEventType.CREATED, ProposalEventType.NEW_VERSION_CREATED})

APPROVAL_EVENTS = frozenset(event for _, event in APPROVALS.values())
