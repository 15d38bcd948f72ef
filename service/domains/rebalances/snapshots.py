"""What a simulation is computed from: holdings, market data, the model and the product shelf.

Source: sections 2.2 to 2.8 of the engine specification. Field order is the published one.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from service.domains.values.bounds import (
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
from service.domains.values.fields import Bound, Check, Checked, WholeRule
from service.domains.values.money import ENGINE_CONTEXT, ZERO, Exact, Money

LOT_TOLERANCE = Decimal("0.0001")

ShelfStatus = Literal["APPROVED", "RESTRICTED", "BANNED", "SUSPENDED", "SELL_ONLY"]
LiquidityTier = Literal["L1", "L2", "L3", "L4", "L5"]


class TaxLot(Checked, frozen=True, kw_only=True):
    """Units bought together at one cost."""

    CHECKS: ClassVar[tuple[Check, ...]] = (Bound("quantity", ge=0),)

    lot_id: Annotated[str, ID, Meta(description="Identifier of the lot; breaks ties.", examples=["lot_1"])]
    quantity: Annotated[Exact, Meta(description="Units in the lot.", examples=["100"])]
    unit_cost: Annotated[Money, Meta(description="Cost per unit, in any currency.")]
    purchase_date: Annotated[str, LABEL, Meta(description="Compared as text.", examples=["2024-03-01"])]


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

    instrument_id: Annotated[str, ID, Meta(description="Identifier of the instrument.", examples=["EQ_1"])]
    quantity: Annotated[Exact, Meta(description="Units held; negative is short.", examples=["100"])]
    market_value: Annotated[Money | None, Meta(description="Valuation reported upstream.")] = None
    lots: Annotated[tuple[TaxLot, ...], LOTS, Meta(description="Tax lots of the position.")] = ()


class CashBalance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Cash of one currency."""

    currency: Annotated[str, CURRENCY, Meta(description="Currency code.", examples=["SGD"])]
    amount: Annotated[Exact, Meta(description="Spendable cash.", examples=["10000.00"])]
    settled: Annotated[
        Exact | None, Meta(description="Opening balance of the settlement ladder; else amount.")
    ] = None
    pending: Annotated[Exact | None, Meta(description="Echoed, never read.")] = None


class PortfolioSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Holdings and cash before the simulation."""

    TOTALS: ClassVar[tuple[TotalBound, ...]] = (
        TotalBound(LOTS_MAX, "lots in all", lambda book: sum([len(row.lots) for row in book.positions])),
    )

    snapshot_id: Annotated[str | None, ID, Meta(description="Echoed by batch calls.")] = None
    portfolio_id: Annotated[str, ID, Meta(description="Identifier of the portfolio.", examples=["pf_1"])]
    base_currency: Annotated[str, CURRENCY, Meta(description="Valuation currency.", examples=["SGD"])]
    positions: Annotated[tuple[Position, ...], ROWS, Meta(description="Holdings.")] = ()
    cash_balances: Annotated[tuple[CashBalance, ...], CASH_ROWS, Meta(description="Cash per currency.")] = ()


class Price(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Price of one unit of an instrument."""

    instrument_id: Annotated[str, ID, Meta(description="Identifier of the instrument.", examples=["EQ_1"])]
    price: Annotated[
        Exact, Meta(description="Price per unit; one not above zero counts as missing.", examples=["100.00"])
    ]
    currency: Annotated[str, CURRENCY, Meta(description="Currency of the price.", examples=["SGD"])]


class FxRate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Units of the second currency per unit of the first."""

    pair: Annotated[str, PAIR, Meta(description="`AAA/BBB`: units of BBB per one AAA.", examples=["USD/SGD"])]
    rate: Annotated[
        Exact, Meta(description="The rate; one not above zero counts as missing.", examples=["1.35"])
    ]


class MarketDataSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Prices and exchange rates."""

    snapshot_id: Annotated[str | None, ID, Meta(description="Echoed by batch calls.")] = None
    prices: Annotated[
        tuple[Price, ...], ROWS, Meta(description="Prices; the first row of an id counts.")
    ] = ()
    fx_rates: Annotated[
        tuple[FxRate, ...], RATES, Meta(description="Rates; the first row of a pair counts.")
    ] = ()


class ModelTarget(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Wanted weight of one instrument."""

    instrument_id: Annotated[str, ID, Meta(description="Identifier of the instrument.", examples=["EQ_1"])]
    weight: Annotated[Exact, Meta(description="Fraction of total portfolio value.", examples=["0.25"])]


class ModelPortfolio(msgspec.Struct, frozen=True, kw_only=True):
    """Target weights; what is left is cash."""

    targets: Annotated[tuple[ModelTarget, ...], ROWS, Meta(description="Target rows; may be empty.")]


class ShelfEntry(Checked, frozen=True, kw_only=True):
    """Eligibility of one product."""

    CHECKS: ClassVar[tuple[Check, ...]] = (Bound("settlement_days", ge=0, le=10),)

    instrument_id: Annotated[str, ID, Meta(description="Identifier of the instrument.", examples=["EQ_1"])]
    status: Annotated[ShelfStatus, Meta(description="Whether it may be held, bought or sold.")]
    asset_class: Annotated[str, LABEL, Meta(description="Allocation bucket.", examples=["EQUITY"])] = (
        "UNKNOWN"
    )
    issuer_id: Annotated[str | None, OPEN_ID, Meta(description="Read by the advisory engine only.")] = None
    liquidity_tier: Annotated[LiquidityTier | None, Meta(description="Advisory engine only.")] = None
    settlement_days: Annotated[int, Meta(description="Day offset of the cash leg.", examples=[2])] = 2
    min_notional: Annotated[Money | None, Meta(description="Minimum ticket of the instrument.")] = None
    attributes: Annotated[
        dict[str, str],
        ATTRIBUTES,
        Meta(description="Tags for group limits and allocations.", examples=[{"sector": "TECH"}]),
    ] = msgspec.field(default_factory=dict)


def currencies_of(portfolio: PortfolioSnapshot, market: MarketDataSnapshot) -> set[str]:
    """All that cash is held and prices are quoted in."""
    return {row.currency for row in portfolio.cash_balances} | {row.currency for row in market.prices}
