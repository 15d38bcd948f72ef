"""What the simulation of a proposal answers, in the published shape and field order.

Source: section 2 of the advisory specification. Decimals travel as text with the scale of the arithmetic.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from service.domains.rebalances.results import (
    INTENT_TYPE,
    DiagnosticsData,
    Explanation,
    FxSpotIntent,
    GateDecision,
    IntentRationale,
    LineageData,
    Reconciliation,
    RuleResult,
    RunStatusText,
    Severity,
    SimulatedState,
    Value,
)
from service.domains.values.money import Money

IssueDimension = Literal["CONCENTRATION", "ISSUER", "LIQUIDITY", "GOVERNANCE", "CASH", "DATA_QUALITY"]
StatusChange = Literal["NEW", "PERSISTENT", "RESOLVED"]
RecommendedGate = Literal["NONE", "RISK_REVIEW", "COMPLIANCE_REVIEW"]


class CashFlowIntent(Value, frozen=True, kw_only=True, tag_field=INTENT_TYPE, tag="CASH_FLOW"):
    intent_id: str
    currency: str
    amount: Decimal
    description: str | None


class ProposedTradeIntent(Value, frozen=True, kw_only=True, tag_field=INTENT_TYPE, tag="SECURITY_TRADE"):
    """A trade as it was entered; without a rate to base it has no value there."""

    intent_id: str
    instrument_id: str
    side: Literal["BUY", "SELL"]
    quantity: Decimal
    notional: Money
    notional_base: Money | None
    dependencies: tuple[str, ...]
    rationale: IntentRationale
    constraints_applied: tuple[str, ...]


ProposalIntent = CashFlowIntent | ProposedTradeIntent | FxSpotIntent


class ReferenceModelSummary(Value, frozen=True, kw_only=True):
    model_id: str
    as_of: str
    base_currency: str


class DriftBucket(Value, frozen=True, kw_only=True):
    bucket: str
    model_weight: Decimal
    portfolio_weight_before: Decimal
    portfolio_weight_after: Decimal
    drift_before: Decimal
    drift_after: Decimal
    abs_drift_before: Decimal
    abs_drift_after: Decimal
    improvement: Decimal


class DriftDimension(Value, frozen=True, kw_only=True):
    drift_total_before: Decimal
    drift_total_after: Decimal
    drift_total_delta: Decimal
    top_contributors_before: tuple[DriftBucket, ...]
    buckets: tuple[DriftBucket, ...]


class DriftHighlight(Value, frozen=True, kw_only=True):
    bucket: str
    improvement: Decimal


class UnmodeledExposure(Value, frozen=True, kw_only=True):
    bucket: str
    portfolio_weight_before: Decimal
    portfolio_weight_after: Decimal
    max_portfolio_weight: Decimal


class DriftHighlights(Value, frozen=True, kw_only=True):
    largest_improvements: tuple[DriftHighlight, ...]
    largest_deteriorations: tuple[DriftHighlight, ...]
    unmodeled_exposures: tuple[UnmodeledExposure, ...]


class DriftAnalysis(Value, frozen=True, kw_only=True):
    reference_model: ReferenceModelSummary
    asset_class: DriftDimension
    instrument: DriftDimension | None
    highlights: DriftHighlights


class SnapshotIds(Value, frozen=True, kw_only=True):
    portfolio_snapshot_id: str
    market_data_snapshot_id: str


class IssueEvidence(Value, frozen=True, kw_only=True):
    as_of: str
    snapshot_ids: SnapshotIds


class SuitabilityIssue(Value, frozen=True, kw_only=True):
    issue_id: str
    issue_key: str
    dimension: IssueDimension
    severity: Severity
    status_change: StatusChange
    summary: str
    details: dict[str, str]
    evidence: IssueEvidence


class SuitabilitySummary(Value, frozen=True, kw_only=True):
    new_count: int
    resolved_count: int
    persistent_count: int
    highest_severity_new: Severity | None


class SuitabilityResult(Value, frozen=True, kw_only=True):
    summary: SuitabilitySummary
    issues: tuple[SuitabilityIssue, ...]
    recommended_gate: RecommendedGate


class ProposalResult(Value, frozen=True, kw_only=True):
    proposal_run_id: str
    correlation_id: str
    status: RunStatusText
    before: SimulatedState
    intents: tuple[ProposalIntent, ...]
    after_simulated: SimulatedState
    reconciliation: Reconciliation
    rule_results: tuple[RuleResult, ...]
    explanation: Explanation
    diagnostics: DiagnosticsData
    drift_analysis: DriftAnalysis | None
    suitability: SuitabilityResult | None
    gate_decision: GateDecision | None
    lineage: LineageData
