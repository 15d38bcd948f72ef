"""Builds the events of proposals with all that comes with them; pure, and decided on what was read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from service.domains.callers import Caller
from service.domains.proposals.rules import ProposalRules, Step, decide_version
from service.domains.proposals.states import ApprovalType, ProposalEventType, ProposalState
from service.domains.proposals.values import (
    NO_PROPOSAL,
    Proposal,
    ProposalApproval,
    ProposalChange,
    ProposalEvent,
    ProposalKey,
    ProposalKeyScope,
    ProposalVersion,
)
from service.flows.proposals.versions import Command, Documents
from service.runtime.clock import NewId

# What a caller says is free JSON; its numbers stay numbers.
JSON = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """What came beside a body: the key, if any, and the correlation id, if one was sent or else drawn."""

    idempotency_key: str | None
    correlation_id: str | None
    drawn_id: str | None = None
    cause_id: str | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """Writes the answers that a key repeats; how they are spelled is the business of the edge."""

    created: Callable[[Proposal, ProposalVersion, ProposalEvent], bytes]
    moved: Callable[[Proposal, ProposalEvent, ProposalApproval | None], bytes]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A change and the bytes its caller gets."""

    change: ProposalChange
    answer: bytes


def drawn(new_id: NewId, *prefixes: str) -> NewId:
    """Ids that are drawn now, one of each prefix, and given out in a thread or here."""
    ids = {prefix: new_id(prefix) for prefix in prefixes}

    def give(prefix: str) -> str:
        return ids[prefix]

    return give


def creation(
    caller: Caller,
    new_id: NewId,
    answers: Answers,
    asked: Command,
    documents: Documents,
    sent: RequestContext,
    at: datetime,
) -> Prepared:
    """The first event of a proposal, which brings its first version; one instant serves for everything."""
    assert sent.idempotency_key is not None, "a creation has a key"
    proposal = Proposal(
        proposal_id=new_id("pp"),
        tenant_id=caller.tenant_id,
        portfolio_id=asked.portfolio_id,
        mandate_id=asked.mandate_id,
        jurisdiction=asked.jurisdiction,
        title=asked.title,
        advisor_notes=asked.advisor_notes,
        created_by=asked.created_by,
        created_at=at,
        last_event_at=at,
        state=ProposalState.DRAFT,
        version_no=1,
        version_status=documents.status,
        versioned_by=asked.created_by,
        revision=1,
    )
    version = version_of(new_id, proposal, asked, documents, at)
    step = Step(ProposalEventType.CREATED, proposal.state, 1)
    event = event_of(new_id, proposal, None, step, asked.created_by, at, JSON.encode(reason_of(sent)))
    answer = answers.created(proposal, version, event)
    key = key_of(ProposalKeyScope.CREATE, NO_PROPOSAL, sent, asked.request_hash, proposal, at, answer)
    return Prepared(
        ProposalChange(proposal=proposal, event=event, version=version, key=key, cause_id=sent.cause_id),
        answer,
    )


def new_version(
    new_id: NewId,
    answers: Answers,
    before: Proposal,
    asked: Command,
    documents: Documents,
    approvals: Sequence[ProposalApproval],
    sent: RequestContext,
    rules: ProposalRules,
    at: datetime,
) -> Prepared:
    """The event that brings the next version; what was approved and consented to so far is void with it."""
    step = decide_version(before, rules)
    proposal = replace(
        before,
        state=step.to_state,
        version_no=before.version_no + 1,
        version_status=documents.status,
        versioned_by=asked.created_by,
        last_event_at=at,
        revision=before.revision + 1,
    )
    version = version_of(new_id, proposal, asked, documents, at)
    reason = reason_of(sent)
    if rules.new_version_to_draft:
        reason["returned_to_draft"] = before.state is not ProposalState.DRAFT
        reason["voided_approvals"] = [one.approval_id for one in approvals if one.approved]
    event = event_of(new_id, proposal, before.state, step, asked.created_by, at, JSON.encode(reason))
    answer = answers.created(proposal, version, event)
    key = key_of(ProposalKeyScope.VERSION, before.proposal_id, sent, asked.request_hash, proposal, at, answer)
    return Prepared(
        ProposalChange(proposal=proposal, event=event, version=version, key=key, cause_id=sent.cause_id),
        answer,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewInput:
    """What a reviewer said: with `approval_type` it is an approval, given or refused, and leaves a record.

    The reason is JSON.
    """

    actor_id: str
    reason: bytes
    request_hash: str
    approval_type: ApprovalType | None = None
    approved: bool = False


def move(
    new_id: NewId,
    answers: Answers,
    before: Proposal,
    step: Step,
    said: ReviewInput,
    sent: RequestContext,
    at: datetime,
) -> Prepared:
    """The event of a transition or an approval."""
    proposal = replace(before, state=step.to_state, last_event_at=at, revision=before.revision + 1)
    event = event_of(new_id, proposal, before.state, step, said.actor_id, at, said.reason)
    approval = None
    family = ProposalKeyScope.TRANSITION
    if said.approval_type is not None:
        family = ProposalKeyScope.APPROVAL
        approval = ProposalApproval(
            approval_id=new_id("pap"),
            proposal_id=proposal.proposal_id,
            tenant_id=proposal.tenant_id,
            event_no=event.event_no,
            approval_type=said.approval_type,
            approved=said.approved,
            actor_id=said.actor_id,
            occurred_at=at,
            details=event.reason,
            related_version_no=step.related_version_no,
        )
    answer = answers.moved(proposal, event, approval)
    key = key_of(family, proposal.proposal_id, sent, said.request_hash, proposal, at, answer)
    return Prepared(ProposalChange(proposal=proposal, event=event, approval=approval, key=key), answer)


def version_of(
    new_id: NewId, proposal: Proposal, asked: Command, documents: Documents, at: datetime
) -> ProposalVersion:
    return ProposalVersion(
        proposal_version_id=new_id("ppv"),
        proposal_id=proposal.proposal_id,
        tenant_id=proposal.tenant_id,
        version_no=proposal.version_no,
        created_by=asked.created_by,
        created_at=at,
        status_at_creation=documents.status,
        request_hash=asked.request_hash,
        simulation_hash=documents.simulation_hash,
        artifact_hash=documents.artifact_hash,
        artifact_id=documents.artifact_id,
        request=asked.request,
        result=documents.result,
        artifact=documents.artifact,
        evidence=documents.evidence,
        gate_decision=documents.gate_decision,
    )


def event_of(
    new_id: NewId,
    proposal: Proposal,
    from_state: ProposalState | None,
    step: Step,
    actor_id: str,
    at: datetime,
    reason: bytes,
) -> ProposalEvent:
    return ProposalEvent(
        event_id=new_id("pwe"),
        proposal_id=proposal.proposal_id,
        tenant_id=proposal.tenant_id,
        event_no=proposal.revision,
        event_type=step.event_type,
        from_state=from_state,
        to_state=step.to_state,
        actor_id=actor_id,
        occurred_at=at,
        reason=reason,
        related_version_no=step.related_version_no,
    )


def key_of(
    family: ProposalKeyScope,
    scope: str,
    sent: RequestContext,
    request_hash: str,
    proposal: Proposal,
    at: datetime,
    answer: bytes,
) -> ProposalKey | None:
    if sent.idempotency_key is None:
        return None
    return ProposalKey(
        tenant_id=proposal.tenant_id,
        family=family,
        scope=scope,
        idempotency_key=sent.idempotency_key,
        request_hash=request_hash,
        proposal_id=proposal.proposal_id,
        version_no=proposal.version_no,
        created_at=at,
        answer=answer,
    )


def reason_of(sent: RequestContext) -> dict[str, Any]:
    """Only an id that the caller sent is told; a drawn one says nothing."""
    return {} if sent.correlation_id is None else {"correlation_id": sent.correlation_id}
