"""The parts that answers about proposals are put together from (HTTP contract 8.5).

Documents are the stored bytes. `revision` is ours, and comes last in a summary.
"""

from __future__ import annotations

import msgspec

from service.domains.proposals.values import (
    Proposal,
    ProposalApproval,
    ProposalEvent,
    ProposalVersion,
    VersionHead,
)

NO_EVIDENCE = b"{}"


class ProposalSummary(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalSummary`; an adviser's notes are kept and shown to nobody."""

    proposal_id: str
    portfolio_id: str
    mandate_id: str | None
    jurisdiction: str | None
    created_by: str
    created_at: str
    last_event_at: str
    current_state: str
    current_version_no: int
    title: str | None
    revision: int


class VersionDetail(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalVersionDetail`."""

    proposal_version_id: str
    proposal_id: str
    version_no: int
    created_at: str
    request_hash: str
    artifact_hash: str
    simulation_hash: str
    status_at_creation: str
    proposal_result: msgspec.Raw
    artifact: msgspec.Raw
    evidence_bundle: msgspec.Raw
    gate_decision: msgspec.Raw | None


class WorkflowEvent(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalWorkflowEvent`."""

    event_id: str
    proposal_id: str
    event_type: str
    from_state: str | None
    to_state: str
    actor_id: str
    occurred_at: str
    reason: msgspec.Raw
    related_version_no: int | None


class ApprovalRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalApprovalRecord`."""

    approval_id: str
    proposal_id: str
    approval_type: str
    approved: bool
    actor_id: str
    occurred_at: str
    details: msgspec.Raw
    related_version_no: int | None


class LineageVersion(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalVersionLineageItem`."""

    proposal_version_id: str
    version_no: int
    created_at: str
    status_at_creation: str
    request_hash: str
    simulation_hash: str
    artifact_hash: str


def summary_of(proposal: Proposal) -> ProposalSummary:
    return ProposalSummary(
        proposal_id=proposal.proposal_id,
        portfolio_id=proposal.portfolio_id,
        mandate_id=proposal.mandate_id,
        jurisdiction=proposal.jurisdiction,
        created_by=proposal.created_by,
        created_at=proposal.created_at.isoformat(),
        last_event_at=proposal.last_event_at.isoformat(),
        current_state=proposal.state.value,
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
        event_type=event.event_type.value,
        from_state=event.from_state.value if event.from_state is not None else None,
        to_state=event.to_state.value,
        actor_id=event.actor_id,
        occurred_at=event.occurred_at.isoformat(),
        reason=msgspec.Raw(event.reason),
        related_version_no=event.related_version_no,
    )


def approval_of(approval: ProposalApproval) -> ApprovalRecord:
    return ApprovalRecord(
        approval_id=approval.approval_id,
        proposal_id=approval.proposal_id,
        approval_type=approval.approval_type.value,
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
