"""What a simulation answers, in the published shape and field order.

Source: section 3 of the engine specification. Decimals travel as text with the scale of the arithmetic, so
readers must compare numbers and not texts.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from service.domains.rebalances.snapshots import CashBalance
from service.domains.values.money import Money

RunStatusText = Literal["READY", "PENDING_REVIEW", "BLOCKED"]
Severity = Literal["LOW", "MEDIUM", "HIGH"]

# Where an intent says which kind it is; always its first field.
INTENT_TYPE = "intent_type"


class Value(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Root of the result values."""


class AllocationMetric(Value, frozen=True, kw_only=True):
    key: str
    weight: Decimal
    value: Money


class PositionSummary(Value, frozen=True, kw_only=True):
    instrument_id: str
    quantity: Decimal
    instrument_currency: str
    asset_class: str
    price: Money | None
    value_in_instrument_ccy: Money
    value_in_base_ccy: Money
    weight: Decimal


class SimulatedState(Value, frozen=True, kw_only=True):
    """Valued holdings; weights are rounded to four places here and nowhere else (4.2)."""

    total_value: Money
    cash_balances: tuple[CashBalance, ...]
    positions: tuple[PositionSummary, ...]
    allocation_by_asset_class: tuple[AllocationMetric, ...]
    allocation_by_instrument: tuple[AllocationMetric, ...]
    allocation: tuple[AllocationMetric, ...]
    allocation_by_attribute: dict[str, tuple[AllocationMetric, ...]]


class ExcludedInstrument(Value, frozen=True, kw_only=True):
    instrument_id: str
    reason_code: str
    details: str | None = None


class UniverseCoverage(Value, frozen=True, kw_only=True):
    price_coverage_pct: Decimal
    fx_coverage_pct: Decimal


class UniverseData(Value, frozen=True, kw_only=True):
    universe_id: str
    eligible_for_buy: tuple[str, ...]
    eligible_for_sell: tuple[str, ...]
    excluded: tuple[ExcludedInstrument, ...]
    coverage: UniverseCoverage


class TargetInstrument(Value, frozen=True, kw_only=True):
    instrument_id: str
    model_weight: Decimal
    final_weight: Decimal
    final_value: Money
    tags: tuple[str, ...]


class TargetData(Value, frozen=True, kw_only=True):
    target_id: str
    strategy: dict[str, str]
    targets: tuple[TargetInstrument, ...]


class IntentRationale(Value, frozen=True, kw_only=True):
    code: str
    message: str


class SecurityTradeIntent(Value, frozen=True, kw_only=True, tag_field=INTENT_TYPE, tag="SECURITY_TRADE"):
    intent_id: str
    instrument_id: str
    side: Literal["BUY", "SELL"]
    quantity: Decimal
    notional: Money
    notional_base: Money
    dependencies: tuple[str, ...]
    rationale: IntentRationale
    constraints_applied: tuple[str, ...]


class FxSpotIntent(Value, frozen=True, kw_only=True, tag_field=INTENT_TYPE, tag="FX_SPOT"):
    intent_id: str
    pair: str
    buy_currency: str
    buy_amount: Decimal
    sell_currency: str
    sell_amount_estimated: Decimal
    dependencies: tuple[str, ...] = ()
    rationale: IntentRationale


Intent = SecurityTradeIntent | FxSpotIntent


class Reconciliation(Value, frozen=True, kw_only=True):
    before_total_value: Money
    after_total_value: Money
    delta: Money
    tolerance: Money
    status: Literal["OK", "MISMATCH"]


class TaxImpact(Value, frozen=True, kw_only=True):
    total_realized_gain: Money
    total_realized_loss: Money
    budget_limit: Money | None
    budget_used: Money | None


class RuleResult(Value, frozen=True, kw_only=True):
    rule_id: str
    severity: Literal["HARD", "SOFT", "INFO"]
    status: Literal["PASS", "FAIL"]
    measured: Decimal
    threshold: dict[str, Decimal]
    reason_code: str
    remediation_hint: str | None = None


class TargetMethodComparison(Value, frozen=True, kw_only=True):
    primary_method: str
    primary_status: RunStatusText
    alternate_method: str
    alternate_status: RunStatusText
    tolerance: str
    differing_instruments: tuple[str, ...]
    alternate_warnings: tuple[str, ...]


class Explanation(Value, frozen=True, kw_only=True):
    """Summary and method comparison; blocks A and B carry the summary only (section 8)."""

    summary: str
    target_method_comparison: TargetMethodComparison | msgspec.UnsetType | None = msgspec.UNSET


class SuppressedIntent(Value, frozen=True, kw_only=True):
    instrument_id: str
    reason: str
    intended_notional: Money
    threshold: Money


class DroppedIntent(Value, frozen=True, kw_only=True):
    instrument_id: str
    reason: str
    potential_notional: Money
    score: Decimal


class GroupConstraintEvent(Value, frozen=True, kw_only=True):
    constraint_key: str
    group_weight_before: Decimal
    max_weight: Decimal
    released_weight: Decimal
    recipients: dict[str, Decimal]
    status: Literal["CAPPED", "BLOCKED"]


class TaxBudgetConstraintEvent(Value, frozen=True, kw_only=True):
    instrument_id: str
    requested_quantity: Decimal
    allowed_quantity: Decimal
    reason_code: str


class CashLadderPoint(Value, frozen=True, kw_only=True):
    date_offset: int
    currency: str
    projected_balance: Decimal


class CashLadderBreach(Value, frozen=True, kw_only=True):
    date_offset: int
    currency: str
    projected_balance: Decimal
    allowed_floor: Decimal
    reason_code: str


class FundingPlanEntry(Value, frozen=True, kw_only=True):
    """What the purchases of one currency need, in its minor units, and where it is bought."""

    target_currency: str
    required: Decimal
    available_before_fx: Decimal
    fx_needed: Decimal
    fx_pair: str | None = None
    funding_currency: str | None = None


class InsufficientCashEntry(Value, frozen=True, kw_only=True):
    currency: str
    deficit: Decimal


class DataQuality(Value, frozen=True, kw_only=True):
    price_missing: tuple[str, ...]
    fx_missing: tuple[str, ...]
    shelf_missing: tuple[str, ...]


class DiagnosticsData(Value, frozen=True, kw_only=True):
    """What the stages noticed; the three last lists before data_quality belong to the advisory engine."""

    warnings: tuple[str, ...]
    suppressed_intents: tuple[SuppressedIntent, ...]
    dropped_intents: tuple[DroppedIntent, ...]
    group_constraint_events: tuple[GroupConstraintEvent, ...]
    tax_budget_constraint_events: tuple[TaxBudgetConstraintEvent, ...]
    cash_ladder: tuple[CashLadderPoint, ...]
    cash_ladder_breaches: tuple[CashLadderBreach, ...]
    missing_fx_pairs: tuple[str, ...] = ()
    funding_plan: tuple[FundingPlanEntry, ...] = ()
    insufficient_cash: tuple[InsufficientCashEntry, ...] = ()
    data_quality: DataQuality


class GateReason(Value, frozen=True, kw_only=True):
    reason_code: str
    severity: Severity
    source: Literal["RULE_ENGINE", "SUITABILITY", "DATA_QUALITY"]
    details: dict[str, str]


class GateDecisionSummary(Value, frozen=True, kw_only=True):
    hard_fail_count: int
    soft_fail_count: int
    new_high_suitability_count: int = 0
    new_medium_suitability_count: int = 0


class GateDecision(Value, frozen=True, kw_only=True):
    gate: str
    recommended_next_step: str
    reasons: tuple[GateReason, ...]
    summary: GateDecisionSummary


class LineageData(Value, frozen=True, kw_only=True):
    portfolio_snapshot_id: str
    market_data_snapshot_id: str
    request_hash: str
    idempotency_key: str | None = None
    engine_version: str | None = None


class RebalanceResult(Value, frozen=True, kw_only=True):
    rebalance_run_id: str
    correlation_id: str
    status: RunStatusText
    before: SimulatedState
    universe: UniverseData
    target: TargetData
    intents: tuple[Intent, ...]
    after_simulated: SimulatedState
    reconciliation: Reconciliation | None
    tax_impact: TaxImpact | None
    rule_results: tuple[RuleResult, ...]
    explanation: Explanation
    diagnostics: DiagnosticsData
    gate_decision: GateDecision | None
    lineage: LineageData


class BatchScenarioMetric(Value, frozen=True, kw_only=True):
    status: RunStatusText
    security_intent_count: int
    gross_turnover_notional_base: Money
