"""From the body of a creation or a version to the documents that are kept; pure, so it may run anywhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import msgspec
from msgspec.structs import replace

from service.domains.proposals.requests import (
    ProposalApprovalRequest,
    ProposalCreateRequest,
    ProposalSimulateRequest,
    ProposalStateTransitionRequest,
    ProposalVersionRequest,
)
from service.domains.proposals.results import ProposalResult
from service.domains.proposals.values import NO_EVIDENCE
from service.domains.values.canonical import canonical_json, digest_of
from service.engines.advisory.artifacts.artifact import CanonicalTexts, build_artifact
from service.flows.limits.result_sizes import RESULT_BYTES_MAX, require_within
from service.flows.limits.work_costs import Read, proposal_steps
from service.flows.proposals.computing import RESULT, Here, ReadProposal, simulate_proposal, stored_result


@dataclass(frozen=True, slots=True)
class ProposalReaders:
    """How bytes become requests: the edge's business. Each raises RequestInvalid or JsonTooDeep.

    Module-level functions, for they also run in workers.
    """

    simulate: ReadProposal
    create: Read[ProposalCreateRequest]
    version: Read[ProposalVersionRequest]
    transition: Read[ProposalStateTransitionRequest]
    approval: Read[ProposalApprovalRequest]

    def plain(self) -> ProposalReaders:
        """The same for bodies that follow the published shape to the letter; NotPlain of all others."""
        return ProposalReaders(
            partial(self.simulate, plain=True),
            partial(self.create, plain=True),
            partial(self.version, plain=True),
            partial(self.transition, plain=True),
            partial(self.approval, plain=True),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
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
    # What `request` is read as.
    value: Here[ProposalSimulateRequest] = field(default_factory=Here, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a simulation, in the bytes that are kept and answered, and what they are read as."""

    body: bytes
    value: Here[ProposalResult] = field(default_factory=Here, compare=False, repr=False)


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

    @property
    def bytes_count(self) -> int:
        return len(self.result) + len(self.artifact) + len(self.evidence)


_NULL = b"null"


def read_creation(readers: ProposalReaders, body: bytes) -> Command:
    """The hash is over the whole request, author and metadata included (HTTP contract, section 9)."""
    asked = readers.create(body)
    metadata = asked.metadata
    request = canonical_json(asked.simulate_request)
    canonical = canonical_json(replace(asked, simulate_request=msgspec.Raw(request)))
    return Command(
        created_by=asked.created_by,
        portfolio_id=asked.simulate_request.portfolio_snapshot.portfolio_id,
        simulation_enabled=asked.simulate_request.options.enable_proposal_simulation,
        request_hash=digest_of(canonical),
        request=request,
        body=canonical,
        steps=proposal_steps(asked.simulate_request),
        mandate_id=metadata.mandate_id,
        jurisdiction=metadata.jurisdiction,
        title=metadata.title,
        advisor_notes=metadata.advisor_notes,
        value=Here(asked.simulate_request),
    )


def read_version(readers: ProposalReaders, body: bytes) -> Command:
    """The hash leaves the expected revision out, so that it stays what it was before there was one."""
    asked = readers.version(body)
    request = canonical_json(asked.simulate_request)
    contracted = {"created_by": asked.created_by, "simulate_request": msgspec.Raw(request)}
    return Command(
        created_by=asked.created_by,
        portfolio_id=asked.simulate_request.portfolio_snapshot.portfolio_id,
        simulation_enabled=asked.simulate_request.options.enable_proposal_simulation,
        request_hash=digest_of(canonical_json(contracted)),
        request=request,
        body=canonical_json(replace(asked, simulate_request=msgspec.Raw(request))),
        steps=proposal_steps(asked.simulate_request),
        expected_revision=asked.expected_revision,
        value=Here(asked.simulate_request),
    )


def simulate_asked(
    read: ReadProposal,
    asked: Command,
    correlation_id: str,
    idempotency_key: str | None,
    bytes_max: int = RESULT_BYTES_MAX,
) -> Outcome:
    """The result of what was asked for. Raises ResultTooLarge."""
    request = asked.value.value or read(asked.request)
    simulated = simulate_proposal(
        request, asked.request, asked.request_hash, correlation_id, idempotency_key, bytes_max
    )
    return Outcome(simulated.result, simulated.value)


def build_documents(
    read: ReadProposal,
    asked: Command,
    outcome: Outcome,
    created_at: datetime,
    evidence_kept: bool,
    bytes_max: int = RESULT_BYTES_MAX,
) -> Documents:
    """The artifact of a result with its parts and hashes; the same at every call.

    Raises ResultTooLarge where all of them, which are answered together, are more than `bytes_max`.
    """
    request = asked.value.value or read(asked.request)
    result = outcome.value.value or stored_result(outcome.body)
    texts = CanonicalTexts(asked.request, canonical_json(result), of_this_build=True)
    artifact = build_artifact(request, result, outcome.body, texts, created_at)
    gate = RESULT.encode(result.gate_decision)
    require_within(len(outcome.body) + len(artifact.body) + len(artifact.evidence) + len(gate), bytes_max)
    return Documents(
        artifact_id=artifact.artifact_id,
        status=result.status,
        artifact_hash=artifact.artifact_hash,
        simulation_hash=digest_of(texts.result),
        result=outcome.body,
        artifact=artifact.body,
        evidence=artifact.evidence if evidence_kept else NO_EVIDENCE,
        gate_decision=None if gate == _NULL else gate,
    )
