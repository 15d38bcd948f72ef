"""Rule rows at the edges of their limits (engine specification, 7.1)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from service.domains.rebalances.options import EngineOptions
from service.domains.rebalances.snapshots import PortfolioSnapshot, Position, Price
from service.engines.dpm.request_index import RequestIndex
from service.engines.portfolio.valuation import value_state
from service.engines.review.rules import evaluate_rules


def single_position(cap: str | None, **quantities: str) -> list[tuple[str, Decimal, str]]:
    """The rows of the rule for holdings priced 1 each in the base currency."""
    positions = tuple(
        Position(instrument_id=key, quantity=Decimal(units)) for key, units in quantities.items()
    )
    options = EngineOptions(single_position_max_weight=None if cap is None else Decimal(cap))
    book = RequestIndex(
        options=options,
        portfolio=PortfolioSnapshot(portfolio_id="pf", base_currency="SGD", positions=positions),
        targets=(),
        shelf_rows=(),
        prices={key: Price(instrument_id=key, price=Decimal(1), currency="SGD") for key in quantities},
        rates={},
        shelf={},
        held={},
    )
    state = value_state(book, positions, (), options.valuation_mode)
    rows = evaluate_rules(state, options, gaps=state.gaps, suppressed=0)
    return [
        (row.status, row.measured, row.reason_code) for row in rows if row.rule_id == "SINGLE_POSITION_MAX"
    ]


@pytest.mark.parametrize(
    ("cap", "quantities", "rows"),
    [
        (None, {"A": "100"}, [("PASS", "0", "NO_LIMIT_SET")]),
        ("0.5", {}, [("PASS", "0", "OK")]),
        ("0.5", {"A": "501", "B": "499"}, [("PASS", "0.501", "OK")]),
        ("0.5", {"A": "502", "B": "498"}, [("FAIL", "0.502", "LIMIT_BREACH")]),
        (
            "0.3",
            {"A": "40", "B": "25", "C": "35"},
            [("FAIL", "0.4", "LIMIT_BREACH"), ("FAIL", "0.35", "LIMIT_BREACH")],
        ),
        # A short line weighs less than nothing, and a cap may be lower still; the weight is shown as it is.
        (
            "-1",
            {"A": "-50", "B": "150"},
            [("FAIL", "-0.5", "LIMIT_BREACH"), ("FAIL", "1.5", "LIMIT_BREACH")],
        ),
    ],
)
def test_each_offending_line_has_a_row_with_its_own_weight(cap, quantities, rows):
    assert single_position(cap, **quantities) == [
        (status, Decimal(measured), code) for status, measured, code in rows
    ]
