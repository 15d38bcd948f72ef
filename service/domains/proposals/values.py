"""Proposals of advisers: their states, what may happen to them, what each event keeps (RFC-0024, section 6).

A proposal changes by one event at a time, and its revision is the number of its last event. Who writes names
the revision they decided on, so that of two at once one wins and the other decides anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from service.domains.lineage import Edge, EdgeType, OwnerKind
from service.domains.proposals.states import APPROVAL_EVENTS as APPROVAL_EVENTS
from service.domains.proposals.states import APPROVALS as APPROVALS
from service.domains.proposals.states import TERMINAL_STATES as TERMINAL_STATES
from service.domains.proposals.states import TRANSITIONS as TRANSITIONS
from service.domains.proposals.states import VERSION_EVENTS as VERSION_EVENTS
from service.domains.proposals.states import ApprovalType as ApprovalType
from service.domains.proposals.states import ProposalEventType as ProposalEventType
from service.domains.proposals.states import ProposalState as ProposalState


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A proposal as its last event left it.

    `revision` is the number of that event. `versioned_by` brought the current version, and
    `version_status` is what its simulation came to.
    """

    proposal_id: str
    tenant_id: str
    portfolio_id: str
    mandate_id: str | None
    jurisdiction: str | None
    title: str | None
    advisor_notes: str | None
    created_by: str
    created_at: datetime
    last_event_at: datetime
    state: ProposalState
    version_no: int
    version_status: str
    versioned_by: str
    revision: int

    @property
    def has_ended(self) -> bool:
        return self.state in TERMINAL_STATES

    @property
    def text_bytes(self) -> int:
        """About the size of the texts that may be long."""
        return len(self.title or "") + len(self.advisor_notes or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionHead:
    """A version without its documents, as lineage shows it."""

    proposal_version_id: str
    proposal_id: str
    tenant_id: str
    version_no: int
    created_by: str
    created_at: datetime
    status_at_creation: str
    request_hash: str
    simulation_hash: str
    artifact_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalVersion(VersionHead):
    """The documents are JSON, kept as the very bytes that are answered; `evidence` is `{}` where none is.

    `artifact_id` is derived from what was asked, so equal requests share it.
    """

    artifact_id: str
    request: bytes
    result: bytes
    artifact: bytes
    evidence: bytes
    gate_decision: bytes | None

    @property
    def bytes_count(self) -> int:
        """What the documents that are answered have together."""
        return len(self.result) + len(self.artifact) + len(self.evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalEvent:
    """`event_no` counts from 1 without a gap; `reason` is JSON."""

    event_id: str
    proposal_id: str
    tenant_id: str
    event_no: int
    event_type: ProposalEventType
    from_state: ProposalState | None
    to_state: ProposalState
    actor_id: str
    occurred_at: datetime
    reason: bytes
    related_version_no: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalApproval:
    """What was said at an event, which has the same number; `details` is JSON."""

    approval_id: str
    proposal_id: str
    tenant_id: str
    event_no: int
    approval_type: ApprovalType
    approved: bool
    actor_id: str
    occurred_at: datetime
    details: bytes
    related_version_no: int | None


class ProposalKeyScope(Enum):
    """Acts that share one space of keys: creations one per tenant, the others one per proposal."""

    CREATE = "CREATE"
    VERSION = "VERSION"
    TRANSITION = "TRANSITION"
    APPROVAL = "APPROVAL"


# The scope of a creation, which has no proposal yet.
# An evidence bundle that is not kept, or not shown.
NO_EVIDENCE = b"{}"
NO_PROPOSAL = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalKey:
    """A key, what was asked under it, and the very bytes that were answered; `scope` is a proposal id."""

    tenant_id: str
    family: ProposalKeyScope
    scope: str
    idempotency_key: str
    request_hash: str
    proposal_id: str
    version_no: int
    created_at: datetime
    answer: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalChange:
    """One event with all that comes with it: `proposal` is what the event leaves.

    The first event of a proposal brings its first version; every other is decided on the revision before.
    """

    proposal: Proposal
    event: ProposalEvent
    version: ProposalVersion | None = None
    approval: ProposalApproval | None = None
    key: ProposalKey | None = None
    cause_id: str | None = None
    trace_id: str | None = None

    def __post_init__(self) -> None:
        assert self.event.event_no == self.proposal.revision, self.event.event_no
        assert self.event.to_state is self.proposal.state, self.event.to_state
        assert (self.event.event_no == 1) == (self.event.from_state is None), (
            "only the first comes from nowhere"
        )
        assert self.event.event_no > 1 or self.version is not None, "a proposal begins with a version"
        assert self.version is None or self.version.version_no == self.proposal.version_no
        assert self.approval is None or self.approval.event_no == self.event.event_no

    @property
    def is_creation(self) -> bool:
        return self.event.event_no == 1

    def in_trace(self, trace_id: str | None) -> ProposalChange:
        """The same change, asked for in a trace; itself where there is none."""
        return self if trace_id is None else replace(self, trace_id=trace_id)

    def edges(self, previous_version_id: str | None) -> tuple[Edge, ...]:
        """From the artifact to its version, from the version to the one before, and to what caused it."""
        version = self.version
        if version is None:
            return ()
        version_id = version.proposal_version_id
        ends = [(version.artifact_id, EdgeType.DERIVED_FROM, version_id)]
        if previous_version_id is not None:
            ends.append((version_id, EdgeType.DERIVED_FROM, previous_version_id))
        if self.cause_id is not None:
            ends.append((version_id, EdgeType.CAUSED_BY, self.cause_id))
        metadata = {"proposal_id": version.proposal_id, "version_no": str(version.version_no)}
        if self.trace_id is not None:
            metadata["trace_id"] = self.trace_id
        return tuple(
            Edge(source, kind, target, version.created_at, metadata, OwnerKind.PROPOSAL)
            for source, kind, target in ends
        )


@dataclass(frozen=True, slots=True)
class ProposalFilter:
    """Bounds are inclusive and on the creation; a state outside the vocabulary matches nothing."""

    created_from: datetime | None = None
    created_to: datetime | None = None
    portfolio_id: str | None = None
    state: str | None = None
    created_by: str | None = None

    def matches(self, proposal: Proposal) -> bool:
        return (
            self.portfolio_id in (None, proposal.portfolio_id)
            and self.state in (None, proposal.state.value)
            and self.created_by in (None, proposal.created_by)
            and (self.created_from is None or proposal.created_at >= self.created_from)
            and (self.created_to is None or proposal.created_at <= self.created_to)
        )
