"""The artifact of a proposal: what a client is shown and the evidence for it, in the published field order.

Source: section 4 of the advisory specification. Figures meant for reading are text in plain notation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from service.domains.proposals.requests import ProposalSimulateRequest, Side
from service.domains.proposals.results import SuitabilityIssue
from service.domains.rebalances.results import (
    AllocationMetric,
    GateDecision,
    IntentRationale,
    Reconciliation,
    RunStatusText,
    Severity,
    Value,
)
from service.domains.values.money import Money

NextStep = Literal["CLIENT_CONSENT", "RISK_REVIEW", "COMPLIANCE_REVIEW", "EXECUTION_READY", "NONE"]


@dataclass(frozen=True, slots=True)
class ProposalArtifact:
    """An artifact as it is kept and answered; `body` is its JSON, and ends with `evidence`, its bundle."""

    artifact_id: str
    artifact_hash: str
    created_at: datetime
    body: bytes
    evidence: bytes


class Takeaway(Value, frozen=True, kw_only=True):
    code: str
    value: str


class ArtifactSummary(Value, frozen=True, kw_only=True):
    title: str
    objective_tags: tuple[str, ...]
    advisor_notes: tuple[str, ...] = ()
    recommended_next_step: NextStep
    key_takeaways: tuple[Takeaway, ...]


class ArtifactState(Value, frozen=True, kw_only=True):
    """The rows of a state from the heaviest to the lightest."""

    total_value: Money
    allocation_by_asset_class: tuple[AllocationMetric, ...]
    allocation_by_instrument: tuple[AllocationMetric, ...]


class WeightChange(Value, frozen=True, kw_only=True):
    bucket_type: Literal["INSTRUMENT"] = "INSTRUMENT"
    bucket_id: str
    weight_before: str
    weight_after: str
    delta: str


class ArtifactDelta(Value, frozen=True, kw_only=True):
    total_value_delta: Money
    largest_weight_changes: tuple[WeightChange, ...]


class PortfolioImpact(Value, frozen=True, kw_only=True):
    before: ArtifactState
    after: ArtifactState
    delta: ArtifactDelta
    reconciliation: Reconciliation


class ArtifactTrade(Value, frozen=True, kw_only=True):
    intent_id: str
    type: Literal["SECURITY_TRADE"] = "SECURITY_TRADE"
    instrument_id: str
    side: Side
    quantity: str
    estimated_notional: Money
    estimated_notional_base: Money | None
    dependencies: tuple[str, ...]
    rationale: IntentRationale


class ArtifactExchange(Value, frozen=True, kw_only=True):
    intent_id: str
    pair: str
    buy_amount: str
    sell_amount_estimated: str
    rate: str | None


class ExecutionNote(Value, frozen=True, kw_only=True):
    code: str
    text: str


class TradesAndFunding(Value, frozen=True, kw_only=True):
    trade_list: tuple[ArtifactTrade, ...]
    fx_list: tuple[ArtifactExchange, ...]
    ordering_policy: str
    execution_notes: tuple[ExecutionNote, ...]


class IssueHighlight(Value, frozen=True, kw_only=True):
    code: str
    text: str


class ArtifactSuitability(Value, frozen=True, kw_only=True):
    """All zero and empty when the scanner was off."""

    status: Literal["AVAILABLE", "NOT_AVAILABLE"]
    new_issues: int = 0
    resolved_issues: int = 0
    persistent_issues: int = 0
    highest_severity_new: Severity | None = None
    highlights: tuple[IssueHighlight, ...] = ()
    issues: tuple[SuitabilityIssue, ...] = ()


class Pricing(Value, frozen=True, kw_only=True):
    market_data_snapshot_id: str
    prices_as_of: str
    fx_as_of: str
    valuation_mode: str


class Limit(Value, frozen=True, kw_only=True):
    """Something the simulation does not model."""

    included: bool = False
    notes: str


class AssumptionsAndLimits(Value, frozen=True, kw_only=True):
    pricing: Pricing
    costs_and_fees: Limit
    tax: Limit
    execution: Limit


class ProductDoc(Value, frozen=True, kw_only=True):
    instrument_id: str
    doc_ref: str


class Disclosures(Value, frozen=True, kw_only=True):
    risk_disclaimer: str
    product_docs: tuple[ProductDoc, ...]


class EvidenceOutputs(Value, frozen=True, kw_only=True):
    """The result in the very bytes it is stored in."""

    proposal_result: msgspec.Raw


class EvidenceHashes(Value, frozen=True, kw_only=True, omit_defaults=True):
    """Without its own hash it is what the hash is taken of."""

    request_hash: str
    artifact_hash: str | None = None


class EvidenceBundle(Value, frozen=True, kw_only=True):
    # As it was read, with every default filled in.
    inputs: ProposalSimulateRequest
    engine_outputs: EvidenceOutputs
    hashes: EvidenceHashes
    engine_version: str


class ArtifactDocument(Value, frozen=True, kw_only=True):
    """`ProposalArtifact` of the published schema."""

    artifact_id: str
    proposal_run_id: str
    correlation_id: str
    created_at: str
    status: RunStatusText
    gate_decision: GateDecision
    summary: ArtifactSummary
    portfolio_impact: PortfolioImpact
    trades_and_funding: TradesAndFunding
    suitability_summary: ArtifactSuitability
    assumptions_and_limits: AssumptionsAndLimits
    disclosures: Disclosures
    evidence_bundle: EvidenceBundle
