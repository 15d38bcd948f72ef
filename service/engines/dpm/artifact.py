"""Builds the artifact of a run: its result and the evidence for it in one hashed document (RFC-0019)."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from service.domains.dpm_runs.artifacts import Artifact
from service.domains.dpm_runs.values import DpmRun
from service.domains.policy_packs import AppliedPolicy, PackSource
from service.domains.rebalances.results.diagnostics import DiagnosticsData
from service.domains.rebalances.results.intents import Intent
from service.domains.rebalances.results.rebalance import RebalanceResult
from service.domains.rebalances.results.rules import RuleResult
from service.domains.rebalances.results.states import SimulatedState
from service.domains.values.canonical import canonical_json, digest_of, without_keys
from service.domains.values.ids import CorrelationId, IdempotencyKey, PortfolioId, RequestHash, RunId
from service.domains.values.published import document, published

ARTIFACT_VERSION = "1.0"
HASH_FIELDS = frozenset({"artifact_hash"})


class ResultLineage(msgspec.Struct, frozen=True):
    engine_version: str | None = None


class ResultParts(msgspec.Struct, frozen=True):
    """The parts of a result that an artifact repeats, each in the very bytes of the result."""

    before: msgspec.Raw
    intents: msgspec.Raw
    after_simulated: msgspec.Raw
    rule_results: msgspec.Raw
    diagnostics: msgspec.Raw
    lineage: ResultLineage


@published("DpmRunArtifactRequestSnapshot")
class RequestSnapshot(msgspec.Struct, frozen=True):
    """What the run was asked for, by its names."""

    portfolio_id: PortfolioId
    request_hash: RequestHash


@published("DpmRunArtifactHashes")
class ArtifactHashes(msgspec.Struct, frozen=True, omit_defaults=True):
    """Without its own hash it is what the hash is taken of."""

    request_hash: RequestHash
    artifact_hash: Annotated[str | None, document(str)] = None
    """`sha256:` and the hash of the artifact without this hash."""


@published("DpmRunArtifactEvidence")
class ArtifactEvidence(msgspec.Struct, frozen=True):
    """What the figures were made by and of."""

    engine_version: str
    """Version of the engine that computed the run; `unknown` where it is not recorded."""
    run_created_at: str
    """Instant at which the run was recorded, in UTC."""
    hashes: ArtifactHashes
    """Hashes of the request and of the artifact."""


@published("DpmRunArtifactPolicy")
class ArtifactPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The policy pack a run was computed under, and all options it was computed with."""

    policy_pack_id: str
    """Policy pack that was applied."""
    version: str
    """State of the pack that was applied, as its publisher named it."""
    source: PackSource
    """Where the selection of the pack came from."""
    content_hash: str
    """`sha256:` and the hash of the whole pack."""
    effective_options: Annotated[msgspec.Raw, document(dict[str, Any])]
    """All options that the run was computed with, those of the pack laid over those of the request."""


@published("DpmRunArtifactResponse")
class ArtifactDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`DpmRunArtifactResponse` of the HTTP contract (8.2), and the policy where one was applied."""

    artifact_id: str
    """Id of the artifact; follows from that of the run."""
    artifact_version: str
    """Version of the layout of artifacts, such as `1.0`."""
    rebalance_run_id: RunId
    correlation_id: CorrelationId
    idempotency_key: IdempotencyKey | None
    portfolio_id: PortfolioId
    status: str
    """What the simulation came to.

    Values as of `service.domains.rebalances.results.values.RunStatusText`.
    """
    request_snapshot: RequestSnapshot
    """What the run was asked for, by its names."""
    before_summary: Annotated[msgspec.Raw, document(SimulatedState)]
    """Portfolio before trades, as in the result."""
    after_summary: Annotated[msgspec.Raw, document(SimulatedState)]
    """Portfolio after trades, as in the result."""
    order_intents: Annotated[msgspec.Raw, document(tuple[Intent, ...])]
    """Orders in the sequence of execution, as in the result."""
    rule_outcomes: Annotated[msgspec.Raw, document(tuple[RuleResult, ...])]
    """What each rule found, as in the result."""
    diagnostics: Annotated[msgspec.Raw, document(DiagnosticsData)]
    """What the stages noticed, as in the result."""
    result: Annotated[msgspec.Raw, document(RebalanceResult)]
    """The whole result, as it was answered."""
    evidence: ArtifactEvidence
    """What the figures were made by and of."""
    policy_pack: ArtifactPolicy | None = None
    """Policy pack that was applied; absent where none was."""


def artifact_id_of(rebalance_run_id: str) -> str:
    return rebalance_run_id.replace("rr_", "dra_", 1)


def build_artifact(run: DpmRun) -> Artifact:
    """The one artifact of a run, the same at every call (ruling 15).

    The hash is over the canonical text of the document without any field called `artifact_hash`, at any
    depth (HTTP contract, section 9).
    """
    unhashed = document_of(run, ArtifactHashes(run.request_hash))
    artifact_hash = digest_of(
        canonical_json(without_keys(msgspec.json.decode(encoded(unhashed)), HASH_FIELDS))
    )
    hashed = document_of(run, ArtifactHashes(run.request_hash, artifact_hash))
    return Artifact(
        artifact_id=unhashed.artifact_id,
        tenant_id=run.tenant_id,
        rebalance_run_id=run.rebalance_run_id,
        artifact_hash=artifact_hash,
        created_at=run.created_at,
        body=encoded(hashed),
    )


def document_of(run: DpmRun, hashes: ArtifactHashes) -> ArtifactDocument:
    parts = msgspec.json.decode(run.result, type=ResultParts)
    return ArtifactDocument(
        artifact_id=artifact_id_of(run.rebalance_run_id),
        artifact_version=ARTIFACT_VERSION,
        rebalance_run_id=run.rebalance_run_id,
        correlation_id=run.correlation_id,
        idempotency_key=run.idempotency_key,
        portfolio_id=run.portfolio_id,
        status=run.status.value,
        request_snapshot=RequestSnapshot(run.portfolio_id, run.request_hash),
        before_summary=parts.before,
        after_summary=parts.after_simulated,
        order_intents=parts.intents,
        rule_outcomes=parts.rule_results,
        diagnostics=parts.diagnostics,
        result=msgspec.Raw(run.result),
        evidence=ArtifactEvidence(
            engine_version=parts.lineage.engine_version or "unknown",
            run_created_at=run.created_at.isoformat(),
            hashes=hashes,
        ),
        policy_pack=None if run.policy is None else policy_of(run.policy),
    )


def policy_of(policy: AppliedPolicy) -> ArtifactPolicy:
    return ArtifactPolicy(
        policy_pack_id=policy.policy_pack_id,
        version=policy.version,
        source=policy.source,
        content_hash=policy.content_hash,
        effective_options=msgspec.Raw(policy.options),
    )


def encoded(document: ArtifactDocument) -> bytes:
    return msgspec.json.encode(document)
