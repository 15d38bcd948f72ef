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
from service.domains.values.published import published

LIQUIDITY_TIERS = frozenset({"L1", "L2", "L3", "L4", "L5"})


class ValuationMode(Enum):
    CALCULATED = "CALCULATED"
    """Quantity times price."""
    TRUST_SNAPSHOT = "TRUST_SNAPSHOT"
    """The market value of the snapshot where a position has one, else quantity times price."""


class TargetMethod(Enum):
    HEURISTIC = "HEURISTIC"
    """Limits are applied one after the other; what does not fit goes to others or stays in cash."""
    SOLVER = "SOLVER"
    """The weights nearest to the model that keep all limits at once."""


def is_share(value: Decimal) -> bool:
    return 0 <= value <= 1


def has_group_form(key: str) -> bool:
    name, colon, value = key.partition(":")
    return bool(name and colon and value) and ":" not in value


@published("GroupConstraint-Output", request="GroupConstraint-Input")
class GroupConstraint(Checked, frozen=True, kw_only=True):
    """Cap on the summed weight of the instruments that share one attribute value."""

    CHECKS: ClassVar[tuple[Check, ...]] = (
        FieldRule("max_weight", "max_weight must be between 0 and 1 inclusive", is_share),
    )

    max_weight: Annotated[Exact, Meta(examples=["0.30"])]
    """Highest weight of the group, a fraction of the total value of the portfolio (0.30 is 30 %)."""


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
    """Highest weight of one instrument, a fraction of one."""
    issuer_max_weight: Exact = Decimal("0.20")
    """Highest weight of all instruments of one issuer, a fraction of one."""
    max_weight_by_liquidity_tier: Annotated[dict[str, Exact], TIERS] = field(
        default_factory=lambda: {"L4": Decimal("0.10"), "L5": Decimal("0.05")}
    )
    """Highest weight of all instruments of a liquidity tier, a fraction of one, by tier; a tier that is not
    named has no limit. A map that is sent replaces the default whole."""
    cash_band_min_weight: Exact = Decimal("0.01")
    """Lowest weight of cash, a fraction of one."""
    cash_band_max_weight: Exact = Decimal("0.05")
    """Highest weight of cash, a fraction of one."""
    data_quality_issue_severity: Literal["LOW", "MEDIUM", "HIGH"] = "MEDIUM"
    """Severity of an issue that tells of missing shelf data.

    Values as of `service.domains.rebalances.results.values.Severity`.
    """


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
    """How the state before trades is valued; the state after is always calculated."""
    target_method: TargetMethod = TargetMethod.HEURISTIC
    """How target weights are found; not used for proposals."""
    compare_target_methods: bool = False
    """Whether the other target method is run too and compared; not used for proposals."""
    compare_target_methods_tolerance: Exact = Decimal("0.0001")
    """Difference of weights up to which the two methods agree, a fraction of one."""
    cash_band_min_weight: Exact = Decimal("0.00")
    """Lowest weight of cash, a fraction of one: a soft rule, and a hard limit of the solver."""
    cash_band_max_weight: Exact = Decimal("1.00")
    """Highest weight of cash, a fraction of one: a soft rule, and a hard limit of the solver."""
    single_position_max_weight: Annotated[Exact | None, Meta(examples=["0.10"])] = None
    """Highest weight of one position, a fraction of one: cuts targets, and is a hard rule after trades. Null
    sets no limit."""
    min_trade_notional: Money | None = None
    """Minimum ticket of every trade, in place of those of the shelf; null leaves those of the shelf. Not used
    for proposals."""
    allow_restricted: bool = False
    """Whether RESTRICTED instruments may be bought."""
    suppress_dust_trades: bool = True
    """Whether trades below the minimum ticket are left out; not used for proposals."""
    dust_trade_threshold: Money | None = None
    """Accepted for the sake of the contract and not used."""
    fx_buffer_pct: Exact = Decimal("0.01")
    """Share by which an FX purchase that funds trades exceeds the shortfall (0.01 is 1 %); not used for
    proposals."""
    block_on_missing_prices: bool = True
    """Whether a missing price blocks; if not, the holding counts as 0 and its trades are left out."""
    block_on_missing_fx: bool = True
    """Whether a missing rate blocks; if not, what it would convert counts as 0 in the base currency."""
    min_cash_buffer_pct: Exact = Decimal("0.0")
    """Share of the total value that the heuristic leaves in cash, a fraction of one; the solver and proposals
    do not use it."""
    max_turnover_pct: Exact | None = None
    """Turnover budget: purchases and sales together, as a fraction of the total value before trades. Null
    sets none; not used for proposals."""
    enable_tax_awareness: bool = False
    """Whether sales are sized by tax lots and the gains budget; not used for proposals."""
    max_realized_capital_gains: Exact | None = None
    """Gains budget of the whole run in the base currency; null is unlimited, and without tax awareness it is
    not used."""
    enable_settlement_awareness: bool = False
    """Whether cash is projected day by day until everything has settled; not used for proposals."""
    enable_proposal_simulation: bool = False
    """Must be true for proposals, or they are refused, unless the service is set not to ask for it; not used
    for rebalances."""
    enable_workflow_gates: bool = True
    """Whether the result says who has to act next; if not, its gate decision is null."""
    workflow_requires_client_consent: bool = False
    """Whether the client has to agree to a rebalance; proposals always need consent."""
    client_consent_already_obtained: bool = False
    """Whether the client has agreed already."""
    proposal_apply_cash_flows_first: bool = True
    """Accepted and not used: cash flows always come first."""
    proposal_block_negative_cash: bool = True
    """Whether a balance that is negative after a cash flow of a proposal blocks it."""
    link_buy_to_same_currency_sell_dependency: bool | None = None
    """Whether a purchase waits for the last sale in its currency; null means true for rebalances and false
    for proposals."""
    enable_drift_analytics: bool = True
    """Whether the drift of a proposal from its reference model is computed."""
    enable_suitability_scanner: bool = True
    """Whether a proposal is scanned for suitability issues."""
    suitability_thresholds: SuitabilityThresholds = DEFAULT_THRESHOLDS
    """Limits of the suitability scan of proposals."""
    enable_instrument_drift: bool = True
    """Whether drift is computed by instrument too, where the reference model names instruments."""
    drift_top_contributors_limit: int = 5
    """How many rows lists of drift, weight changes and highlights have at most."""
    drift_unmodeled_exposure_threshold: Exact = Decimal("0.01")
    """Weight from which a holding that is not in the reference model is listed, a fraction of one."""
    auto_funding: bool = True
    """Whether FX trades are added for purchases that lack their currency; if not, all purchases are executed,
    paid for or not."""
    funding_mode: Literal["AUTO_FX"] = "AUTO_FX"
    """How purchases of a proposal are funded.

    - AUTO_FX: By one FX trade per currency, out of cash in other currencies.
    """
    fx_funding_source_currency: Literal["BASE_ONLY", "ANY_CASH"] = "ANY_CASH"
    """Which cash may pay for FX trades of a proposal.

    - BASE_ONLY: Cash in the base currency only.
    - ANY_CASH: The base currency first, then every other currency that is held, in ascending order.
    """
    fx_generation_policy: Literal["ONE_FX_PER_CCY"] = "ONE_FX_PER_CCY"
    """How many FX trades fund the purchases of a proposal.

    - ONE_FX_PER_CCY: One for each currency that is lacking, from one source.
    """
    settlement_horizon_days: int = 5
    """Days that cash is projected for at least (T+n)."""
    fx_settlement_days: int = 2
    """Days after which FX trades settle (T+n)."""
    max_overdraft_by_ccy: Annotated[dict[str, Exact], OVERDRAFTS] = field(default_factory=dict)
    """Overdraft that the cash projection tolerates, by currency, as a positive amount in that currency."""
    group_constraints: Annotated[
        dict[str, GroupConstraint], GROUPS, Meta(examples=[{"sector:TECH": {"max_weight": "0.3"}}])
    ] = field(default_factory=dict)
    """Caps by `attribute:value` of the shelf; not used for proposals."""
