"""What is computed from a proposal body's bytes before anything is stored; pure, so it may run anywhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from service.domains.proposals.artifacts import ProposalArtifact
from service.domains.proposals.requests import ProposalSimulateRequest
from service.domains.proposals.results import ProposalResult
from service.domains.rebalances.results.values import RunStatusText
from service.domains.values.canonical import canonical_json, digest_of
from service.domains.values.money import stored_hook
from service.engines.advisory import versions
from service.engines.advisory.artifacts.artifact import CanonicalTexts, build_artifact
from service.engines.advisory.v1 import ProposalIdentity
from service.errors.proposals import ProposalSimulationDisabled
from service.flows.limits.result_sizes import RESULT_BYTES_MAX, encoded_within
from service.flows.limits.work_costs import Read

# Results are encoded once, here; these bytes are stored and answered.
RESULT = msgspec.json.Encoder(decimal_format="string")

_STORED_RESULT = msgspec.json.Decoder(ProposalResult, dec_hook=stored_hook)

# How bytes become a request: the edge's business. Raises RequestInvalid or JsonTooDeep, and is a module-level
# function, for it also runs in workers.
ReadProposal = Read[ProposalSimulateRequest]


T = TypeVar("T")


class Here(Generic[T]):
    """A value beside the bytes it is written in; a process it is not carried to reads the bytes instead."""

    __slots__ = ("value",)

    def __init__(self, value: T | None = None) -> None:
        self.value = value

    def __reduce__(self) -> tuple[type[Here[T]], tuple[()]]:
        return Here, ()


@dataclass(frozen=True, slots=True)
class SimulatedProposal:
    """One computed proposal, ready to be recorded."""

    proposal_run_id: str
    request_hash: str
    request_body: bytes
    portfolio_id: str
    status: RunStatusText
    result: bytes
    value: Here[ProposalResult] = field(default_factory=Here, compare=False, repr=False)


def hash_proposal_body(read: ReadProposal, body: bytes) -> str:
    """The request hash of a stateless proposal body (HTTP contract, section 9).

    Raises what reading raises, and ProposalSimulationDisabled.
    """
    return digest_of(canonical_json(enabled(read(body))))


def simulate_proposal_body(
    read: ReadProposal,
    body: bytes,
    correlation_id: str,
    idempotency_key: str,
    bytes_max: int = RESULT_BYTES_MAX,
) -> SimulatedProposal:
    """From the bytes received to the bytes that are stored and answered.

    Raises what reading raises, ProposalSimulationDisabled and ResultTooLarge.
    """
    return simulate_proposal_request(read(body), correlation_id, idempotency_key, bytes_max)


def simulate_proposal_request(
    request: ProposalSimulateRequest,
    correlation_id: str,
    idempotency_key: str,
    bytes_max: int = RESULT_BYTES_MAX,
) -> SimulatedProposal:
    """The same for a body that has been read."""
    canonical = canonical_json(enabled(request))
    request_hash = digest_of(canonical)
    return simulate_proposal(request, canonical, request_hash, correlation_id, idempotency_key, bytes_max)


def simulate_proposal(
    request: ProposalSimulateRequest,
    canonical: bytes,
    request_hash: str,
    correlation_id: str,
    idempotency_key: str | None,
    bytes_max: int = RESULT_BYTES_MAX,
) -> SimulatedProposal:
    """The same for a request that came inside another body, whose hash it then has. Raises ResultTooLarge."""
    run_id = proposal_run_id_of(request_hash)
    identity = ProposalIdentity(run_id, correlation_id, request_hash, idempotency_key)
    result = versions.engine_of()(request, identity, bytes_max)
    return SimulatedProposal(
        proposal_run_id=run_id,
        request_hash=request_hash,
        request_body=canonical,
        portfolio_id=request.portfolio_snapshot.portfolio_id,
        status=result.status,
        result=encoded_within(RESULT, result, bytes_max),
        value=Here(result),
    )


def enabled(request: ProposalSimulateRequest) -> ProposalSimulateRequest:
    """The request, if it asks for a simulation by its switch. Raises ProposalSimulationDisabled."""
    if not request.options.enable_proposal_simulation:
        raise ProposalSimulationDisabled
    return request


def proposal_run_id_of(request_hash: str) -> str:
    """Equal requests share it (advisory specification, H3)."""
    return "pr_" + hashlib.sha256(request_hash.encode()).hexdigest()[:8]


def artifact_of_result(
    read: ReadProposal, request_body: bytes, result: bytes, created_at: datetime
) -> ProposalArtifact:
    """The artifact of a stored result and the request it was made of; the same at every call."""
    request, stored = read(request_body), stored_result(result)
    # An older release may have known members that this one does not; they count in the hash.
    texts = CanonicalTexts(canonical_json(request), canonical_json(msgspec.json.decode(result)))
    return build_artifact(request, stored, result, texts, created_at)


def stored_result(result: bytes) -> ProposalResult:
    """A result as it was computed; raises msgspec.ValidationError for bytes that are none."""
    return _STORED_RESULT.decode(result)


def recompute_proposal(read: ReadProposal, request_body: bytes, result: bytes) -> bytes:
    """The result, computed again from its stored request by the engine that made it.

    Equal to the stored bytes, or something is wrong with one of them. Raises KeyError for an engine version
    that this build does not carry.
    """
    stored = stored_result(result)
    lineage = stored.lineage
    identity = ProposalIdentity(
        stored.proposal_run_id, stored.correlation_id, lineage.request_hash, lineage.idempotency_key
    )
    simulate = versions.engine_of(lineage.engine_version or versions.CURRENT_VERSION)
    return RESULT.encode(simulate(read(request_body), identity))
