"""Puts deposits and withdrawals into the working cash (advisory specification, 3.5).

Problem: cash moves before anything is traded, and no withdrawal may overdraw its account.
Example: -600 from 500 and then +200: the balance is -100 after the first, one failure; 100 at the end.
Rounding: none but the 28 digits of the context.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from service.domains.proposals.results import CashFlowIntent
from service.domains.values.money import ZERO
from service.engines.advisory.request_index import RequestIndex

WITHDRAWAL_NEGATIVE_CASH = "PROPOSAL_WITHDRAWAL_NEGATIVE_CASH"


class CashFlows(msgspec.Struct, frozen=True):
    intents: tuple[CashFlowIntent, ...]
    amounts: Mapping[str, Decimal]
    # Each is a warning and a hard failure.
    failures: tuple[str, ...]


def apply_cash_flows(index: RequestIndex, amounts: Mapping[str, Decimal]) -> CashFlows:
    """In input order; the running balance is tested after each, whatever its sign."""
    moved = dict(amounts)
    intents: list[CashFlowIntent] = []
    failures: list[str] = []
    for number, flow in enumerate(index.cash_flows, start=1):
        balance = moved[flow.currency] = moved.get(flow.currency, ZERO) + flow.amount
        intents.append(
            CashFlowIntent(
                intent_id=f"oi_cf_{number}",
                currency=flow.currency,
                amount=flow.amount,
                description=flow.description,
            )
        )
        if index.options.proposal_block_negative_cash and balance < 0:
            failures.append(WITHDRAWAL_NEGATIVE_CASH)
    return CashFlows(tuple(intents), moved, tuple(failures))
