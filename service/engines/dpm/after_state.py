"""Holdings and cash as if every intent had been executed (engine specification, 6.10).

Problem: what a reviewer and the rules look at is the portfolio after the trades, not the trades.
Example: buying 100 units for 10,000 from 10,000.00 cash leaves 0.00 cash and a new row of 100 units.
Rounding: none but the 28 digits of the context. Lots, market values, settled and pending cash stay as given.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from service.domains.money import ZERO
from service.domains.results import FxSpotIntent, Intent
from service.domains.snapshots import CashBalance, PortfolioSnapshot, Position


def execute(
    portfolio: PortfolioSnapshot, intents: Sequence[Intent]
) -> tuple[tuple[Position, ...], tuple[CashBalance, ...]]:
    """Apply the intents in order; repeated rows move on their first, missing rows are added at the end."""
    quantities: dict[str, Decimal] = {}
    for position in portfolio.positions:
        quantities.setdefault(position.instrument_id, position.quantity)
    amounts: dict[str, Decimal] = {}
    for cash in portfolio.cash_balances:
        amounts.setdefault(cash.currency, cash.amount)
    held, kept = len(quantities), len(amounts)

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
    return _positions(portfolio, quantities, held), _cash(portfolio, amounts, kept)


def _positions(
    portfolio: PortfolioSnapshot, quantities: dict[str, Decimal], held: int
) -> tuple[Position, ...]:
    # Lots of an executed position no longer add up to its quantity, and nothing downstream reads them.
    moved: list[Position] = []
    seen: set[str] = set()
    for position in portfolio.positions:
        key = position.instrument_id
        if key in seen or quantities[key] is position.quantity:
            moved.append(position)
        else:
            moved.append(Position(instrument_id=key, quantity=quantities[key]))
        seen.add(key)
    for key in list(quantities)[held:]:
        moved.append(Position(instrument_id=key, quantity=quantities[key]))
    return tuple(moved)


def _cash(portfolio: PortfolioSnapshot, amounts: dict[str, Decimal], kept: int) -> tuple[CashBalance, ...]:
    moved: list[CashBalance] = []
    seen: set[str] = set()
    for cash in portfolio.cash_balances:
        moved.append(cash if cash.currency in seen else replace(cash, amount=amounts[cash.currency]))
        seen.add(cash.currency)
    for currency in list(amounts)[kept:]:
        moved.append(CashBalance(currency=currency, amount=amounts[currency]))
    return tuple(moved)
