"""Limits a sale to what its tax lots and the run's gains budget allow (engine specification, 6.6.10-6.6.11).

Problem: lots are sold dearest first; each gain uses up a budget shared by all sales of the run.
Example: with a budget of 100, a lot bought at 10 and sold at 12 may lose 50 units; the sale of 80 becomes 50.
Rounding: none but the 28 digits of the context, so a limited quantity may be fractional.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from service.domains.rebalances.results.rebalance import TaxImpact
from service.domains.rebalances.snapshots import Position, Price
from service.domains.values.money import ZERO, Money
from service.engines.dpm.request_index import RequestIndex

# A budget used up to this distance counts as used up.
BUDGET_NOISE = Decimal("1E-10")


class TaxUse(NamedTuple):
    """What the sales so far realised, in base currency; losses never give budget back."""

    gains: Decimal = ZERO
    losses: Decimal = ZERO
    used: Decimal = ZERO


class Sale(NamedTuple):
    quantity: Decimal
    use: TaxUse
    rate_missing: str | None = None


class _CostedLot(NamedTuple):
    cost: Decimal
    purchase_date: str
    lot_id: str
    quantity: Decimal


def limit_sale(
    index: RequestIndex, position: Position, price: Price, rate: Decimal, *, wanted: Decimal, use: TaxUse
) -> Sale:
    """Walk the lots, dearest first, and stop where the budget or the lots end.

    Lots whose cost cannot be converted make the limit unknown: the whole sale is let through and reported.
    """
    lots: list[_CostedLot] = []
    for lot in position.lots:
        cost, currency = lot.unit_cost.amount, lot.unit_cost.currency
        if currency != price.currency:
            rate_to_price = index.rate(currency, price.currency)
            if rate_to_price is None:
                return Sale(wanted, use, f"{currency}/{price.currency}")
            cost *= rate_to_price
        lots.append(_CostedLot(cost, lot.purchase_date, lot.lot_id, lot.quantity))
    lots.sort(key=lambda lot: lot[:3], reverse=True)
    return _walk(lots, price.price, rate, wanted, use, index.options.max_realized_capital_gains)


def _walk(
    lots: Sequence[_CostedLot],
    price: Decimal,
    rate: Decimal,
    wanted: Decimal,
    use: TaxUse,
    budget: Decimal | None,
) -> Sale:
    gains, losses, used = use
    allowed, remaining = ZERO, wanted
    for lot in lots:
        if remaining <= 0:
            break
        if not lot.quantity:
            continue
        uncut = take = min(remaining, lot.quantity)
        gain = (price - lot.cost) * rate
        if budget is not None and gain > 0:
            take = min(take, (budget - used) / gain) if used < budget else ZERO
        if take <= 0:
            break
        value = gain * take
        if value >= 0:
            gains += value
            used += value
        else:
            losses += abs(value)
        allowed += take
        remaining -= take
        if take < uncut:
            break
    return Sale(allowed, TaxUse(gains, losses, used))


def tax_impact(use: TaxUse, budget: Decimal | None, currency: str) -> TaxImpact:
    """What the run would realise; sales dropped or suppressed later stay in."""
    used = use.used
    if budget is not None and abs(used - budget) <= BUDGET_NOISE:
        used = budget
    return TaxImpact(
        total_realized_gain=Money(use.gains, currency),
        total_realized_loss=Money(use.losses, currency),
        budget_limit=None if budget is None else Money(budget, currency),
        budget_used=None if budget is None else Money(min(used, budget), currency),
    )
