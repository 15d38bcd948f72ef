"""The parts that answers about proposals are put together from (HTTP contract 8.5).

Documents are the stored bytes. `revision` is ours, and comes last in a summary.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from service.domains.proposals.artifacts import ArtifactDocument
from service.domains.proposals.results import ProposalResult
from service.domains.proposals.states import ApprovalType, ProposalEventType, ProposalState
from service.domains.proposals.values import (
    NO_EVIDENCE,
    Proposal,
    ProposalApproval,
    ProposalEvent,
    ProposalVersion,
    VersionHead,
)
from service.domains.rebalances.results.gates import GateDecision
from service.domains.rebalances.results.values import RunStatusText
from service.domains.values.ids import ActorId, PortfolioId, ProposalId, ProposalVersionId, RequestHash
from service.domains.values.published import document, published


class ProposalSummary(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalSummary`; an adviser's notes are kept and never shown."""

    proposal_id: ProposalId
    portfolio_id: PortfolioId
    mandate_id: str | None
    """Mandate that the proposal is for; null where none was named."""
    jurisdiction: str | None
    """Booking centre; null where none was named."""
    created_by: str
    """Who created the proposal, as the caller named them."""
    created_at: str
    """Instant at which the proposal was created, in UTC."""
    last_event_at: str
    """Instant of its latest event, in UTC."""
    current_state: ProposalState
    """Where the proposal stands.

    Values as of `service.domains.proposals.states.ProposalState`.
    """
    current_version_no: int
    """Number of its latest version, from 1."""
    title: str | None
    """Title that lists show; null where it has none."""
    revision: int
    """Number of its latest event, from 1; grows by one with every change."""


@published("ProposalVersionDetail")
class VersionDetail(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalVersionDetail`."""

    proposal_version_id: ProposalVersionId
    proposal_id: ProposalId
    version_no: int
    """Number of the version, from 1."""
    created_at: str
    """Instant at which the version was created, in UTC."""
    request_hash: RequestHash
    artifact_hash: str
    """`sha256:` and the hash of the artifact."""
    simulation_hash: str
    """`sha256:` and the hash of the result."""
    status_at_creation: Annotated[str, document(RunStatusText)]
    """What the simulation of the version came to.

    Values as of `service.domains.rebalances.results.values.RunStatusText`.
    """
    proposal_result: Annotated[msgspec.Raw, document(ProposalResult)]
    """The whole result of the simulation."""
    artifact: Annotated[msgspec.Raw, document(ArtifactDocument)]
    """Artifact of the version: what a client is shown, and the evidence for it."""
    evidence_bundle: Annotated[msgspec.Raw, document(dict[str, Any])]
    """Evidence for the artifact; empty where it is not kept or was not asked for."""
    gate_decision: Annotated[msgspec.Raw | None, document(GateDecision | None)]
    """Who has to act next; null where workflow gates were off."""


@published("ProposalWorkflowEvent")
class WorkflowEvent(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalWorkflowEvent`."""

    event_id: str
    """Id of the event: `pwe_` and 32 hexadecimal digits."""
    proposal_id: ProposalId
    event_type: ProposalEventType
    """What happened.

    Values as of `service.domains.proposals.states.ProposalEventType`.
    """
    from_state: ProposalState | None
    """State before the event; null for the first one.

    Values as of `service.domains.proposals.states.ProposalState`.
    """
    to_state: ProposalState
    """State after the event.

    Values as of `service.domains.proposals.states.ProposalState`.
    """
    actor_id: ActorId
    occurred_at: str
    """Instant of the event, in UTC."""
    reason: Annotated[msgspec.Raw, document(dict[str, Any])]
    """Free members: why, as the caller says it; of an approval its details; of a version the id of its
    request, and the approvals that it voids."""
    related_version_no: int | None
    """Number of the version that the event is about; null where none is."""


@published("ProposalApprovalRecord")
class ApprovalRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalApprovalRecord`."""

    approval_id: str
    """Id of the approval: `pap_` and 32 hexadecimal digits."""
    proposal_id: ProposalId
    approval_type: ApprovalType
    """Whose approval it is.

    Values as of `service.domains.proposals.states.ApprovalType`.
    """
    approved: bool
    """Whether it was given; false rejected the proposal."""
    actor_id: ActorId
    occurred_at: str
    """Instant of the approval, in UTC."""
    details: Annotated[msgspec.Raw, document(dict[str, Any])]
    """Free members that the caller sent."""
    related_version_no: int | None
    """Number of the version that the approval is about; null where none is."""


@published("ProposalVersionLineageItem")
class LineageVersion(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalVersionLineageItem`."""

    proposal_version_id: ProposalVersionId
    version_no: int
    """Number of the version, from 1."""
    created_at: str
    """Instant at which the version was created, in UTC."""
    status_at_creation: Annotated[str, document(RunStatusText)]
    """What the simulation of the version came to.

    Values as of `service.domains.rebalances.results.values.RunStatusText`.
    """
    request_hash: RequestHash
    simulation_hash: str
    """`sha256:` and the hash of the result."""
    artifact_hash: str
    """`sha256:` and the hash of the artifact."""


def summary_of(proposal: Proposal) -> ProposalSummary:
    return ProposalSummary(
        proposal_id=proposal.proposal_id,
        portfolio_id=proposal.portfolio_id,
        mandate_id=proposal.mandate_id,
        jurisdiction=proposal.jurisdiction,
        created_by=proposal.created_by,
        created_at=proposal.created_at.isoformat(),
        last_event_at=proposal.last_event_at.isoformat(),
        current_state=proposal.state,
        current_version_no=proposal.version_no,
        title=proposal.title,
        revision=proposal.revision,
    )


def version_of(version: ProposalVersion, *, include_evidence: bool) -> VersionDetail:
    return VersionDetail(
        proposal_version_id=version.proposal_version_id,
        proposal_id=version.proposal_id,
        version_no=version.version_no,
        created_at=version.created_at.isoformat(),
        request_hash=version.request_hash,
        artifact_hash=version.artifact_hash,
        simulation_hash=version.simulation_hash,
        status_at_creation=version.status_at_creation,
        proposal_result=msgspec.Raw(version.result),
        artifact=msgspec.Raw(version.artifact),
        evidence_bundle=msgspec.Raw(version.evidence if include_evidence else NO_EVIDENCE),
        gate_decision=raw_of(version.gate_decision),
    )


def event_of(event: ProposalEvent) -> WorkflowEvent:
    return WorkflowEvent(
        event_id=event.event_id,
        proposal_id=event.proposal_id,
        event_type=event.event_type,
        from_state=event.from_state,
        to_state=event.to_state,
        actor_id=event.actor_id,
        occurred_at=event.occurred_at.isoformat(),
        reason=msgspec.Raw(event.reason),
        related_version_no=event.related_version_no,
    )


def approval_of(approval: ProposalApproval) -> ApprovalRecord:
    return ApprovalRecord(
        approval_id=approval.approval_id,
        proposal_id=approval.proposal_id,
        approval_type=approval.approval_type,
        approved=approval.approved,
        actor_id=approval.actor_id,
        occurred_at=approval.occurred_at.isoformat(),
        details=msgspec.Raw(approval.details),
        related_version_no=approval.related_version_no,
    )


def lineage_of(version: VersionHead) -> LineageVersion:
    return LineageVersion(
        proposal_version_id=version.proposal_version_id,
        version_no=version.version_no,
        created_at=version.created_at.isoformat(),
        status_at_creation=version.status_at_creation,
        request_hash=version.request_hash,
        simulation_hash=version.simulation_hash,
        artifact_hash=version.artifact_hash,
    )


def raw_of(document: bytes | None) -> msgspec.Raw | None:
    return msgspec.Raw(document) if document is not None else None
