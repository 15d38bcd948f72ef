"""Executes sells and purchases on the working portfolio and puts all intents in order (spec, 3.7 and 3.9).

Problem: cash must be there before it is spent, and a reader must see what each purchase waits for.
Example: a sale and a purchase in USD funded by oi_fx_1: sale, FX, purchase after oi_fx_1 and the sale.
Rounding: none but the 28 digits of the context.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from service.domains.proposals.results import ProposedTradeIntent
from service.domains.rebalances.results.intents import FxSpotIntent
from service.domains.values.money import ZERO
from service.engines.advisory.stages.funding import Funding

BUY_SKIPPED_UNFUNDED = "PROPOSAL_BUY_SKIPPED_UNFUNDED"


class Executed(msgspec.Struct, frozen=True):
    quantities: Mapping[str, Decimal]
    amounts: Mapping[str, Decimal]
    intents: tuple[ProposedTradeIntent, ...]
    warnings: tuple[str, ...] = ()


def execute_sells(
    quantities: Mapping[str, Decimal], amounts: Mapping[str, Decimal], sells: Sequence[ProposedTradeIntent]
) -> Executed:
    """All of them, also what is not held: that goes below zero and fails a rule."""
    held, cash = dict(quantities), dict(amounts)
    for sell in sells:
        currency = sell.notional.currency
        held[sell.instrument_id] = held.get(sell.instrument_id, ZERO) - sell.quantity
        cash[currency] = cash.get(currency, ZERO) + sell.notional.amount
    return Executed(held, cash, tuple(sells))


def execute_buys(
    quantities: Mapping[str, Decimal],
    buys: Sequence[ProposedTradeIntent],
    sells: Sequence[ProposedTradeIntent],
    funding: Funding,
    *,
    after_sells: bool,
) -> Executed:
    """What is funded, linked to what it waits for; after_sells adds the last sale in its currency."""
    held, cash = dict(quantities), dict(funding.amounts)
    exchange_of = {exchange.buy_currency: exchange.intent_id for exchange in funding.exchanges}
    sell_of = {sell.notional.currency: sell.intent_id for sell in sells} if after_sells else {}
    executed: list[ProposedTradeIntent] = []
    for buy in buys:
        currency = buy.notional.currency
        if currency in funding.unfunded:
            continue
        held[buy.instrument_id] = held.get(buy.instrument_id, ZERO) + buy.quantity
        cash[currency] = cash.get(currency, ZERO) - buy.notional.amount
        awaited = [ids[currency] for ids in (exchange_of, sell_of) if currency in ids]
        executed.append(replace(buy, dependencies=tuple(awaited)))
    skipped = len(executed) < len(buys)
    return Executed(held, cash, tuple(executed), (BUY_SKIPPED_UNFUNDED,) if skipped else ())


def by_pair(exchanges: Sequence[FxSpotIntent]) -> tuple[FxSpotIntent, ...]:
    """The order exchanges are shown in; their ids keep the order they were made in."""
    return tuple(sorted(exchanges, key=lambda exchange: exchange.pair))
