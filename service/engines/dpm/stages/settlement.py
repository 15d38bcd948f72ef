"""Walks each currency's cash day by day until everything has settled (engine specification, 6.9).

Problem: cash that arrives on T+3 cannot pay on T+1, even if the books balance in the end.
Example: opening at 0 USD, buying 1,000 on T+1 and selling 1,000 on T+3 breaches on T+1 and T+2.
Rounding: none but the 28 digits of the context; trades are added in the order of their ids as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from service.domains.rebalances.results.diagnostics import CashLadderBreach, CashLadderPoint
from service.domains.rebalances.results.intents import FxSpotIntent, Intent
from service.domains.values.money import ZERO
from service.engines.dpm.request_index import RequestIndex

DEFAULT_SETTLEMENT_DAYS = 2


class Ladder(msgspec.Struct, frozen=True):
    points: tuple[CashLadderPoint, ...] = ()
    breaches: tuple[CashLadderBreach, ...] = ()
    warnings: tuple[str, ...] = ()


def project_cash_ladder(index: RequestIndex, intents: Sequence[Intent]) -> Ladder:
    """Project the balance of every currency and day, and report where it falls below what is tolerated."""
    flows = _flows(index, intents)
    points: list[CashLadderPoint] = []
    breaches: list[CashLadderBreach] = []
    utilised = False
    for currency in sorted(flows):
        allowance = index.options.max_overdraft_by_ccy.get(currency, ZERO)
        floor = -allowance
        balance = ZERO
        for day, flow in enumerate(flows[currency]):
            balance += flow
            points.append(CashLadderPoint(date_offset=day, currency=currency, projected_balance=balance))
            utilised = utilised or (balance < 0 and allowance > 0)
            if balance < floor:
                breaches.append(
                    CashLadderBreach(
                        date_offset=day,
                        currency=currency,
                        projected_balance=balance,
                        allowed_floor=floor,
                        reason_code=f"OVERDRAFT_ON_T_PLUS_{day}",
                    )
                )
    warnings = ["SETTLEMENT_OVERDRAFT_UTILIZED"] if utilised else []
    if breaches:
        warnings.append(breaches[0].reason_code)
    return Ladder(tuple(points), tuple(breaches), tuple(warnings))


def _flows(index: RequestIndex, intents: Sequence[Intent]) -> Mapping[str, Sequence[Decimal]]:
    options = index.options
    days = {row.instrument_id: row.settlement_days for row in index.shelf_rows}
    exchange_day = options.fx_settlement_days
    cutoff = max(
        options.settlement_horizon_days,
        exchange_day,
        *(
            days.get(intent.instrument_id, DEFAULT_SETTLEMENT_DAYS)
            for intent in intents
            if not isinstance(intent, FxSpotIntent)
        ),
    )
    flows: dict[str, list[Decimal]] = {}

    def add(currency: str, day: int, amount: Decimal) -> None:
        if currency not in flows:
            flows[currency] = [ZERO] * (cutoff + 1)
        flows[currency][day] += amount

    for cash in index.portfolio.cash_balances:
        add(cash.currency, 0, cash.amount if cash.settled is None else cash.settled)
    for intent in sorted(intents, key=lambda intent: intent.intent_id):
        if isinstance(intent, FxSpotIntent):
            add(intent.sell_currency, exchange_day, -intent.sell_amount_estimated)
            add(intent.buy_currency, exchange_day, intent.buy_amount)
        else:
            amount = intent.notional.amount
            day = days.get(intent.instrument_id, DEFAULT_SETTLEMENT_DAYS)
            add(intent.notional.currency, day, amount if intent.side == "SELL" else -amount)
    return flows
