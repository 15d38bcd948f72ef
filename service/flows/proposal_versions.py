"""From the body of a creation or a version to the documents that are kept; pure, so it may run anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from service.domains.canonical import canonical_json, digest_of
from service.domains.proposal_requests import (
    ProposalApprovalRequest,
    ProposalCreateRequest,
    ProposalSimulateRequest,
    ProposalStateTransitionRequest,
    ProposalVersionRequest,
)
from service.flows.costs import proposal_steps
from service.flows.proposal_computing import ReadProposal, artifact_of_result, simulate_proposal
from service.flows.proposal_parts import NO_EVIDENCE
from service.flows.result_sizes import RESULT_BYTES_MAX, require_within


@dataclass(frozen=True, slots=True)
class ProposalReaders:
    """How bytes become requests: the edge's business. Each raises RequestInvalid or JsonTooDeep.

    Module-level functions, for they also run in workers.
    """

    simulate: ReadProposal
    create: Callable[[bytes], ProposalCreateRequest]
    version: Callable[[bytes], ProposalVersionRequest]
    transition: Callable[[bytes], ProposalStateTransitionRequest]
    approval: Callable[[bytes], ProposalApprovalRequest]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a creation or a version asks for; `request` is what is to be simulated, in canonical JSON."""

    created_by: str
    portfolio_id: str
    simulation_enabled: bool
    request_hash: str
    request: bytes
    body: bytes
    # What the simulation costs.
    steps: int
    mandate_id: str | None = None
    jurisdiction: str | None = None
    title: str | None = None
    advisor_notes: str | None = None
    expected_revision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """What a version keeps of its simulation; all but the ids and hashes are JSON."""

    artifact_id: str
    status: str
    artifact_hash: str
    simulation_hash: str
    result: bytes
    artifact: bytes
    evidence: bytes
    gate_decision: bytes | None


class _Outcome(msgspec.Struct, frozen=True):
    status: str
    gate_decision: msgspec.Raw


class _Evidence(msgspec.Struct, frozen=True):
    evidence_bundle: msgspec.Raw


_NULL = b"null"


def read_creation(readers: ProposalReaders, body: bytes) -> Asked:
    """The hash is over the whole request, author and metadata included (HTTP contract, section 9)."""
    asked = readers.create(body)
    metadata = asked.metadata
    canonical = canonical_json(asked)
    return Asked(
        created_by=asked.created_by,
        portfolio_id=asked.simulate_request.portfolio_snapshot.portfolio_id,
        simulation_enabled=asked.simulate_request.options.enable_proposal_simulation,
        request_hash=digest_of(canonical),
        request=canonical_json(asked.simulate_request),
        body=canonical,
        steps=proposal_steps(asked.simulate_request),
        mandate_id=metadata.mandate_id,
        jurisdiction=metadata.jurisdiction,
        title=metadata.title,
        advisor_notes=metadata.advisor_notes,
    )


def read_version(readers: ProposalReaders, body: bytes) -> Asked:
    """The hash leaves the expected revision out, so that it stays what it was before there was one."""
    asked = readers.version(body)
    contracted = {"created_by": asked.created_by, "simulate_request": asked.simulate_request}
    return Asked(
        created_by=asked.created_by,
        portfolio_id=asked.simulate_request.portfolio_snapshot.portfolio_id,
        simulation_enabled=asked.simulate_request.options.enable_proposal_simulation,
        request_hash=digest_of(canonical_json(contracted)),
        request=canonical_json(asked.simulate_request),
        body=canonical_json(asked),
        steps=proposal_steps(asked.simulate_request),
        expected_revision=asked.expected_revision,
    )


def simulate_asked(
    read: ReadProposal,
    asked: Asked,
    correlation_id: str,
    idempotency_key: str | None,
    bytes_max: int = RESULT_BYTES_MAX,
) -> bytes:
    """The result of what was asked for, in the bytes that are kept and answered. Raises ResultTooLarge."""
    request: ProposalSimulateRequest = read(asked.request)
    simulated = simulate_proposal(
        request, asked.request, asked.request_hash, correlation_id, idempotency_key, bytes_max
    )
    return simulated.result


def build_documents(
    read: ReadProposal,
    request: bytes,
    result: bytes,
    created_at: datetime,
    evidence_kept: bool,
    bytes_max: int = RESULT_BYTES_MAX,
) -> Documents:
    """The artifact of a result with its parts and hashes; the same at every call.

    Raises ResultTooLarge where all of them, which are answered together, are more than `bytes_max`.
    """
    artifact = artifact_of_result(read, request, result, created_at)
    outcome = msgspec.json.decode(result, type=_Outcome)
    gate = bytes(outcome.gate_decision)
    evidence = msgspec.json.decode(artifact.body, type=_Evidence).evidence_bundle
    parts = (result, artifact.body, bytes(evidence), gate)
    require_within(sum(map(len, parts)), bytes_max)
    return Documents(
        artifact_id=artifact.artifact_id,
        status=outcome.status,
        artifact_hash=artifact.artifact_hash,
        simulation_hash=digest_of(canonical_json(msgspec.json.decode(result))),
        result=result,
        artifact=artifact.body,
        evidence=bytes(evidence) if evidence_kept else NO_EVIDENCE,
        gate_decision=None if gate == _NULL else gate,
    )
