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
from service.domains.values.published import published

LOT_TOLERANCE = Decimal("0.0001")

ShelfStatus = Literal["APPROVED", "RESTRICTED", "BANNED", "SUSPENDED", "SELL_ONLY"]
"""What the house allows to do with the product.

- APPROVED: It may be bought and sold.
- RESTRICTED: It may be bought only where the options allow restricted products; what a rebalance holds of it
  beside the model is kept.
- BANNED: It may not be bought; a rebalance keeps what is held.
- SUSPENDED: It may not be bought for the time being; a rebalance keeps what is held.
- SELL_ONLY: It may only be sold.
"""
LiquidityTier = Literal["L1", "L2", "L3", "L4", "L5"]
"""How fast the product can be sold.

- L1: The most liquid tier.
- L2: The second most liquid tier.
- L3: The middle tier.
- L4: The second least liquid tier; by default a proposal may hold 10 % in it.
- L5: The least liquid tier; by default a proposal may hold 5 % in it.
"""


class TaxLot(Checked, frozen=True, kw_only=True):
    """Units bought together at one cost."""

    CHECKS: ClassVar[tuple[Check, ...]] = (Bound("quantity", ge=0),)

    lot_id: Annotated[str, ID, Meta(examples=["lot_1"])]
    """Id of the lot; decides between lots of equal cost and date."""
    quantity: Annotated[Exact, Meta(examples=["100"])]
    """Units in the lot; 0 or more."""
    unit_cost: Money
    """Purchase cost per unit, in any currency that there is a rate for."""
    purchase_date: Annotated[str, LABEL, Meta(examples=["2024-03-01"])]
    """Date of the purchase; compared as text, so it should be written YYYY-MM-DD."""


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
    """Instrument that is held."""
    quantity: Annotated[Exact, Meta(examples=["100"])]
    """Units held; negative is short."""
    market_value: Money | None = None
    """Value reported upstream: that of the state before trades where snapshots are trusted, and what trades
    are sized by in every mode; null where none is reported."""
    lots: Annotated[tuple[TaxLot, ...], LOTS] = ()
    """Tax lots; where there are any, their units add up to the quantity within 0.0001."""


@published("CashBalance-Output", request="CashBalance-Input")
class CashBalance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Cash of one currency."""

    currency: Annotated[str, CURRENCY, Meta(examples=["SGD"])]
    """Currency of the balance."""
    amount: Annotated[Exact, Meta(examples=["10000.00"])]
    """Cash that can be spent, in that currency; negative if overdrawn."""
    settled: Exact | None = None
    """Settled cash, which the cash projection opens with; null where the amount stands for it."""
    pending: Exact | None = None
    """Cash on its way; answered as it was sent, and not used."""


class PortfolioSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Holdings and cash before the simulation."""

    TOTALS: ClassVar[tuple[TotalBound, ...]] = (
        TotalBound(
            LOTS_MAX, "lots in all", lambda snapshot: sum([len(row.lots) for row in snapshot.positions])
        ),
    )

    snapshot_id: Annotated[str | None, ID] = None
    """Id of the snapshot; shown by batches and proposals, not used otherwise. Null where it has none."""
    portfolio_id: Annotated[str, ID, Meta(examples=["pf_1"])]
    """Id that the house gives the portfolio; runs and proposals are listed by it."""
    base_currency: Annotated[str, CURRENCY, Meta(examples=["SGD"])]
    """Currency that everything is valued in."""
    positions: Annotated[tuple[Position, ...], ROWS] = ()
    """Holdings of instruments."""
    cash_balances: Annotated[tuple[CashBalance, ...], CASH_ROWS] = ()
    """Cash by currency."""


class Price(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Price of one unit of an instrument."""

    instrument_id: Annotated[str, ID, Meta(examples=["EQ_1"])]
    """Instrument that the price is for."""
    price: Annotated[Exact, Meta(examples=["100.00"])]
    """Price per unit in the currency beside it; one not above zero counts as missing."""
    currency: Annotated[str, CURRENCY, Meta(examples=["SGD"])]
    """Currency of the price."""


class FxRate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Units of the second currency per unit of the first."""

    pair: Annotated[str, PAIR, Meta(examples=["USD/SGD"])]
    """`AAA/BBB`: units of BBB per one AAA."""
    rate: Annotated[Exact, Meta(examples=["1.35"])]
    """What one unit of the first currency costs in the second; a rate not above zero counts as missing."""


class MarketDataSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Prices and exchange rates."""

    snapshot_id: Annotated[str | None, ID] = None
    """Id of the snapshot; shown by batches and proposals, not used otherwise. Null where it has none."""
    prices: Annotated[tuple[Price, ...], ROWS] = ()
    """Prices; the first row of an id counts."""
    fx_rates: Annotated[tuple[FxRate, ...], RATES] = ()
    """Rates; the first row of a pair counts."""


class ModelTarget(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Wanted weight of one instrument."""

    instrument_id: Annotated[str, ID, Meta(examples=["EQ_1"])]
    """Instrument that is wanted."""
    weight: Annotated[Exact, Meta(examples=["0.25"])]
    """Wanted share of the total value, a fraction of one (0.25 is 25 %); the weights need not add up to
    one."""


class ModelPortfolio(msgspec.Struct, frozen=True, kw_only=True):
    """Target weights; what is left is cash."""

    targets: Annotated[tuple[ModelTarget, ...], ROWS]
    """Target rows; may be empty."""


class ShelfEntry(Checked, frozen=True, kw_only=True):
    """Eligibility of one product."""

    CHECKS: ClassVar[tuple[Check, ...]] = (Bound("settlement_days", ge=0, le=10),)

    instrument_id: Annotated[str, ID, Meta(examples=["EQ_1"])]
    """Instrument that the entry is about."""
    status: ShelfStatus
    """What the house allows to do with the product."""
    asset_class: Annotated[str, LABEL, Meta(examples=["EQUITY"])] = "UNKNOWN"
    """Bucket that the value is counted under."""
    issuer_id: Annotated[str | None, OPEN_ID] = None
    """Issuer, for the concentration check of proposals; null where it is not known."""
    liquidity_tier: LiquidityTier | None = None
    """Liquidity tier, for the liquidity check of proposals; null where it is not known."""
    settlement_days: Annotated[int, Meta(examples=[2])] = 2
    """Days after which the cash of a trade moves (T+n); not used for proposals."""
    min_notional: Money | None = None
    """Minimum ticket of the instrument; null sets none. Not used for proposals."""
    attributes: Annotated[dict[str, str], ATTRIBUTES, Meta(examples=[{"sector": "TECH"}])] = msgspec.field(
        default_factory=dict
    )
    """Names and values, such as the sector, that group caps and allocations go by."""


def currencies_of(portfolio: PortfolioSnapshot, market: MarketDataSnapshot) -> set[str]:
    """All that cash is held and prices are quoted in."""
    return {row.currency for row in portfolio.cash_balances} | {row.currency for row in market.prices}
