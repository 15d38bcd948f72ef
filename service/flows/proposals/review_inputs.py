"""From the body of a transition or an approval to what is decided on; pure, so it may run anywhere.

What a caller says freely, a reason or details, may be large: it is written as JSON here, and stays bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from service.domains.proposals.rules import Expected
from service.domains.proposals.states import ApprovalType, ProposalEventType, ProposalState
from service.domains.values.canonical import canonical_json_of_numbers, digest_of
from service.flows.proposals.events import JSON, ReviewInput
from service.flows.proposals.versions import ProposalReaders


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionInput:
    """The event that is asked for."""

    event_type: ProposalEventType
    related_version_no: int | None
    expected: Expected
    said: ReviewInput


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalInput:
    """The approval that is given or refused."""

    approval_type: ApprovalType
    related_version_no: int | None
    expected: Expected
    said: ReviewInput


def read_transition(readers: ProposalReaders, body: bytes) -> TransitionInput:
    """Raises RequestInvalid, JsonTooDeep."""
    asked = readers.transition(body)
    return TransitionInput(
        event_type=ProposalEventType(asked.event_type),
        related_version_no=asked.related_version_no,
        expected=expected_of(asked.expected_state, asked.expected_revision),
        said=ReviewInput(
            actor_id=asked.actor_id,
            reason=JSON.encode(asked.reason),
            request_hash=digest_of(canonical_json_of_numbers(asked)),
        ),
    )


def read_approval(readers: ProposalReaders, body: bytes) -> ApprovalInput:
    """Raises RequestInvalid, JsonTooDeep."""
    asked = readers.approval(body)
    approval_type = ApprovalType(asked.approval_type)
    return ApprovalInput(
        approval_type=approval_type,
        related_version_no=asked.related_version_no,
        expected=expected_of(asked.expected_state, asked.expected_revision),
        said=ReviewInput(
            actor_id=asked.actor_id,
            reason=JSON.encode(asked.details),
            request_hash=digest_of(canonical_json_of_numbers(asked)),
            approval_type=approval_type,
            approved=asked.approved,
        ),
    )


def expected_of(state: str | None, revision: int | None) -> Expected:
    return Expected(state=None if state is None else ProposalState(state), revision=revision)
