"""What is answered about a proposal: the bytes that are sent and, under a key, kept (HTTP contract 8.5)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from service.domains.proposals.states import ProposalState
from service.domains.proposals.values import (
    Proposal,
    ProposalApproval,
    ProposalEvent,
    ProposalKey,
    ProposalVersion,
)
from service.domains.rebalances.results.gates import GateDecision
from service.domains.values.ids import NextCursor, ProposalId, RequestHash
from service.domains.values.pages import Page
from service.domains.values.published import document, published
from service.flows.proposals.events import Answers
from service.flows.proposals.reads import ProposalLineage as Lineage
from service.runtime.large_texts import written
from service.web.answers.lineage import LineageEdge, edge_of
from service.web.answers.proposals.parts import (
    ApprovalRecord,
    LineageVersion,
    ProposalSummary,
    VersionDetail,
    WorkflowEvent,
    approval_of,
    event_of,
    lineage_of,
    raw_of,
    summary_of,
    version_of,
)


@published("ProposalCreateResponse")
class Created(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalCreateResponse`, for a new proposal and for a new version."""

    proposal: ProposalSummary
    """The proposal with the new version."""
    version: VersionDetail
    """The new version."""
    latest_workflow_event: WorkflowEvent
    """Event that brought the version."""


@published("ProposalDetailResponse")
class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalDetailResponse`."""

    proposal: ProposalSummary
    """The proposal as its latest event left it."""
    current_version: VersionDetail
    """Its latest version."""
    last_gate_decision: Annotated[msgspec.Raw | None, document(GateDecision | None)]
    """Who has to act next, going by the latest version; null where workflow gates were off."""


@published("ProposalListResponse")
class ProposalList(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalListResponse`."""

    items: list[ProposalSummary]
    """Proposals on the page, newest first."""
    next_cursor: NextCursor | None


@published("ProposalStateTransitionResponse")
class Transitioned(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalStateTransitionResponse`."""

    proposal_id: ProposalId
    current_state: ProposalState
    """State after the event.

    Values as of `service.domains.proposals.states.ProposalState`.
    """
    latest_workflow_event: WorkflowEvent
    """What the request made happen to the proposal."""
    approval: ApprovalRecord | None
    """Approval that was given or refused; null where the event is none."""


@published("ProposalWorkflowTimelineResponse")
class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalWorkflowTimelineResponse`, and a cursor where more events follow."""

    proposal_id: ProposalId
    current_state: ProposalState
    """Where the proposal stands.

    Values as of `service.domains.proposals.states.ProposalState`.
    """
    events: list[WorkflowEvent]
    """Events on the page, oldest first."""
    next_cursor: NextCursor | None


@published("ProposalApprovalsResponse")
class Approvals(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalApprovalsResponse`, and a cursor where more approvals follow."""

    proposal_id: ProposalId
    approvals: list[ApprovalRecord]
    """Approvals on the page, given or refused, oldest first."""
    next_cursor: NextCursor | None


@published("ProposalLineageResponse")
class ProposalLineage(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalLineageResponse`, the edges that the versions brought, and a cursor where more follow."""

    proposal: ProposalSummary
    """The proposal as its latest event left it."""
    versions: list[LineageVersion]
    """Versions on the page, oldest first."""
    edges: list[LineageEdge]
    """Edges that these versions brought, oldest first."""
    next_cursor: NextCursor | None


@published("ProposalIdempotencyLookupResponse")
class ProposalKeyLookup(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalIdempotencyLookupResponse`."""

    idempotency_key: str
    """Idempotency key that was asked for."""
    request_hash: RequestHash
    proposal_id: ProposalId
    proposal_version_no: int
    """Number of the version that the key brought, from 1."""
    created_at: str
    """Instant at which the key was used, in UTC."""


def answer_created(proposal: Proposal, version: ProposalVersion, event: ProposalEvent) -> bytes:
    """A proposal with the version that an event brought, and the event; evidence is always shown."""
    answer = Created(
        proposal=summary_of(proposal),
        version=version_of(version, include_evidence=True),
        latest_workflow_event=event_of(event),
    )
    return written(answer, version.bytes_count)


def answer_detail(proposal: Proposal, version: ProposalVersion, *, include_evidence: bool) -> bytes:
    """A proposal with its current version."""
    answer = Detail(
        proposal=summary_of(proposal),
        current_version=version_of(version, include_evidence=include_evidence),
        last_gate_decision=raw_of(version.gate_decision),
    )
    return written(answer, version.bytes_count)


def answer_version(version: ProposalVersion, *, include_evidence: bool) -> bytes:
    """One version; without evidence its own copy is `{}`, the one inside the artifact stays (D52)."""
    return written(version_of(version, include_evidence=include_evidence), version.bytes_count)


def answer_list(page: Page[Proposal]) -> bytes:
    return msgspec.json.encode(
        ProposalList(items=[summary_of(item) for item in page.items], next_cursor=page.next_cursor)
    )


def answer_transition(proposal: Proposal, event: ProposalEvent, approval: ProposalApproval | None) -> bytes:
    """What a transition, or an approval with its record, left."""
    return msgspec.json.encode(
        Transitioned(
            proposal_id=proposal.proposal_id,
            current_state=proposal.state,
            latest_workflow_event=event_of(event),
            approval=approval_of(approval) if approval is not None else None,
        )
    )


def answer_timeline(proposal: Proposal, events: Page[ProposalEvent]) -> bytes:
    """Events of a proposal; its state is that of the last, which may have come since it was read."""
    is_last = bool(events.items) and events.next_cursor is None
    state = events.items[-1].to_state if is_last else proposal.state
    return msgspec.json.encode(
        Timeline(
            proposal_id=proposal.proposal_id,
            current_state=state,
            events=[event_of(event) for event in events.items],
            next_cursor=events.next_cursor,
        )
    )


def answer_approvals(proposal_id: str, approvals: Page[ProposalApproval]) -> bytes:
    return msgspec.json.encode(
        Approvals(
            proposal_id=proposal_id,
            approvals=[approval_of(approval) for approval in approvals.items],
            next_cursor=approvals.next_cursor,
        )
    )


def answer_lineage(lineage: Lineage) -> bytes:
    """The versions of a proposal, with the edges they brought."""
    return msgspec.json.encode(
        ProposalLineage(
            proposal=summary_of(lineage.proposal),
            versions=[lineage_of(version) for version in lineage.versions.items],
            edges=[edge_of(edge) for edge in lineage.edges],
            next_cursor=lineage.versions.next_cursor,
        )
    )


def answer_key(key: ProposalKey) -> bytes:
    """What a key stands for; the answer that is kept under it is not shown."""
    return msgspec.json.encode(
        ProposalKeyLookup(
            idempotency_key=key.idempotency_key,
            request_hash=key.request_hash,
            proposal_id=key.proposal_id,
            proposal_version_no=key.version_no,
            created_at=key.created_at.isoformat(),
        )
    )


STORED = Answers(created=answer_created, moved=answer_transition)
