"""Switches and limits of a simulation, shared by both engines.

Source: section 2.9 of the engine specification. Field order is the published one.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from service.domains.values.bounds import GROUPS, OVERDRAFTS, TIERS
from service.domains.values.fields import Bound, Check, Checked, FieldRule, WholeRule
from service.domains.values.money import Exact, Money

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

    max_weight: Annotated[Exact, Meta(description="Fraction of total value.", examples=["0.30"])]


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

    valuation_mode: Annotated[ValuationMode, Meta(description="Valuation of the state before trades.")] = (
        ValuationMode.CALCULATED
    )
    target_method: Annotated[TargetMethod, Meta(description="How target weights are found.")] = (
        TargetMethod.HEURISTIC
    )
    compare_target_methods: Annotated[bool, Meta(description="Run the other method too.")] = False
    compare_target_methods_tolerance: Annotated[
        Exact, Meta(description="Absolute weight difference that counts.")
    ] = Decimal("0.0001")
    cash_band_min_weight: Annotated[
        Exact, Meta(description="Lower bound of the cash weight; hard in the solver.")
    ] = Decimal("0.00")
    cash_band_max_weight: Annotated[
        Exact, Meta(description="Upper bound of the cash weight; hard in the solver.")
    ] = Decimal("1.00")
    single_position_max_weight: Annotated[
        Exact | None, Meta(description="Cap on one position.", examples=["0.10"])
    ] = None
    min_trade_notional: Annotated[
        Money | None, Meta(description="Minimum ticket; replaces those of the shelf.")
    ] = None
    allow_restricted: Annotated[bool, Meta(description="RESTRICTED targets become buyable.")] = False
    suppress_dust_trades: Annotated[bool, Meta(description="Drop trades below the minimum ticket.")] = True
    dust_trade_threshold: Annotated[Money | None, Meta(description="Not read.")] = None
    fx_buffer_pct: Annotated[Exact, Meta(description="Fraction added to a funding FX purchase.")] = Decimal(
        "0.01"
    )
    block_on_missing_prices: bool = True
    block_on_missing_fx: bool = True
    min_cash_buffer_pct: Annotated[Exact, Meta(description="Fraction kept uninvested (heuristic only).")] = (
        Decimal("0.0")
    )
    max_turnover_pct: Annotated[
        Exact | None, Meta(description="Turnover budget as a fraction of the value before.")
    ] = None
    enable_tax_awareness: Annotated[bool, Meta(description="Size sales by tax lots.")] = False
    max_realized_capital_gains: Annotated[
        Exact | None, Meta(description="Gains budget in base currency; null is unlimited.")
    ] = None
    enable_settlement_awareness: Annotated[bool, Meta(description="Check the cash ladder.")] = False
    enable_proposal_simulation: bool = False
    enable_workflow_gates: Annotated[bool, Meta(description="Decide a gate.")] = True
    workflow_requires_client_consent: bool = False
    client_consent_already_obtained: bool = False
    proposal_apply_cash_flows_first: bool = True
    proposal_block_negative_cash: bool = True
    link_buy_to_same_currency_sell_dependency: Annotated[
        bool | None, Meta(description="Null means true.")
    ] = None
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
    settlement_horizon_days: Annotated[int, Meta(description="Minimum ladder length in days.")] = 5
    fx_settlement_days: Annotated[int, Meta(description="Day offset of FX legs.")] = 2
    max_overdraft_by_ccy: Annotated[
        dict[str, Exact], OVERDRAFTS, Meta(description="Tolerated ladder overdraft per currency, positive.")
    ] = field(default_factory=dict)
    group_constraints: Annotated[
        dict[str, GroupConstraint],
        GROUPS,
        Meta(description="Caps by `attribute:value`.", examples=[{"sector:TECH": {"max_weight": "0.3"}}]),
    ] = field(default_factory=dict)
