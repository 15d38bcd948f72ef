"""How proposals and what belongs to them lie in the rows of SQLite."""

from __future__ import annotations

import sqlite3
from typing import Any

from service.domains.proposals.documents import whole_key, whole_version
from service.domains.proposals.states import ApprovalType, ProposalEventType, ProposalState
from service.domains.proposals.values import (
    Proposal,
    ProposalApproval,
    ProposalEvent,
    ProposalKey,
    ProposalKeyScope,
    ProposalVersion,
    VersionHead,
)
from service.storage.sqlite.statements import instant_of, text_of


def values_of_key(key: ProposalKey) -> dict[str, object]:
    return {
        "tenant_id": key.tenant_id,
        "family": key.family.value,
        "scope": key.scope,
        "idempotency_key": key.idempotency_key,
        "request_hash": key.request_hash,
        "proposal_id": key.proposal_id,
        "version_no": key.version_no,
        "created_at": text_of(key.created_at),
        "answer": key.answer,
    }


def values_that_stay(proposal: Proposal) -> dict[str, object]:
    """What a proposal is, besides its name."""
    return {
        "portfolio_id": proposal.portfolio_id,
        "mandate_id": proposal.mandate_id,
        "jurisdiction": proposal.jurisdiction,
        "title": proposal.title,
        "advisor_notes": proposal.advisor_notes,
        "created_by": proposal.created_by,
        "created_at": text_of(proposal.created_at),
    }


def values_that_move(proposal: Proposal) -> dict[str, object]:
    """What an event leaves, with the name of the proposal."""
    return {
        "tenant_id": proposal.tenant_id,
        "proposal_id": proposal.proposal_id,
        "last_event_at": text_of(proposal.last_event_at),
        "state": proposal.state.value,
        "version_no": proposal.version_no,
        "version_status": proposal.version_status,
        "versioned_by": proposal.versioned_by,
        "revision": proposal.revision,
    }


def values_of_version(version: ProposalVersion) -> dict[str, object]:
    return {
        "tenant_id": version.tenant_id,
        "proposal_id": version.proposal_id,
        "version_no": version.version_no,
        "proposal_version_id": version.proposal_version_id,
        "created_by": version.created_by,
        "created_at": text_of(version.created_at),
        "status_at_creation": version.status_at_creation,
        "request_hash": version.request_hash,
        "simulation_hash": version.simulation_hash,
        "artifact_hash": version.artifact_hash,
        "artifact_id": version.artifact_id,
        "request": version.request,
        "result": version.result,
        "artifact": version.artifact,
        "evidence": version.evidence,
        "gate_decision": version.gate_decision,
    }


def values_of_event(event: ProposalEvent) -> dict[str, object]:
    return {
        "tenant_id": event.tenant_id,
        "proposal_id": event.proposal_id,
        "event_no": event.event_no,
        "event_id": event.event_id,
        "event_type": event.event_type.value,
        "from_state": None if event.from_state is None else event.from_state.value,
        "to_state": event.to_state.value,
        "actor_id": event.actor_id,
        "occurred_at": text_of(event.occurred_at),
        "related_version_no": event.related_version_no,
        "reason": event.reason,
    }


def values_of_approval(approval: ProposalApproval) -> dict[str, object]:
    return {
        "tenant_id": approval.tenant_id,
        "proposal_id": approval.proposal_id,
        "event_no": approval.event_no,
        "approval_id": approval.approval_id,
        "approval_type": approval.approval_type.value,
        "approved": int(approval.approved),
        "actor_id": approval.actor_id,
        "occurred_at": text_of(approval.occurred_at),
        "related_version_no": approval.related_version_no,
        "details": approval.details,
    }


def key_of(row: sqlite3.Row) -> ProposalKey:
    """Of a row with the documents of the version that the act brought, if it brought one."""
    stored = ProposalKey(
        tenant_id=row["tenant_id"],
        family=ProposalKeyScope(row["family"]),
        scope=row["scope"],
        idempotency_key=row["idempotency_key"],
        request_hash=row["request_hash"],
        proposal_id=row["proposal_id"],
        version_no=row["version_no"],
        created_at=instant_of(row["created_at"]),
        answer=row["answer"],
    )
    return whole_key(stored, row["result"], row["artifact"], row["evidence"])


def proposal_of(row: sqlite3.Row) -> Proposal:
    return Proposal(
        proposal_id=row["proposal_id"],
        tenant_id=row["tenant_id"],
        portfolio_id=row["portfolio_id"],
        mandate_id=row["mandate_id"],
        jurisdiction=row["jurisdiction"],
        title=row["title"],
        advisor_notes=row["advisor_notes"],
        created_by=row["created_by"],
        created_at=instant_of(row["created_at"]),
        last_event_at=instant_of(row["last_event_at"]),
        state=ProposalState(row["state"]),
        version_no=row["version_no"],
        version_status=row["version_status"],
        versioned_by=row["versioned_by"],
        revision=row["revision"],
    )


def version_of(row: sqlite3.Row) -> ProposalVersion:
    stored = ProposalVersion(
        **parts_of_head(row),
        artifact_id=row["artifact_id"],
        request=row["request"],
        result=row["result"],
        artifact=row["artifact"],
        evidence=row["evidence"],
        gate_decision=row["gate_decision"],
    )
    return whole_version(stored)


def head_of(row: sqlite3.Row) -> VersionHead:
    return VersionHead(**parts_of_head(row))


def parts_of_head(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "proposal_version_id": row["proposal_version_id"],
        "proposal_id": row["proposal_id"],
        "tenant_id": row["tenant_id"],
        "version_no": row["version_no"],
        "created_by": row["created_by"],
        "created_at": instant_of(row["created_at"]),
        "status_at_creation": row["status_at_creation"],
        "request_hash": row["request_hash"],
        "simulation_hash": row["simulation_hash"],
        "artifact_hash": row["artifact_hash"],
    }


def event_of(row: sqlite3.Row) -> ProposalEvent:
    return ProposalEvent(
        event_id=row["event_id"],
        proposal_id=row["proposal_id"],
        tenant_id=row["tenant_id"],
        event_no=row["event_no"],
        event_type=ProposalEventType(row["event_type"]),
        from_state=None if row["from_state"] is None else ProposalState(row["from_state"]),
        to_state=ProposalState(row["to_state"]),
        actor_id=row["actor_id"],
        occurred_at=instant_of(row["occurred_at"]),
        reason=row["reason"],
        related_version_no=row["related_version_no"],
    )


def approval_of(row: sqlite3.Row) -> ProposalApproval:
    return ProposalApproval(
        approval_id=row["approval_id"],
        proposal_id=row["proposal_id"],
        tenant_id=row["tenant_id"],
        event_no=row["event_no"],
        approval_type=ApprovalType(row["approval_type"]),
        approved=bool(row["approved"]),
        actor_id=row["actor_id"],
        occurred_at=instant_of(row["occurred_at"]),
        details=row["details"],
        related_version_no=row["related_version_no"],
    )
