"""What the stages of a simulation noticed (engine specification, 3.7; advisory specification, section 2)."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from service.domains.rebalances.results.values import InstrumentId, Value
from service.domains.values.money import Money

WarningCode = str
"""Something to know about the simulation.

- CAPPED_BY_GROUP_LIMIT_<key>: A group of instruments was scaled down to its cap.
- NO_ELIGIBLE_REDISTRIBUTION_DESTINATION: No instrument outside a capped group could take its weight; the run
  is blocked.
- UNKNOWN_CONSTRAINT_ATTRIBUTE_<attribute>: A group cap names an attribute that no shelf entry has; it was
  left out.
- INVALID_CONSTRAINT_KEY_<key>: The key of a group cap is not of the form `attribute:value`; it was left out.
- INFEASIBLE_INFEASIBLE: No weights meet all limits of the solver; the run is blocked.
- INFEASIBLE_USER_LIMIT: The solver found no weights within the steps it may take; the run is blocked.
- INFEASIBILITY_HINT_CASH_BAND_CONTRADICTION: The cash band leaves no room: its minimum is above its maximum.
- INFEASIBILITY_HINT_SINGLE_POSITION_CAPACITY: The buyable instruments at their single maximum cannot take
  what has to be invested.
- INFEASIBILITY_HINT_LOCKED_GROUP_WEIGHT_<key>: Holdings that may not be traded exceed the cap of their group.
- TARGET_METHOD_STATUS_DIVERGENCE: The two target methods come to different statuses.
- TARGET_METHOD_WEIGHT_DIVERGENCE: The two target methods differ in weights by more than the tolerance.
- TAX_BUDGET_LIMIT_REACHED: A sale was cut to what the gains budget or the tax lots allow.
- PARTIAL_REBALANCE_TURNOVER_LIMIT: Trades were dropped because they exceed the turnover budget.
- SETTLEMENT_OVERDRAFT_UTILIZED: A projected balance is negative, within the overdraft allowed.
- OVERDRAFT_ON_T_PLUS_<day>: A projected balance falls below its floor on this day after the trade.
- SIMULATION_SAFETY_CHECK_FAILED: More would be sold than is held, or cash would be overdrawn.
- PROPOSAL_WITHDRAWAL_NEGATIVE_CASH: The balance of a currency is negative after a cash flow.
- PROPOSAL_TRADE_NOT_SUPPORTED_BY_SHELF: A trade was dropped because the shelf does not allow to buy it.
- PROPOSAL_INVALID_TRADE_INPUT: A trade was dropped because its amount is in another currency than the price.
- PROPOSAL_MISSING_FX_NON_BLOCKING: Purchases lack a rate for their funding, which the options let pass.
- PROPOSAL_BUY_SKIPPED_UNFUNDED: Purchases were left out because their currency could not be funded.
- REFERENCE_MODEL_BASE_CURRENCY_MISMATCH: The reference model is in another base currency, so no drift was
  computed.
"""


class SuppressedIntent(Value, frozen=True, kw_only=True):
    """A trade that is too small to be worth it."""

    instrument_id: InstrumentId
    reason: str
    """Why the trade was left out.

    - BELOW_MIN_NOTIONAL: Its notional is below the minimum ticket.
    """
    intended_notional: Money
    """What would have been traded, in the currency of the price; 0 where nothing had to be traded."""
    threshold: Money
    """Minimum ticket, of the options or else of the shelf; its number is compared whatever its currency."""


class DroppedIntent(Value, frozen=True, kw_only=True):
    """A trade that did not fit the turnover budget."""

    instrument_id: InstrumentId
    reason: str
    """Why the trade was dropped.

    - TURNOVER_LIMIT: It exceeds what is left of the turnover budget.
    """
    potential_notional: Money
    """What would have been traded, in the base currency."""
    score: Decimal
    """The same as a fraction of the total value before trades; trades with more are kept first."""


class GroupConstraintEvent(Value, frozen=True, kw_only=True):
    """What the heuristic did about a group of instruments above its cap."""

    constraint_key: str
    """Group as `attribute:value`, as in the options."""
    group_weight_before: Decimal
    """Weight of the group before it was scaled down, as a fraction of one."""
    max_weight: Decimal
    """Cap of the group, as a fraction of one."""
    released_weight: Decimal
    """Weight that the group gave up: the one before less the cap."""
    recipients: dict[str, Decimal]
    """Which instruments outside the group took it, and how much of it each, as fractions of one."""
    status: Literal["CAPPED", "BLOCKED"]
    """How it ended.

    - CAPPED: The group is at its cap, and others took the weight.
    - BLOCKED: No other instrument could take the weight; the run is blocked.
    """


class TaxBudgetConstraintEvent(Value, frozen=True, kw_only=True):
    """A sale that was cut by the gains budget or by its tax lots."""

    instrument_id: InstrumentId
    requested_quantity: Decimal
    """Units to sell for the target weight."""
    allowed_quantity: Decimal
    """Units that the budget and the lots allow to sell; may be a fraction."""
    reason_code: str
    """Why the sale was cut.

    - TAX_BUDGET_LIMIT_REACHED: The gains budget of the run, or the lots of the position, allow no more.
    """


class CashLadderPoint(Value, frozen=True, kw_only=True):
    """Projected cash of one currency on one day."""

    date_offset: int
    """Days after the trade (T+n), without regard to holidays; 0 is the trade date."""
    currency: str
    """Currency of the balance."""
    projected_balance: Decimal
    """Balance at the end of the day, in that currency; negative if overdrawn."""


class CashLadderBreach(Value, frozen=True, kw_only=True):
    """A day on which a currency falls below its floor."""

    date_offset: int
    """Days after the trade (T+n), without regard to holidays; 0 is the trade date."""
    currency: str
    """Currency of the balance."""
    projected_balance: Decimal
    """Balance at the end of the day, in that currency."""
    allowed_floor: Decimal
    """Lowest balance allowed, in that currency: 0, or the overdraft allowed with a minus sign."""
    reason_code: str
    """What is wrong.

    - OVERDRAFT_ON_T_PLUS_<day>: The balance is below its floor on this day after the trade.
    """


class FundingPlanEntry(Value, frozen=True, kw_only=True):
    """What the purchases of one currency need, in its minor units, and where it is bought."""

    target_currency: str
    """Currency that purchases have to be paid in."""
    required: Decimal
    """Notional of all purchases in the currency."""
    available_before_fx: Decimal
    """Cash held in the currency after cash flows, sales and earlier exchanges."""
    fx_needed: Decimal
    """What has to be bought of the currency: required less available, at least 0."""
    fx_pair: str | None = None
    """Pair of the exchange, `<target>/<funding>`; null where none is needed or possible."""
    funding_currency: str | None = None
    """Currency that pays for the exchange; null where none is needed or possible."""


class InsufficientCashEntry(Value, frozen=True, kw_only=True):
    """The currency that came nearest to funding a purchase, and what it lacks."""

    currency: str
    """Currency that would have paid."""
    deficit: Decimal
    """What it lacks, in its minor units; above 0."""


class DataQuality(Value, frozen=True, kw_only=True):
    """Data that was missed, once for every stage that missed it."""

    price_missing: tuple[str, ...]
    """Ids of instruments without a usable price."""
    fx_missing: tuple[str, ...]
    """Pairs `FROM/TO` without a rate."""
    shelf_missing: tuple[str, ...]
    """Ids of targets or traded instruments without a shelf entry."""


class DiagnosticsData(Value, frozen=True, kw_only=True):
    """What the stages noticed; the three last lists before data_quality belong to the advisory engine."""

    warnings: tuple[WarningCode, ...]
    """Codes of what to know about the simulation, in the order it was noticed; repeats are kept."""
    suppressed_intents: tuple[SuppressedIntent, ...]
    """Trades below the minimum ticket; empty for proposals."""
    dropped_intents: tuple[DroppedIntent, ...]
    """Trades that exceed the turnover budget; empty for proposals."""
    group_constraint_events: tuple[GroupConstraintEvent, ...]
    """Groups that were scaled down to their caps; empty for proposals and for the solver."""
    tax_budget_constraint_events: tuple[TaxBudgetConstraintEvent, ...]
    """Sales that were cut for tax; empty for proposals."""
    cash_ladder: tuple[CashLadderPoint, ...]
    """Projected cash by currency and day; empty without settlement awareness and for proposals."""
    cash_ladder_breaches: tuple[CashLadderBreach, ...]
    """Days below the floor; any of them blocks the run."""
    missing_fx_pairs: tuple[str, ...] = ()
    """Pairs `<target>/<source>` that funding of a proposal tried and found no rate for; empty for a
    rebalance."""
    funding_plan: tuple[FundingPlanEntry, ...] = ()
    """How the purchases of a proposal are paid, by currency; empty for a rebalance and without automatic
    funding."""
    insufficient_cash: tuple[InsufficientCashEntry, ...] = ()
    """Purchases of a proposal that no currency can pay for; empty for a rebalance."""
    data_quality: DataQuality
    """Prices, rates and shelf entries that are missing."""
