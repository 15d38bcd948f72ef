"""Judges a state by the fixed list of rules (engine specification, 7.1; advisory specification, 3.10).

Problem: limits, data gaps, short positions and overdrawn cash must show, always in the same order.
Example: a cash row of -12.50 after trades fails INSUFFICIENT_CASH, measured -12.50 against a minimum of 0.
Rounding: none; rules read the unrounded weights. A single position may exceed its cap by ten basis points,
and two totals that must agree may differ by half a unit of base currency plus five basis points.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from service.domains.rebalances.options import EngineOptions
from service.domains.rebalances.results.rules import RuleResult
from service.domains.values.money import ZERO
from service.engines.portfolio.missing_data import MissingData
from service.engines.portfolio.valuation import Valuation

SINGLE_POSITION_TOLERANCE = Decimal("0.001")
RECONCILIATION_UNITS = Decimal("0.5")
RECONCILIATION_SHARE = Decimal("0.0005")
NO_LIMIT = Decimal(-1)


def evaluate_rules(
    state: Valuation, options: EngineOptions, *, gaps: MissingData, suppressed: int
) -> tuple[RuleResult, ...]:
    """All rules on one state, in the published order."""
    return (
        _cash_band(state, options),
        *_single_position(state, options),
        _data_quality(gaps.blocking(options)),
        _min_trade_size(suppressed),
        _floor_at_zero(
            "NO_SHORTING",
            min([row.quantity for row in state.state.positions], default=ZERO),
            "SELL_EXCEEDS_HOLDINGS",
            "Reduce the sales to what is held.",
        ),
        _floor_at_zero(
            "INSUFFICIENT_CASH",
            min([row.amount for row in state.state.cash_balances], default=ZERO),
            "CASH_BALANCE_NEGATIVE",
            "Reduce the purchases or add cash.",
        ),
    )


def hard_failures(rules: Sequence[RuleResult]) -> tuple[RuleResult, ...]:
    return tuple([rule for rule in rules if rule.status == "FAIL" and rule.severity == "HARD"])


def value_mismatch(difference: Decimal, tolerance: Decimal) -> RuleResult:
    """The row that totals which differ too much add; success adds none."""
    return RuleResult(
        rule_id="RECONCILIATION",
        severity="HARD",
        status="FAIL",
        measured=difference,
        threshold={"max": tolerance},
        reason_code="VALUE_MISMATCH",
        remediation_hint="Compare the trusted values with prices and rates.",
    )


def _cash_band(state: Valuation, options: EngineOptions) -> RuleResult:
    low, high = options.cash_band_min_weight, options.cash_band_max_weight
    weight = state.cash_weight
    failed = weight < low or weight > high
    return RuleResult(
        rule_id="CASH_BAND",
        severity="SOFT",
        status="FAIL" if failed else "PASS",
        measured=weight,
        threshold={"min": low, "max": high},
        reason_code="THRESHOLD_BREACH" if failed else "OK",
        remediation_hint="Bring the cash weight back into its band." if failed else None,
    )


def _single_position(state: Valuation, options: EngineOptions) -> list[RuleResult]:
    cap = options.single_position_max_weight
    if cap is None:
        return [_single_position_row(ZERO, NO_LIMIT, "NO_LIMIT_SET")]
    limit = cap + SINGLE_POSITION_TOLERANCE
    offending = [
        _single_position_row(weight, cap, "LIMIT_BREACH", f"Reduce {row.instrument_id} to its limit.")
        for row, weight in zip(state.state.positions, state.weights, strict=True)
        if weight > limit
    ]
    return offending or [_single_position_row(max((ZERO, *state.weights)), cap, "OK")]


def _single_position_row(
    measured: Decimal, cap: Decimal, reason_code: str, hint: str | None = None
) -> RuleResult:
    return RuleResult(
        rule_id="SINGLE_POSITION_MAX",
        severity="HARD",
        status="PASS" if hint is None else "FAIL",
        measured=measured,
        threshold={"max": cap},
        reason_code=reason_code,
        remediation_hint=hint,
    )


def _data_quality(count: int) -> RuleResult:
    return RuleResult(
        rule_id="DATA_QUALITY",
        severity="HARD",
        status="FAIL" if count else "PASS",
        measured=Decimal(count),
        threshold={"max": ZERO},
        reason_code="MISSING_DATA" if count else "OK",
        remediation_hint="Supply the prices, rates and shelf rows listed under data quality."
        if count
        else None,
    )


def _min_trade_size(suppressed: int) -> RuleResult:
    return RuleResult(
        rule_id="MIN_TRADE_SIZE",
        severity="SOFT",
        status="PASS",
        measured=Decimal(suppressed),
        threshold={"min": ZERO},
        reason_code="INTENTS_SUPPRESSED" if suppressed else "OK",
    )


def _floor_at_zero(rule_id: str, lowest: Decimal, reason_code: str, hint: str) -> RuleResult:
    failed = lowest < 0
    return RuleResult(
        rule_id=rule_id,
        severity="HARD",
        status="FAIL" if failed else "PASS",
        measured=lowest if failed else ZERO,
        threshold={"min": ZERO},
        reason_code=reason_code if failed else "OK",
        remediation_hint=hint if failed else None,
    )
