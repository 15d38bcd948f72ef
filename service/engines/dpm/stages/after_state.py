"""Holdings and cash as if every intent had been executed (engine specification, 6.10).

Problem: what a reviewer and the rules look at is the portfolio after the trades, not the trades.
Example: buying 100 units for 10,000 from 10,000.00 cash leaves 0.00 cash and a new row of 100 units.
Rounding: none but the 28 digits of the context. Lots, market values, settled and pending cash stay as given.
"""

from __future__ import annotations

from collections.abc import Sequence

from service.domains.rebalances.results.intents import FxSpotIntent, Intent
from service.domains.rebalances.snapshots import CashBalance, PortfolioSnapshot, Position
from service.domains.values.money import ZERO
from service.engines.portfolio.holdings import amounts_of, cash_with, positions_with, quantities_of


def execute(
    portfolio: PortfolioSnapshot, intents: Sequence[Intent]
) -> tuple[tuple[Position, ...], tuple[CashBalance, ...]]:
    """Apply the intents in order; repeated rows move on their first, missing rows are added at the end."""
    quantities, amounts = quantities_of(portfolio), amounts_of(portfolio)
    for intent in intents:
        if isinstance(intent, FxSpotIntent):
            sold, bought = intent.sell_currency, intent.buy_currency
            amounts[sold] = amounts.get(sold, ZERO) - intent.sell_amount_estimated
            amounts[bought] = amounts.get(bought, ZERO) + intent.buy_amount
            continue
        key, currency = intent.instrument_id, intent.notional.currency
        quantity, amount = quantities.get(key, ZERO), amounts.get(currency, ZERO)
        if intent.side == "BUY":
            quantities[key] = quantity + intent.quantity
            amounts[currency] = amount - intent.notional.amount
        else:
            quantities[key] = quantity - intent.quantity
            amounts[currency] = amount + intent.notional.amount
    return positions_with(portfolio, quantities), cash_with(portfolio, amounts)
