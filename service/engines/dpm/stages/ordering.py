"""Adds the FX trades, links purchases to what funds them, and orders execution (engine specification, 6.8).

Problem: every foreign balance must end at zero or above, and no purchase may run before its cash is there.
Example: buying 3,700 USD from an SGD book adds a purchase of 3,737 USD (1 % buffer) that it depends on.
Rounding: none but the 28 digits of the context; FX amounts are not cut to minor units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from service.domains.rebalances.results.intents import (
    FxSpotIntent,
    Intent,
    IntentRationale,
    SecurityTradeIntent,
)
from service.domains.values.money import ZERO
from service.engines.dpm.request_index import RequestIndex
from service.engines.portfolio.missing_data import NO_GAPS, MissingData

# What the funding buffer is added to; its decimal place shows in the scale of the amounts.
WHOLE = Decimal("1.0")

FUND = IntentRationale(code="FUNDING", message="Fund")
SWEEP = IntentRationale(code="SWEEP", message="Sweep")


class Ordered(msgspec.Struct, frozen=True):
    """Every intent in execution order: sales, FX, purchases."""

    intents: tuple[Intent, ...] = ()
    gaps: MissingData = NO_GAPS


def order_trades(index: RequestIndex, trades: Sequence[SecurityTradeIntent]) -> Ordered:
    exchanges: list[FxSpotIntent] = []
    rates_missing: list[str] = []
    base = index.portfolio.base_currency
    for currency, balance in project_cash(index, trades).items():
        if currency == base:
            continue
        rate = index.rate(currency, base)
        if rate is None:
            rates_missing.append(f"{currency}/{base}")
        elif balance:
            intent_id = f"oi_fx_{len(trades) + len(exchanges) + 1}"
            exchanges.append(_exchange(index, intent_id, currency, balance, rate))

    sales = [trade for trade in trades if trade.side == "SELL"]
    purchases = _linked_purchases(index, trades, sales, exchanges)
    gaps = MissingData(rates=tuple(rates_missing)) if rates_missing else NO_GAPS
    return Ordered((*sales, *exchanges, *purchases), gaps)


def project_cash(index: RequestIndex, trades: Sequence[SecurityTradeIntent]) -> dict[str, Decimal]:
    """Cash per currency once the trades are done; of repeated cash rows the last one counts here."""
    projected = {cash.currency: cash.amount for cash in index.portfolio.cash_balances}
    for trade in trades:
        notional = trade.notional
        balance = projected.get(notional.currency, ZERO)
        projected[notional.currency] = (
            balance + notional.amount if trade.side == "SELL" else balance - notional.amount
        )
    return projected


def _exchange(
    index: RequestIndex, intent_id: str, currency: str, balance: Decimal, rate: Decimal
) -> FxSpotIntent:
    """Fund a shortfall with a buffer on top, or sweep the whole of a surplus into base."""
    base = index.portfolio.base_currency
    pair = f"{currency}/{base}"
    if balance < 0:
        bought = abs(balance) * (WHOLE + index.options.fx_buffer_pct)
        return FxSpotIntent(
            intent_id=intent_id,
            pair=pair,
            buy_currency=currency,
            buy_amount=bought,
            sell_currency=base,
            sell_amount_estimated=bought * rate,
            rationale=FUND,
        )
    return FxSpotIntent(
        intent_id=intent_id,
        pair=pair,
        buy_currency=base,
        buy_amount=balance * rate,
        sell_currency=currency,
        sell_amount_estimated=balance,
        rationale=SWEEP,
    )


def _linked_purchases(
    index: RequestIndex,
    trades: Sequence[SecurityTradeIntent],
    sales: Sequence[SecurityTradeIntent],
    exchanges: Sequence[FxSpotIntent],
) -> list[SecurityTradeIntent]:
    funding: Mapping[str, str] = {
        trade.buy_currency: trade.intent_id for trade in exchanges if trade.rationale is FUND
    }
    last_sale: Mapping[str, str] = {}
    if index.options.link_buy_to_same_currency_sell_dependency is not False:
        last_sale = {trade.notional.currency: trade.intent_id for trade in sales}
    purchases: list[SecurityTradeIntent] = []
    for trade in trades:
        if trade.side == "BUY":
            currency = trade.notional.currency
            needed = [links[currency] for links in (funding, last_sale) if currency in links]
            purchases.append(replace(trade, dependencies=tuple(needed)) if needed else trade)
    return purchases
