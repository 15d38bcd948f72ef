"""Which trades fit a turnover budget, to the last unit (engine specification, 6.7)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from service.domains.rebalances.results.intents import SecurityTradeIntent
from service.domains.values.money import Money
from service.engines.dpm.stages.sizing import ALIGN
from service.engines.dpm.stages.turnover import cap_turnover


def trade(number: int, notional: str, instrument_id: str = "") -> SecurityTradeIntent:
    amount = Money(Decimal(notional), "SGD")
    return SecurityTradeIntent(
        intent_id=f"oi_{number}",
        instrument_id=instrument_id or f"EQ_{number}",
        side="BUY",
        quantity=Decimal(1),
        notional=amount,
        notional_base=amount,
        dependencies=(),
        rationale=ALIGN,
        constraints_applied=(),
    )


def kept(*notionals: str, share: str | None, total: str = "100") -> list[str]:
    trades = [trade(number, notional) for number, notional in enumerate(notionals, start=1)]
    cap = None if share is None else Decimal(share)
    return [one.intent_id for one in cap_turnover(trades, Decimal(total), cap, "SGD").kept]


@pytest.mark.parametrize(
    ("notionals", "share", "intent_ids"),
    [
        (("5", "15"), None, ["oi_1", "oi_2"]),
        (("5", "15"), "0.20", ["oi_1", "oi_2"]),
        (("5", "15", "5"), "0.20", ["oi_2", "oi_1"]),
        (("5", "15.01", "5"), "0.20", ["oi_2"]),
        (("11", "10", "10"), "0.20", ["oi_1"]),
        (("30", "4", "25", "3"), "0.10", ["oi_2", "oi_4"]),
        (("5", "15"), "0", []),
    ],
)
def test_what_fits_is_kept_largest_first_and_a_full_budget_is_full(notionals, share, intent_ids):
    assert kept(*notionals, share=share) == intent_ids


def test_equal_trades_are_kept_by_instrument_and_then_by_intent():
    trades = [trade(10, "6", "B"), trade(2, "6", "A"), trade(10, "6", "A"), trade(9, "6", "A")]

    capped = cap_turnover(trades, Decimal("100"), Decimal("0.13"), "SGD")

    assert [(one.instrument_id, one.intent_id) for one in capped.kept] == [("A", "oi_10"), ("A", "oi_2")]
    assert [(one.instrument_id, one.score) for one in capped.dropped] == [
        ("A", Decimal("0.06")),
        ("B", Decimal("0.06")),
    ]


def test_without_a_positive_total_the_smallest_go_first_and_nothing_scores():
    trades = [trade(1, "2"), trade(2, "1")]

    capped = cap_turnover(trades, Decimal("-10"), Decimal("0.1"), "SGD")

    assert [(one.instrument_id, one.score) for one in capped.dropped] == [("EQ_2", 0), ("EQ_1", 0)]
