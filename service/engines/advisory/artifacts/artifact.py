"""Builds the artifact of a proposal from its request and its result (advisory specification, section 4).

Problem: what a client was shown must be shown again, with the same hash, whenever it is asked for.
Example: of a change from 0.10005 to 0.04875 the artifact prints 0.1000, 0.0488 and -0.0513.
Rounding: four places where a weight or a rate is printed, half to even; never before. A stored result has its
values unrounded, so its weights are taken from these and no artifact depends on weights rounded for display.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, localcontext

import msgspec
from msgspec.structs import replace

from service.domains.proposals.artifact_impacts import (
    ArtifactDelta,
    ArtifactState,
    PortfolioImpact,
    WeightChange,
)
from service.domains.proposals.artifacts import (
    ArtifactDocument,
    EvidenceBundle,
    EvidenceHashes,
    EvidenceOutputs,
    ProposalArtifact,
)
from service.domains.proposals.requests import ProposalSimulateRequest
from service.domains.proposals.results import ProposalResult
from service.domains.rebalances.results.gates import GateDecision
from service.domains.rebalances.results.rebalance import Reconciliation
from service.domains.rebalances.results.states import AllocationMetric, SimulatedState
from service.domains.values.canonical import canonical_json, digest_of, without_keys
from service.domains.values.money import ENGINE_CONTEXT, ZERO, Money
from service.engines.advisory.artifacts.texts import assumptions_of, disclosures_of, four_places, summary_of
from service.engines.advisory.artifacts.trades import suitability_of, trades_and_funding_of
from service.engines.advisory.stages.suitability import new_issues
from service.engines.limits.answer_bounds import bounded_number
from service.engines.portfolio.valuation import exact_weights, weights_by_key
from service.engines.review.gate import decide_gate

# What the hash leaves out, at any depth.
UNHASHED = frozenset({"created_at", "artifact_hash"})
_UNHASHED_MEMBERS = tuple([b'"%b":' % name.encode() for name in sorted(UNHASHED)])

_ENCODER = msgspec.json.Encoder(decimal_format="string")
# Names that a caller chose stand in the order that they have in the canonical text, whatever was sent.
_ORDERED = msgspec.json.Encoder(decimal_format="string", order="deterministic")


def artifact_id_of(proposal_run_id: str) -> str:
    return proposal_run_id.replace("pr_", "pa_", 1)


class Weighed(msgspec.Struct, frozen=True):
    """A state with its unrounded weights, in the order of its rows."""

    state: SimulatedState
    by_asset_class: list[Decimal]
    by_instrument: list[Decimal]


class CanonicalTexts(msgspec.Struct, frozen=True):
    """The request and the result of an artifact in canonical JSON; the hash is taken of them as they are."""

    request: bytes
    result: bytes
    # A result of this build has names of its own, and names of a caller that stand in the request as well.
    of_this_build: bool = False


def build_artifact(
    request: ProposalSimulateRequest,
    result: ProposalResult,
    result_body: bytes,
    texts: CanonicalTexts,
    created_at: datetime,
) -> ProposalArtifact:
    """The one artifact of a result (ruling 15); result_body is the result in the bytes it is stored in.

    The hash is over the canonical text without any member called `created_at` or `artifact_hash`.
    """
    with localcontext(ENGINE_CONTEXT):
        unhashed = document_of(request, result, result_body, created_at)
    artifact_hash = digest_of(hashed_text_of(unhashed, texts))
    bundle = unhashed.evidence_bundle
    hashes = EvidenceHashes(request_hash=bundle.hashes.request_hash, artifact_hash=artifact_hash)
    evidence = _ORDERED.encode(replace(bundle, hashes=hashes))
    return ProposalArtifact(
        artifact_id=unhashed.artifact_id,
        artifact_hash=artifact_hash,
        created_at=created_at,
        body=_ENCODER.encode(replace(unhashed, evidence_bundle=msgspec.Raw(evidence))),
        evidence=evidence,
    )


def hashed_text_of(document: ArtifactDocument, texts: CanonicalTexts) -> bytes:
    """What the hash of a document is taken of; `document` is without its own hash.

    Canonical texts compose: that of a part stands as it is inside that of the whole.
    """
    outputs = EvidenceOutputs(proposal_result=msgspec.Raw(texts.result))
    bundle = replace(document.evidence_bundle, inputs=msgspec.Raw(texts.request), engine_outputs=outputs)
    text = canonical_json(replace(document, created_at=msgspec.UNSET, evidence_bundle=bundle))
    # A quote before a colon ends the name of a member. Only what a caller, or an older build, has named can
    # still be among these.
    named = [texts.request] if texts.of_this_build else [texts.request, texts.result]
    if any(name in part for part in named for name in _UNHASHED_MEMBERS):
        return canonical_json(without_keys(msgspec.json.decode(text), UNHASHED))
    return text


def document_of(
    request: ProposalSimulateRequest, result: ProposalResult, result_body: bytes, created_at: datetime
) -> ArtifactDocument:
    """The artifact but for its hash; call it under the engine's context."""
    limit = request.options.drift_top_contributors_limit
    lineage = result.lineage
    before, after = weigh(result.before), weigh(result.after_simulated)
    return ArtifactDocument(
        artifact_id=artifact_id_of(result.proposal_run_id),
        proposal_run_id=result.proposal_run_id,
        correlation_id=result.correlation_id,
        created_at=created_at.isoformat(),
        status=result.status,
        gate_decision=_gate(request, result),
        summary=summary_of(request, result, _by_class(before), _by_class(after)),
        portfolio_impact=_impact(result.reconciliation, before, after, limit),
        trades_and_funding=trades_and_funding_of(result, request.market_data_snapshot.fx_rates),
        suitability_summary=suitability_of(result, limit),
        assumptions_and_limits=assumptions_of(lineage, request.options.valuation_mode),
        disclosures=disclosures_of(result),
        evidence_bundle=EvidenceBundle(
            inputs=request,
            engine_outputs=EvidenceOutputs(proposal_result=msgspec.Raw(result_body)),
            hashes=EvidenceHashes(request_hash=lineage.request_hash),
            engine_version=lineage.engine_version or "unknown",
        ),
    )


def _gate(request: ProposalSimulateRequest, result: ProposalResult) -> GateDecision:
    """Always there: an artifact is for a reader who must know what comes next."""
    return result.gate_decision or decide_gate(
        result.status,
        result.rule_results,
        result.diagnostics.data_quality,
        consent_missing=not request.options.client_consent_already_obtained,
        issues=new_issues(result.suitability),
    )


def weigh(state: SimulatedState) -> Weighed:
    return Weighed(
        state,
        exact_weights(state.allocation_by_asset_class, state),
        exact_weights(state.allocation_by_instrument, state),
    )


def _by_class(weighed: Weighed) -> dict[str, Decimal]:
    return weights_by_key(weighed.state.allocation_by_asset_class, weighed.by_asset_class)


def _by_instrument(weighed: Weighed) -> dict[str, Decimal]:
    return weights_by_key(weighed.state.allocation_by_instrument, weighed.by_instrument)


def _impact(reconciliation: Reconciliation, before: Weighed, after: Weighed, limit: int) -> PortfolioImpact:
    total_before, total_after = before.state.total_value, after.state.total_value
    change = total_after.amount - total_before.amount
    return PortfolioImpact(
        before=_state(before),
        after=_state(after),
        delta=ArtifactDelta(
            total_value_delta=Money(bounded_number(change), total_after.currency),
            largest_weight_changes=_largest_changes(_by_instrument(before), _by_instrument(after), limit),
        ),
        reconciliation=reconciliation,
    )


def _state(weighed: Weighed) -> ArtifactState:
    state = weighed.state
    return ArtifactState(
        total_value=state.total_value,
        allocation_by_asset_class=_heaviest_first(state.allocation_by_asset_class, weighed.by_asset_class),
        allocation_by_instrument=_heaviest_first(state.allocation_by_instrument, weighed.by_instrument),
    )


def _heaviest_first(
    rows: Sequence[AllocationMetric], weights: Sequence[Decimal]
) -> tuple[AllocationMetric, ...]:
    keys = [row.key for row in rows]
    places = sorted(range(len(rows)), key=keys.__getitem__)
    # Rows of the same weight stay in the order of their keys.
    places.sort(key=weights.__getitem__, reverse=True)
    return tuple([rows[place] for place in places])


def _largest_changes(
    weights_before: Mapping[str, Decimal], weights_after: Mapping[str, Decimal], limit: int
) -> tuple[WeightChange, ...]:
    changes: list[tuple[str, Decimal, Decimal, Decimal]] = []
    for key in sorted({*weights_before, *weights_after}):
        old, new = weights_before.get(key, ZERO), weights_after.get(key, ZERO)
        change = new - old
        if change:
            changes.append((key, old, new, change))
    changes.sort(key=lambda change: abs(change[3]), reverse=True)
    return tuple(
        [
            WeightChange(
                bucket_id=key,
                weight_before=four_places(old),
                weight_after=four_places(new),
                delta=four_places(change),
            )
            for key, old, new, change in changes[:limit]
        ]
    )
