"""Proposals and what may happen to them; every field has a default, and every default is valid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from service.domains.dpm_runs.values import DEFAULT_TENANT
from service.domains.lineage import Edge
from service.domains.proposals.simulations import ProposalSimulation
from service.domains.proposals.states import (
    APPROVALS,
    TRANSITIONS,
    ApprovalType,
    ProposalEventType,
    ProposalState,
)
from service.domains.proposals.values import (
    NO_PROPOSAL,
    Proposal,
    ProposalApproval,
    ProposalChange,
    ProposalEvent,
    ProposalFilter,
    ProposalKey,
    ProposalKeyScope,
    ProposalVersion,
    VersionHead,
)
from tests.integration.contract.builders import AT, ODD_BYTES, an_id

E = ProposalEventType
REQUEST_HASH = "sha256:" + "a" * 64
ALL_PROPOSALS = ProposalFilter()

# The events that lead from the creation to each state.
WAYS = {
    ProposalState.DRAFT: (),
    ProposalState.RISK_REVIEW: (E.SUBMITTED_FOR_RISK_REVIEW,),
    ProposalState.COMPLIANCE_REVIEW: (E.SUBMITTED_FOR_COMPLIANCE_REVIEW,),
    ProposalState.AWAITING_CLIENT_CONSENT: (E.SUBMITTED_FOR_RISK_REVIEW, E.RISK_APPROVED),
    ProposalState.EXECUTION_READY: (
        E.SUBMITTED_FOR_RISK_REVIEW,
        E.RISK_APPROVED,
        E.CLIENT_CONSENT_RECORDED,
    ),
    ProposalState.EXECUTED: (
        E.SUBMITTED_FOR_RISK_REVIEW,
        E.RISK_APPROVED,
        E.CLIENT_CONSENT_RECORDED,
        E.EXECUTED,
    ),
    ProposalState.REJECTED: (E.SUBMITTED_FOR_COMPLIANCE_REVIEW, E.REJECTED),
    ProposalState.CANCELLED: (E.CANCELLED,),
    ProposalState.EXPIRED: (
        E.SUBMITTED_FOR_COMPLIANCE_REVIEW,
        E.COMPLIANCE_APPROVED,
        E.CLIENT_CONSENT_RECORDED,
        E.EXPIRED,
    ),
}


def a_proposal(**fields: Any) -> Proposal:
    """A proposal as its creation leaves it."""
    created_at = fields.get("created_at", AT)
    created_by = fields.get("created_by", "adviser-1")
    given: dict[str, Any] = {
        "proposal_id": an_id("pp"),
        "tenant_id": DEFAULT_TENANT,
        "portfolio_id": "pf-1",
        "mandate_id": "mandate-1",
        "jurisdiction": "CH",
        "title": "Zürich \N{MIDDLE DOT} 日本",
        "advisor_notes": None,
        "created_by": created_by,
        "created_at": created_at,
        "last_event_at": created_at,
        "state": ProposalState.DRAFT,
        "version_no": 1,
        "version_status": "READY",
        "versioned_by": created_by,
        "revision": 1,
    }
    return Proposal(**(given | fields))


def a_version(proposal: Proposal, **fields: Any) -> ProposalVersion:
    """The version that is current in a proposal."""
    version_id = fields.pop("proposal_version_id", None) or an_id("ppv")
    given: dict[str, Any] = {
        "proposal_version_id": version_id,
        "proposal_id": proposal.proposal_id,
        "tenant_id": proposal.tenant_id,
        "version_no": proposal.version_no,
        "created_by": proposal.versioned_by,
        "created_at": proposal.last_event_at,
        "status_at_creation": proposal.version_status,
        "request_hash": REQUEST_HASH,
        "simulation_hash": "sha256:" + "b" * 64,
        "artifact_hash": "sha256:" + "d" * 64,
        "artifact_id": f"artifact_of_{version_id}",
        "request": ODD_BYTES,
        "result": b'{"version":"' + version_id.encode() + b'"}',
        "artifact": b'{"artifact":true}',
        "evidence": b'{"evidence":[]}',
        "gate_decision": b'{"gate":"NONE"}',
    }
    return ProposalVersion(**(given | fields))


def head_of_version(version: ProposalVersion) -> VersionHead:
    return VersionHead(
        proposal_version_id=version.proposal_version_id,
        proposal_id=version.proposal_id,
        tenant_id=version.tenant_id,
        version_no=version.version_no,
        created_by=version.created_by,
        created_at=version.created_at,
        status_at_creation=version.status_at_creation,
        request_hash=version.request_hash,
        simulation_hash=version.simulation_hash,
        artifact_hash=version.artifact_hash,
    )


def an_event(proposal: Proposal, event_type: ProposalEventType, **fields: Any) -> ProposalEvent:
    """The event that leaves a proposal as it is."""
    given: dict[str, Any] = {
        "event_id": an_id("pwe"),
        "proposal_id": proposal.proposal_id,
        "tenant_id": proposal.tenant_id,
        "event_no": proposal.revision,
        "event_type": event_type,
        "from_state": None,
        "to_state": proposal.state,
        "actor_id": "adviser-1",
        "occurred_at": proposal.last_event_at,
        "reason": b'{"comment":"\xe6\x97\xa5"}',
        "related_version_no": None,
    }
    return ProposalEvent(**(given | fields))


def a_creation(
    *,
    key: str | None = None,
    request_hash: str = REQUEST_HASH,
    cause_id: str | None = None,
    version: dict[str, Any] | None = None,
    event: dict[str, Any] | None = None,
    **fields: Any,
) -> ProposalChange:
    """The creation of a proposal, under a key if one is given."""
    proposal = a_proposal(**fields)
    change = ProposalChange(
        proposal=proposal,
        event=an_event(proposal, E.CREATED, **({"related_version_no": 1} | (event or {}))),
        version=a_version(proposal, **({"request_hash": request_hash} | (version or {}))),
        cause_id=cause_id,
    )
    return change if key is None else under_key(change, key, request_hash)


def a_step(
    proposal: Proposal, event_type: ProposalEventType, *, actor_id: str = "adviser-1", **fields: Any
) -> ProposalChange:
    """A move of a proposal that is as given; approvals come with what was said."""
    to_state = TRANSITIONS[proposal.state, event_type]
    approval_types = {event: kind for kind, (_, event) in APPROVALS.items()}
    if event_type in approval_types:
        return an_approval(proposal, approval_types[event_type], actor_id=actor_id, **fields)
    moved = moved_on(proposal, state=to_state, **fields)
    return ProposalChange(
        proposal=moved, event=an_event(moved, event_type, from_state=proposal.state, actor_id=actor_id)
    )


def an_approval(
    proposal: Proposal,
    approval_type: ApprovalType,
    *,
    approved: bool = True,
    actor_id: str = "officer-1",
    related_version_no: int | None = None,
    approval_id: str | None = None,
    **fields: Any,
) -> ProposalChange:
    given_in, event_type = APPROVALS[approval_type]
    event_type = event_type if approved else E.REJECTED
    moved = moved_on(proposal, state=TRANSITIONS[given_in, event_type], **fields)
    said = {"actor_id": actor_id, "related_version_no": related_version_no}
    return ProposalChange(
        proposal=moved,
        event=an_event(moved, event_type, from_state=proposal.state, **said),
        approval=ProposalApproval(
            approval_id=approval_id or an_id("pap"),
            proposal_id=moved.proposal_id,
            tenant_id=moved.tenant_id,
            event_no=moved.revision,
            approval_type=approval_type,
            approved=approved,
            occurred_at=moved.last_event_at,
            details=ODD_BYTES,
            **said,
        ),
    )


def a_new_version(
    proposal: Proposal,
    *,
    created_by: str = "adviser-2",
    cause_id: str | None = None,
    version: dict[str, Any] | None = None,
    event: dict[str, Any] | None = None,
    **fields: Any,
) -> ProposalChange:
    given: dict[str, Any] = {
        "state": ProposalState.DRAFT,
        "version_no": proposal.version_no + 1,
        "versioned_by": created_by,
    }
    moved = moved_on(proposal, **(given | fields))
    about = {"actor_id": created_by, "from_state": proposal.state, "related_version_no": moved.version_no}
    return ProposalChange(
        proposal=moved,
        event=an_event(moved, E.NEW_VERSION_CREATED, **(about | (event or {}))),
        version=a_version(moved, **(version or {})),
        cause_id=cause_id,
    )


def moved_on(proposal: Proposal, **fields: Any) -> Proposal:
    return replace(proposal, **({"revision": proposal.revision + 1} | fields))


def family_of(change: ProposalChange) -> ProposalKeyScope:
    """The family of the act that a change is."""
    if change.is_creation:
        return ProposalKeyScope.CREATE
    if change.version is not None:
        return ProposalKeyScope.VERSION
    return ProposalKeyScope.TRANSITION if change.approval is None else ProposalKeyScope.APPROVAL


def a_key(
    change: ProposalChange, idempotency_key: str = "key-1", request_hash: str = REQUEST_HASH, **fields: Any
) -> ProposalKey:
    """A key of the act that a change is, with an answer that tells the change from all others."""
    given: dict[str, Any] = {
        "tenant_id": change.proposal.tenant_id,
        "family": family_of(change),
        "scope": NO_PROPOSAL if change.is_creation else change.proposal.proposal_id,
        "idempotency_key": idempotency_key,
        "request_hash": request_hash,
        "proposal_id": change.proposal.proposal_id,
        "version_no": change.proposal.version_no,
        "created_at": change.proposal.last_event_at,
        "answer": ODD_BYTES + change.event.event_id.encode(),
    }
    return ProposalKey(**(given | fields))


def under_key(
    change: ProposalChange, idempotency_key: str = "key-1", request_hash: str = REQUEST_HASH
) -> ProposalChange:
    return replace(change, key=a_key(change, idempotency_key, request_hash))


def changes_to(state: ProposalState, **fields: Any) -> list[ProposalChange]:
    """A creation and the moves after it that lead to a state."""
    changes = [a_creation(**fields)]
    for event_type in WAYS[state]:
        changes.append(a_step(changes[-1].proposal, event_type))
    return changes


def edges_of(*changes: ProposalChange) -> tuple[Edge, ...]:
    """The edges that the changes of one proposal bring, one after the other."""
    versions = [change for change in changes if change.version is not None]
    ids = [change.version.proposal_version_id for change in versions if change.version is not None]
    return tuple(
        edge
        for change, previous_id in zip(versions, [None, *ids], strict=False)
        for edge in change.edges(previous_id)
    )


def a_simulation(**fields: Any) -> ProposalSimulation:
    given: dict[str, Any] = {
        "tenant_id": DEFAULT_TENANT,
        "idempotency_key": "key-1",
        "request_hash": REQUEST_HASH,
        "request": ODD_BYTES,
        "result": b'{"run":"' + an_id("pr").encode() + b'"}',
        "created_at": AT,
    }
    return ProposalSimulation(**(given | fields))
