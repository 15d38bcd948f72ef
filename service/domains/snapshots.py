"""What a simulation is computed from: holdings, market data, the model and the product shelf.

Source: sections 2.2 to 2.8 of the engine specification. Field order is the published one.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from service.domains.bounds import (
    ATTRIBUTES,
    CASH_ROWS,
    CURRENCY,
    ID,
    LABEL,
    LOTS,
    LOTS_MAX,
    OPEN_ID,
    PAIR,
    RATES,
    ROWS,
    TotalBound,
)
from service.domains.fields import Bound, Check, Checked, WholeRule
from service.domains.money import ENGINE_CONTEXT, ZERO, Exact, Money

LOT_TOLERANCE = Decimal("0.0001")

ShelfStatus = Literal["APPROVED", "RESTRICTED", "BANNED", "SUSPENDED", "SELL_ONLY"]
LiquidityTier = Literal["L1", "L2", "L3", "L4", "L5"]


class TaxLot(Checked, frozen=True, kw_only=True):
    """Units bought together at one cost."""

    CHECKS: ClassVar[tuple[Check, ...]] = (Bound("quantity", ge=0),)

    lot_id: Annotated[str, ID, Meta(examples=["lot_1"])]
    """Identifier of the lot; breaks ties."""
    quantity: Annotated[Exact, Meta(examples=["100"])]
    """Units in the lot."""
    unit_cost: Money
    """Cost per unit, in any currency."""
    purchase_date: Annotated[str, LABEL, Meta(examples=["2024-03-01"])]
    """Compared as text."""


def _lots_add_up(position: Position) -> bool:
    if not position.lots:
        return True
    held = ZERO
    for lot in position.lots:
        held = ENGINE_CONTEXT.add(held, lot.quantity)
    return ENGINE_CONTEXT.abs(ENGINE_CONTEXT.subtract(held, position.quantity)) <= LOT_TOLERANCE


class Position(Checked, frozen=True, kw_only=True):
    """One line of the portfolio."""

    CHECKS: ClassVar[tuple[Check, ...]] = (
        WholeRule("sum(lot.quantity) must equal position.quantity within tolerance 0.0001", _lots_add_up),
    )

    instrument_id: Annotated[str, ID, Meta(examples=["EQ_1"])]
    """Identifier of the instrument."""
    quantity: Annotated[Exact, Meta(examples=["100"])]
    """Units held; negative is short."""
    market_value: Money | None = None
    """Valuation reported upstream."""
    lots: Annotated[tuple[TaxLot, ...], LOTS] = ()
    """Tax lots of the position."""


class CashBalance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Cash of one currency."""

    currency: Annotated[str, CURRENCY, Meta(examples=["SGD"])]
    """Currency code."""
    amount: Annotated[Exact, Meta(examples=["10000.00"])]
    """Spendable cash."""
    settled: Exact | None = None
    """Opening balance of the settlement ladder; else amount."""
    pending: Exact | None = None
    """Echoed, never read."""


class PortfolioSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Holdings and cash before the simulation."""

    TOTALS: ClassVar[tuple[TotalBound, ...]] = (
        TotalBound(LOTS_MAX, "lots in all", lambda book: sum([len(row.lots) for row in book.positions])),
    )

    snapshot_id: Annotated[str | None, ID] = None
    """Echoed by batch calls."""
    portfolio_id: Annotated[str, ID, Meta(examples=["pf_1"])]
    """Identifier of the portfolio."""
    base_currency: Annotated[str, CURRENCY, Meta(examples=["SGD"])]
    """Valuation currency."""
    positions: Annotated[tuple[Position, ...], ROWS] = ()
    """Holdings."""
    cash_balances: Annotated[tuple[CashBalance, ...], CASH_ROWS] = ()
    """Cash per currency."""


class Price(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Price of one unit of an instrument."""

    instrument_id: Annotated[str, ID, Meta(examples=["EQ_1"])]
    """Identifier of the instrument."""
    price: Annotated[Exact, Meta(examples=["100.00"])]
    """Price per unit; one not above zero counts as missing."""
    currency: Annotated[str, CURRENCY, Meta(examples=["SGD"])]
    """Currency of the price."""


class FxRate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Units of the second currency per unit of the first."""

    pair: Annotated[str, PAIR, Meta(examples=["USD/SGD"])]
    """`AAA/BBB`: units of BBB per one AAA."""
    rate: Annotated[Exact, Meta(examples=["1.35"])]
    """The rate; one not above zero counts as missing."""


class MarketDataSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Prices and exchange rates."""

    snapshot_id: Annotated[str | None, ID] = None
    """Echoed by batch calls."""
    prices: Annotated[tuple[Price, ...], ROWS] = ()
    """Prices; the first row of an id counts."""
    fx_rates: Annotated[tuple[FxRate, ...], RATES] = ()
    """Rates; the first row of a pair counts."""


class ModelTarget(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Wanted weight of one instrument."""

    instrument_id: Annotated[str, ID, Meta(examples=["EQ_1"])]
    """Identifier of the instrument."""
    weight: Annotated[Exact, Meta(examples=["0.25"])]
    """Fraction of total portfolio value."""


class ModelPortfolio(msgspec.Struct, frozen=True, kw_only=True):
    """Target weights; what is left is cash."""

    targets: Annotated[tuple[ModelTarget, ...], ROWS]
    """Target rows; may be empty."""


class ShelfEntry(Checked, frozen=True, kw_only=True):
    """Eligibility of one product."""

    CHECKS: ClassVar[tuple[Check, ...]] = (Bound("settlement_days", ge=0, le=10),)

    instrument_id: Annotated[str, ID, Meta(examples=["EQ_1"])]
    """Identifier of the instrument."""
    status: ShelfStatus
    """Whether it may be held, bought or sold."""
    asset_class: Annotated[str, LABEL, Meta(examples=["EQUITY"])] = "UNKNOWN"
    """Allocation bucket."""
    issuer_id: Annotated[str | None, OPEN_ID] = None
    """Read by the advisory engine only."""
    liquidity_tier: LiquidityTier | None = None
    """Advisory engine only."""
    settlement_days: Annotated[int, Meta(examples=[2])] = 2
    """Day offset of the cash leg."""
    min_notional: Money | None = None
    """Minimum ticket of the instrument."""
    attributes: Annotated[dict[str, str], ATTRIBUTES, Meta(examples=[{"sector": "TECH"}])] = msgspec.field(
        default_factory=dict
    )
    """Tags for group limits and allocations."""


def currencies_of(portfolio: PortfolioSnapshot, market: MarketDataSnapshot) -> set[str]:
    """All that cash is held and prices are quoted in."""
    return {row.currency for row in portfolio.cash_balances} | {row.currency for row in market.prices}
