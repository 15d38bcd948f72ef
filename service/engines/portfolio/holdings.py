"""Holdings and cash as figures by name that trading moves, and as portfolio rows again.

Repeated rows move on their first, missing rows are added at the end (engine specification, 6.10; advisory
specification, 3.4). Market values and lots of a moved position no longer hold and are left out; settled and
pending cash stay as given.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from msgspec.structs import replace

from service.domains.rebalances.snapshots import CashBalance, PortfolioSnapshot, Position


def quantities_of(portfolio: PortfolioSnapshot) -> dict[str, Decimal]:
    """Units by instrument, in the order of the rows; what is added later stands behind them."""
    quantities: dict[str, Decimal] = {}
    for position in portfolio.positions:
        quantities.setdefault(position.instrument_id, position.quantity)
    return quantities


def amounts_of(portfolio: PortfolioSnapshot) -> dict[str, Decimal]:
    """Cash by currency, in the order of the rows; what is added later stands behind them."""
    amounts: dict[str, Decimal] = {}
    for cash in portfolio.cash_balances:
        amounts.setdefault(cash.currency, cash.amount)
    return amounts


def positions_with(portfolio: PortfolioSnapshot, quantities: Mapping[str, Decimal]) -> tuple[Position, ...]:
    """The positions of the portfolio with these quantities, which began as quantities_of it."""
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
    for key in list(quantities)[len(seen) :]:
        moved.append(Position(instrument_id=key, quantity=quantities[key]))
    return tuple(moved)


def cash_with(portfolio: PortfolioSnapshot, amounts: Mapping[str, Decimal]) -> tuple[CashBalance, ...]:
    """The cash rows of the portfolio with these amounts, which began as amounts_of it."""
    moved: list[CashBalance] = []
    seen: set[str] = set()
    for cash in portfolio.cash_balances:
        moved.append(cash if cash.currency in seen else replace(cash, amount=amounts[cash.currency]))
        seen.add(cash.currency)
    for currency in list(amounts)[len(seen) :]:
        moved.append(CashBalance(currency=currency, amount=amounts[currency]))
    return tuple(moved)
