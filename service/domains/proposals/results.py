"""What the simulation of a proposal answers, in the published shape and field order.

Source: section 2 of the advisory specification. Decimals travel as text with the scale of the arithmetic.
"""

from __future__ import annotations

from decimal import Decimal

from service.domains.proposals.suitability import SuitabilityResult
from service.domains.rebalances.results.diagnostics import DiagnosticsData
from service.domains.rebalances.results.gates import GateDecision
from service.domains.rebalances.results.intents import (
    INTENT_TYPE,
    Dependencies,
    FxSpotIntent,
    IntentId,
    IntentRationale,
    TradeSide,
)
from service.domains.rebalances.results.rebalance import LineageData, Reconciliation
from service.domains.rebalances.results.rules import RuleResult
from service.domains.rebalances.results.states import SimulatedState
from service.domains.rebalances.results.targets import Explanation
from service.domains.rebalances.results.values import InstrumentId, RunStatusText, Value
from service.domains.values.money import Money
from service.domains.values.published import published


class CashFlowIntent(Value, frozen=True, kw_only=True, tag_field=INTENT_TYPE, tag="CASH_FLOW"):
    """A deposit or, when negative, a withdrawal."""

    intent_id: IntentId
    currency: str
    """Currency of the cash."""
    amount: Decimal
    """Amount in that currency; negative is a withdrawal."""
    description: str | None
    """What it is for, as the request says; null where it says nothing."""


@published("SecurityTradeIntent")
class ProposedTradeIntent(Value, frozen=True, kw_only=True, tag_field=INTENT_TYPE, tag="SECURITY_TRADE"):
    """A trade as it was entered; without a rate to base it has no value there."""

    intent_id: IntentId
    instrument_id: InstrumentId
    side: TradeSide
    quantity: Decimal
    """Units to trade, above 0: whole units in a rebalance, unless tax lots limit a sale; as entered in a
    proposal, which may have fractions."""
    notional: Money
    """Quantity times price, in the currency of the price; above 0 on either side."""
    notional_base: Money | None
    """The same in the base currency of the portfolio; null where there is no rate, which happens in proposals
    only."""
    dependencies: Dependencies
    rationale: IntentRationale
    """Why the trade is proposed."""
    constraints_applied: tuple[str, ...]
    """Limits that the size of the trade was held against; always empty for a proposal.

    Values as of `service.domains.rebalances.results.intents.TradeLimits`.
    """


ProposalIntent = CashFlowIntent | ProposedTradeIntent | FxSpotIntent


@published("DriftReferenceModelSummary")
class ReferenceModelSummary(Value, frozen=True, kw_only=True):
    """The model that drift is measured against."""

    model_id: str
    """Id of the model, as the request says."""
    as_of: str
    """Date of the model, as the request says."""
    base_currency: str
    """Base currency of the model; that of the portfolio."""


@published("DriftBucketDetail")
class DriftBucket(Value, frozen=True, kw_only=True):
    """How far one bucket is from the model, before and after."""

    bucket: str
    """Asset class or id of the instrument."""
    model_weight: Decimal
    """Weight in the model, a fraction of one; 0 where the model does not name the bucket."""
    portfolio_weight_before: Decimal
    """Weight before the proposal, a fraction of one, not rounded."""
    portfolio_weight_after: Decimal
    """Weight after the proposal, a fraction of one, not rounded."""
    drift_before: Decimal
    """Weight before less weight in the model; negative where too little is held."""
    drift_after: Decimal
    """Weight after less weight in the model; negative where too little is held."""
    abs_drift_before: Decimal
    """Distance from the model before, without its sign."""
    abs_drift_after: Decimal
    """Distance from the model after, without its sign."""
    improvement: Decimal
    """Distance before less distance after; negative where the proposal leads away from the model."""


@published("DriftDimensionAnalysis")
class DriftDimension(Value, frozen=True, kw_only=True):
    """Drift of a whole portfolio by one kind of bucket."""

    drift_total_before: Decimal
    """Half the sum of all distances before, a fraction of one: what would have to be moved to reach the
    model."""
    drift_total_after: Decimal
    """The same after the proposal."""
    drift_total_delta: Decimal
    """Total after less total before; negative where the proposal leads nearer to the model."""
    top_contributors_before: tuple[DriftBucket, ...]
    """Buckets furthest from the model before, furthest first."""
    buckets: tuple[DriftBucket, ...]
    """All buckets in ascending order of their names."""


@published("DriftHighlightEntry")
class DriftHighlight(Value, frozen=True, kw_only=True):
    """A bucket whose distance from the model changes."""

    bucket: str
    """Asset class or id of the instrument."""
    improvement: Decimal
    """Distance before less distance after, a fraction of one; negative where it grows."""


@published("DriftUnmodeledExposure")
class UnmodeledExposure(Value, frozen=True, kw_only=True):
    """A holding that the model does not name."""

    bucket: str
    """Asset class or id of the instrument."""
    portfolio_weight_before: Decimal
    """Weight before the proposal, a fraction of one."""
    portfolio_weight_after: Decimal
    """Weight after the proposal, a fraction of one."""
    max_portfolio_weight: Decimal
    """The larger of the two, which the rows are ordered by."""


class DriftHighlights(Value, frozen=True, kw_only=True):
    """The buckets worth a look; by instrument where drift is computed by instrument, else by asset class."""

    largest_improvements: tuple[DriftHighlight, ...]
    """Buckets that come nearer to the model, the largest change first."""
    largest_deteriorations: tuple[DriftHighlight, ...]
    """Buckets that go further from the model, the largest change first."""
    unmodeled_exposures: tuple[UnmodeledExposure, ...]
    """Holdings outside the model from the threshold of the options on, the heaviest first."""


class DriftAnalysis(Value, frozen=True, kw_only=True):
    """How far the portfolio is from the reference model, before and after the proposal."""

    reference_model: ReferenceModelSummary
    """Model that drift is measured against."""
    asset_class: DriftDimension
    """Drift by asset class."""
    instrument: DriftDimension | None
    """Drift by instrument; null where it is switched off or the model names no instruments."""
    highlights: DriftHighlights
    """Buckets worth a look."""


class ProposalResult(Value, frozen=True, kw_only=True):
    """One simulated proposal: what is held, what is to be done, and what rules and scanner say."""

    proposal_run_id: str
    """Id of the simulation, made of the hash of the request: equal requests have the same."""
    correlation_id: str
    """Id that the request is filed under."""
    status: RunStatusText
    before: SimulatedState
    """Portfolio before the proposal."""
    intents: tuple[ProposalIntent, ...]
    """What is to be done, in the sequence of execution: cash flows, sales, FX trades, purchases. Trades that
    were dropped or could not be funded are not listed."""
    after_simulated: SimulatedState
    """Portfolio as if all of it were done."""
    reconciliation: Reconciliation
    """Value after compared with the value before and the cash flows."""
    rule_results: tuple[RuleResult, ...]
    """What each rule found, in a fixed order."""
    explanation: Explanation
    """Summary of the simulation."""
    diagnostics: DiagnosticsData
    """What the stages noticed."""
    drift_analysis: DriftAnalysis | None
    """Distance from the reference model; null without a model, in another base currency, or where it is
    switched off."""
    suitability: SuitabilityResult | None
    """What the suitability scan found; null where it is switched off."""
    gate_decision: GateDecision | None
    """Who has to act next; null where workflow gates are off."""
    lineage: LineageData
    """What the result was computed from."""
