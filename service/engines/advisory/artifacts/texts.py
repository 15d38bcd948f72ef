"""The parts of a proposal artifact that tell rather than list (advisory specification, 4.2 and 4.6)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal

from service.domains.proposals.artifacts import (
    ArtifactSummary,
    AssumptionsAndLimits,
    Disclosures,
    Limit,
    NextStep,
    Pricing,
    ProductDoc,
    Takeaway,
)
from service.domains.proposals.requests import ProposalSimulateRequest
from service.domains.proposals.results import ProposalResult, ProposedTradeIntent
from service.domains.rebalances.options import ValuationMode
from service.domains.rebalances.results.gates import GateDecision
from service.domains.rebalances.results.intents import FxSpotIntent
from service.domains.rebalances.results.rebalance import LineageData
from service.domains.values.money import EXPONENT_MAX
from service.engines.limits.answer_bounds import bounded_number
from service.engines.portfolio.valuation import CASH_CLASS

COSTS = Limit(notes="Trading costs, fees and spreads are not modelled.")
TAX = Limit(notes="Tax is not modelled.")
EXECUTION = Limit(notes="Timing of execution and slippage are not modelled.")
RISK_DISCLAIMER = "All figures rest on snapshots of market data and promise nothing about future performance."
DOC_REF = "To be supplied: key information document"

_FOUR_PLACES = Decimal("0.0001")
# Wide enough for the largest weight or rate that accepted numbers can give.
_WIDE = Context(prec=600, rounding=ROUND_HALF_EVEN)

_STEP_AFTER_GATE: dict[str, NextStep] = {
    "COMPLIANCE_REVIEW_REQUIRED": "COMPLIANCE_REVIEW",
    "RISK_REVIEW_REQUIRED": "RISK_REVIEW",
    "CLIENT_CONSENT_REQUIRED": "CLIENT_CONSENT",
    "EXECUTION_READY": "EXECUTION_READY",
}


def four_places(number: Decimal) -> str:
    rounded = _WIDE.quantize(number, _FOUR_PLACES)
    # Of these a request may carry each, and none is written with an exponent.
    if rounded.adjusted() <= EXPONENT_MAX:
        return str(rounded)
    return f"{bounded_number(rounded):f}"


def summary_of(
    request: ProposalSimulateRequest,
    result: ProposalResult,
    before: Mapping[str, Decimal],
    after: Mapping[str, Decimal],
) -> ArtifactSummary:
    """`before` and `after` are the unrounded weights of the two states by asset class."""
    return ArtifactSummary(
        title=f"Proposal for portfolio {request.portfolio_snapshot.portfolio_id}",
        objective_tags=_objectives(request, result),
        recommended_next_step=_next_step(result),
        key_takeaways=_takeaways(result, before[CASH_CLASS], after[CASH_CLASS]),
    )


def assumptions_of(lineage: LineageData, mode: ValuationMode) -> AssumptionsAndLimits:
    market_data = lineage.market_data_snapshot_id
    return AssumptionsAndLimits(
        pricing=Pricing(
            market_data_snapshot_id=market_data,
            prices_as_of=market_data,
            fx_as_of=market_data,
            valuation_mode=mode.value,
        ),
        costs_and_fees=COSTS,
        tax=TAX,
        execution=EXECUTION,
    )


def disclosures_of(result: ProposalResult) -> Disclosures:
    traded = {intent.instrument_id for intent in result.intents if isinstance(intent, ProposedTradeIntent)}
    docs = [ProductDoc(instrument_id=instrument_id, doc_ref=DOC_REF) for instrument_id in sorted(traded)]
    return Disclosures(risk_disclaimer=RISK_DISCLAIMER, product_docs=tuple(docs))


def _objectives(request: ProposalSimulateRequest, result: ProposalResult) -> tuple[str, ...]:
    tags: list[str] = []
    if any(isinstance(intent, ProposedTradeIntent) for intent in result.intents):
        tags.append("RISK_ALIGNMENT")
    if request.proposed_cash_flows:
        tags.append("CASH_DEPLOYMENT")
    drift = result.drift_analysis
    if drift is not None and drift.asset_class.drift_total_after < drift.asset_class.drift_total_before:
        tags.append("DRIFT_REDUCTION")
    return tuple(tags) or ("PORTFOLIO_MAINTENANCE",)


def _next_step(result: ProposalResult) -> NextStep:
    """By the gate of the result; with gates off by the scanner, else by the status (4.2)."""
    if result.gate_decision is not None:
        return _step_of(result.gate_decision)
    if result.suitability is not None and result.suitability.recommended_gate != "NONE":
        return result.suitability.recommended_gate
    return "CLIENT_CONSENT" if result.status == "READY" else "RISK_REVIEW"


def _step_of(decision: GateDecision) -> NextStep:
    if decision.gate != "BLOCKED":
        return _STEP_AFTER_GATE[decision.gate]
    grave = [reason for reason in decision.reasons if reason.severity == "HIGH"]
    by_suitability = any(reason.source == "SUITABILITY" for reason in grave)
    return "COMPLIANCE_REVIEW" if by_suitability else "RISK_REVIEW"


def _takeaways(result: ProposalResult, cash_before: Decimal, cash_after: Decimal) -> tuple[Takeaway, ...]:
    trades = sum(isinstance(intent, ProposedTradeIntent) for intent in result.intents)
    exchanges = sum(isinstance(intent, FxSpotIntent) for intent in result.intents)
    told = [
        ("STATUS", f"The proposal is {result.status}."),
        ("INTENTS", f"{trades} security trades and {exchanges} FX trades."),
        ("CASH", f"Cash weighs {four_places(cash_before)} before and {four_places(cash_after)} after."),
    ]
    if result.drift_analysis is not None:
        total = result.drift_analysis.asset_class
        before, after = four_places(total.drift_total_before), four_places(total.drift_total_after)
        told.append(("DRIFT", f"Drift of asset classes is {before} before and {after} after."))
    if result.suitability is not None:
        counts = result.suitability.summary
        told.append(
            (
                "SUITABILITY",
                f"{counts.new_count} issues are new, {counts.resolved_count} resolved and "
                f"{counts.persistent_count} persistent.",
            )
        )
    return tuple([Takeaway(code=code, value=value) for code, value in told])
