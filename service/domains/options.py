"""Switches and limits of a simulation, shared by both engines.

Source: section 2.9 of the engine specification. Field order is the published one.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from service.domains.bounds import GROUPS, OVERDRAFTS, TIERS
from service.domains.fields import Bound, Check, Checked, FieldRule, WholeRule
from service.domains.money import Exact, Money

LIQUIDITY_TIERS = frozenset({"L1", "L2", "L3", "L4", "L5"})


class ValuationMode(Enum):
    CALCULATED = "CALCULATED"
    TRUST_SNAPSHOT = "TRUST_SNAPSHOT"


class TargetMethod(Enum):
    HEURISTIC = "HEURISTIC"
    SOLVER = "SOLVER"


def is_share(value: Decimal) -> bool:
    return 0 <= value <= 1


def has_group_form(key: str) -> bool:
    name, colon, value = key.partition(":")
    return bool(name and colon and value) and ":" not in value


class GroupConstraint(Checked, frozen=True, kw_only=True):
    """Cap on the summed weight of the instruments that share one attribute value."""

    CHECKS: ClassVar[tuple[Check, ...]] = (
        FieldRule("max_weight", "max_weight must be between 0 and 1 inclusive", is_share),
    )

    max_weight: Annotated[Exact, Meta(examples=["0.30"])]
    """Fraction of total value."""


class SuitabilityThresholds(Checked, frozen=True, kw_only=True):
    """Limits of the advisory suitability scan."""

    CHECKS: ClassVar[tuple[Check, ...]] = (
        Bound("single_position_max_weight", ge=0, le=1),
        Bound("issuer_max_weight", ge=0, le=1),
        FieldRule(
            "max_weight_by_liquidity_tier",
            "liquidity tier keys must be one of L1, L2, L3, L4, L5",
            lambda tiers: tiers.keys() <= LIQUIDITY_TIERS,
        ),
        FieldRule(
            "max_weight_by_liquidity_tier",
            "liquidity-tier max weights must be between 0 and 1 inclusive",
            lambda tiers: all(is_share(weight) for weight in tiers.values()),
        ),
        Bound("cash_band_min_weight", ge=0, le=1),
        Bound("cash_band_max_weight", ge=0, le=1),
        WholeRule(
            "suitability cash band min cannot exceed max",
            lambda limits: limits.cash_band_min_weight <= limits.cash_band_max_weight,
        ),
    )

    single_position_max_weight: Exact = Decimal("0.10")
    issuer_max_weight: Exact = Decimal("0.20")
    max_weight_by_liquidity_tier: Annotated[dict[str, Exact], TIERS] = field(
        default_factory=lambda: {"L4": Decimal("0.10"), "L5": Decimal("0.05")}
    )
    cash_band_min_weight: Exact = Decimal("0.01")
    cash_band_max_weight: Exact = Decimal("0.05")
    data_quality_issue_severity: Literal["LOW", "MEDIUM", "HIGH"] = "MEDIUM"


# Frozen, so every request without its own shares it.
DEFAULT_THRESHOLDS = SuitabilityThresholds()


class EngineOptions(Checked, frozen=True, kw_only=True):
    """Everything a caller can set on a simulation; weights and percentages are fractions of one."""

    CHECKS: ClassVar[tuple[Check, ...]] = (
        FieldRule("max_turnover_pct", "max_turnover_pct must be between 0 and 1 inclusive", is_share),
        Bound("max_realized_capital_gains", ge=0),
        Bound("drift_top_contributors_limit", ge=1, le=20),
        Bound("drift_unmodeled_exposure_threshold", ge=0, le=1),
        Bound("settlement_horizon_days", ge=0, le=10),
        Bound("fx_settlement_days", ge=0, le=10),
        FieldRule(
            "max_overdraft_by_ccy",
            "max_overdraft_by_ccy keys must be non-empty currency codes",
            lambda limits: "" not in limits,
        ),
        FieldRule(
            "max_overdraft_by_ccy",
            "max_overdraft_by_ccy values must be non-negative",
            lambda limits: all(limit >= 0 for limit in limits.values()),
        ),
        FieldRule(
            "group_constraints",
            "group_constraints keys must use format '<attribute_key>:<attribute_value>'",
            lambda groups: all(has_group_form(key) for key in groups),
        ),
    )

    valuation_mode: ValuationMode = ValuationMode.CALCULATED
    """Valuation of the state before trades."""
    target_method: TargetMethod = TargetMethod.HEURISTIC
    """How target weights are found."""
    compare_target_methods: bool = False
    """Run the other method too."""
    compare_target_methods_tolerance: Exact = Decimal("0.0001")
    """Absolute weight difference that counts."""
    cash_band_min_weight: Exact = Decimal("0.00")
    """Lower bound of the cash weight; hard in the solver."""
    cash_band_max_weight: Exact = Decimal("1.00")
    """Upper bound of the cash weight; hard in the solver."""
    single_position_max_weight: Annotated[Exact | None, Meta(examples=["0.10"])] = None
    """Cap on one position."""
    min_trade_notional: Money | None = None
    """Minimum ticket; replaces those of the shelf."""
    allow_restricted: bool = False
    """RESTRICTED targets become buyable."""
    suppress_dust_trades: bool = True
    """Drop trades below the minimum ticket."""
    dust_trade_threshold: Money | None = None
    """Not read."""
    fx_buffer_pct: Exact = Decimal("0.01")
    """Fraction added to a funding FX purchase."""
    block_on_missing_prices: bool = True
    block_on_missing_fx: bool = True
    min_cash_buffer_pct: Exact = Decimal("0.0")
    """Fraction kept uninvested (heuristic only)."""
    max_turnover_pct: Exact | None = None
    """Turnover budget as a fraction of the value before."""
    enable_tax_awareness: bool = False
    """Size sales by tax lots."""
    max_realized_capital_gains: Exact | None = None
    """Gains budget in base currency; null is unlimited."""
    enable_settlement_awareness: bool = False
    """Check the cash ladder."""
    enable_proposal_simulation: bool = False
    enable_workflow_gates: bool = True
    """Decide a gate."""
    workflow_requires_client_consent: bool = False
    client_consent_already_obtained: bool = False
    proposal_apply_cash_flows_first: bool = True
    proposal_block_negative_cash: bool = True
    link_buy_to_same_currency_sell_dependency: bool | None = None
    """Null means true."""
    enable_drift_analytics: bool = True
    enable_suitability_scanner: bool = True
    suitability_thresholds: SuitabilityThresholds = DEFAULT_THRESHOLDS
    enable_instrument_drift: bool = True
    drift_top_contributors_limit: int = 5
    drift_unmodeled_exposure_threshold: Exact = Decimal("0.01")
    auto_funding: bool = True
    funding_mode: Literal["AUTO_FX"] = "AUTO_FX"
    fx_funding_source_currency: Literal["BASE_ONLY", "ANY_CASH"] = "ANY_CASH"
    fx_generation_policy: Literal["ONE_FX_PER_CCY"] = "ONE_FX_PER_CCY"
    settlement_horizon_days: int = 5
    """Minimum ladder length in days."""
    fx_settlement_days: int = 2
    """Day offset of FX legs."""
    max_overdraft_by_ccy: Annotated[dict[str, Exact], OVERDRAFTS] = field(default_factory=dict)
    """Tolerated ladder overdraft per currency, positive."""
    group_constraints: Annotated[
        dict[str, GroupConstraint], GROUPS, Meta(examples=[{"sector:TECH": {"max_weight": "0.3"}}])
    ] = field(default_factory=dict)
    """Caps by `attribute:value`."""
