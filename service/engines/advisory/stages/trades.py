"""Turns trades entered by hand into intents, or says why one is dropped (advisory specification, 3.6).

Problem: a trade is given by units or by amount, and shelf, price or currency may forbid it.
Example: a BUY of 372.00 USD at 414.89 USD becomes 0.8966232013304731374581214298 units; no lot rounding.
Rounding: none but the 28 digits of the context.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from service.domains.proposals.requests import INVALID_TRADE_INPUT, ProposedTrade
from service.domains.proposals.results import ProposedTradeIntent
from service.domains.rebalances.results.intents import IntentRationale
from service.domains.rebalances.snapshots import Price, ShelfEntry
from service.domains.values.money import Money
from service.engines.advisory.request_index import RequestIndex
from service.engines.portfolio.missing_data import MissingData

NOT_SUPPORTED_BY_SHELF = "PROPOSAL_TRADE_NOT_SUPPORTED_BY_SHELF"

MANUAL = IntentRationale(code="MANUAL_PROPOSAL", message="Entered by the adviser")

_NEVER_BOUGHT = ("SELL_ONLY", "BANNED", "SUSPENDED")


class Trades(msgspec.Struct, frozen=True):
    """The intents by side, each by instrument; trades of one instrument keep the order they came in."""

    sells: tuple[ProposedTradeIntent, ...]
    buys: tuple[ProposedTradeIntent, ...]
    # Each is a warning and a hard failure.
    failures: tuple[str, ...]
    gaps: MissingData


def read_trades(index: RequestIndex) -> Trades:
    """Ids number the trades by input position, so a dropped one leaves a gap."""
    intents: list[ProposedTradeIntent] = []
    failures: list[str] = []
    prices_missing: list[str] = []
    rates_missing: list[str] = []
    shelf_missing: list[str] = []
    for number, trade in enumerate(index.trades, start=1):
        entry = index.last_shelf.get(trade.instrument_id)
        if entry is None:
            shelf_missing.append(trade.instrument_id)
            continue
        if trade.side == "BUY" and not is_buyable(entry, allow_restricted=index.options.allow_restricted):
            failures.append(NOT_SUPPORTED_BY_SHELF)
            continue
        price = index.prices.get(trade.instrument_id)
        # What may be valued at 0 is still not traded at it (ruling 10).
        if price is None or not price.price:
            prices_missing.append(trade.instrument_id)
            continue
        if trade.notional is not None and trade.notional.currency != price.currency:
            failures.append(INVALID_TRADE_INPUT)
            continue
        intent = _intent(index, f"oi_{number}", trade, price)
        if intent.notional_base is None:
            rates_missing.append(f"{price.currency}/{index.base_currency}")
        intents.append(intent)
    ordered = sorted(intents, key=lambda intent: intent.instrument_id)
    return Trades(
        sells=tuple([intent for intent in ordered if intent.side == "SELL"]),
        buys=tuple([intent for intent in ordered if intent.side == "BUY"]),
        failures=tuple(failures),
        gaps=MissingData(tuple(prices_missing), tuple(rates_missing), tuple(shelf_missing)),
    )


def is_buyable(entry: ShelfEntry, *, allow_restricted: bool) -> bool:
    return entry.status not in _NEVER_BOUGHT and (entry.status != "RESTRICTED" or allow_restricted)


def _intent(index: RequestIndex, intent_id: str, trade: ProposedTrade, price: Price) -> ProposedTradeIntent:
    quantity, amount = _size(trade, price)
    rate = index.rate(price.currency, index.base_currency)
    return ProposedTradeIntent(
        intent_id=intent_id,
        instrument_id=trade.instrument_id,
        side=trade.side,
        quantity=quantity,
        notional=Money(amount, price.currency),
        notional_base=None if rate is None else Money(amount * rate, index.base_currency),
        dependencies=(),
        rationale=MANUAL,
        constraints_applied=(),
    )


def _size(trade: ProposedTrade, price: Price) -> tuple[Decimal, Decimal]:
    """Units and amount; the request has one of the two."""
    if trade.notional is not None:
        return trade.notional.amount / price.price, trade.notional.amount
    assert trade.quantity is not None
    return trade.quantity, trade.quantity * price.price
