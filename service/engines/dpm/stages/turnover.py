"""Keeps the trades that fit the turnover budget (engine specification, 6.7).

Problem: all trades together may move more of the book than the budget allows.
Example: 0.11, 0.10 and 0.10 of the book under a budget of 0.20 keep the first only.
Rounding: none but the 28 digits of the context. FX trades are outside the budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from service.domains.rebalances.results.diagnostics import DroppedIntent
from service.domains.rebalances.results.intents import SecurityTradeIntent
from service.domains.values.money import ZERO, Money

PARTIAL = "PARTIAL_REBALANCE_TURNOVER_LIMIT"


class Turnover(msgspec.Struct, frozen=True):
    kept: tuple[SecurityTradeIntent, ...]
    dropped: tuple[DroppedIntent, ...] = ()
    warnings: tuple[str, ...] = ()


def cap_turnover(
    trades: Sequence[SecurityTradeIntent], total: Decimal, share_max: Decimal | None, currency: str
) -> Turnover:
    """Keep what fits, largest share of the book first; kept trades stay in that order.

    The walk never stops early: a small trade may fit after a large one did not.
    """
    if share_max is None:
        return Turnover(tuple(trades))
    budget = total * share_max
    if sum([abs(trade.notional_base.amount) for trade in trades], ZERO) <= budget:
        return Turnover(tuple(trades))

    def score(trade: SecurityTradeIntent) -> Decimal:
        return abs(trade.notional_base.amount) / total if total > 0 else ZERO

    def rank(trade: SecurityTradeIntent) -> tuple[Decimal, Decimal, str, str]:
        return -score(trade), abs(trade.notional_base.amount), trade.instrument_id, trade.intent_id

    used = ZERO
    kept: list[SecurityTradeIntent] = []
    dropped: list[DroppedIntent] = []
    for trade in sorted(trades, key=rank):
        cost = abs(trade.notional_base.amount)
        if used + cost <= budget:
            used += cost
            kept.append(trade)
        else:
            dropped.append(
                DroppedIntent(
                    instrument_id=trade.instrument_id,
                    reason="TURNOVER_LIMIT",
                    potential_notional=Money(cost, currency),
                    score=score(trade),
                )
            )
    return Turnover(tuple(kept), tuple(dropped), (PARTIAL,) if dropped else ())
