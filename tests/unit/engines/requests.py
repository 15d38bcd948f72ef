"""Parts of requests as properties draw them, for either engine: the usual, and the corners of ruling 2."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from service.domains.rebalances.snapshots import Position, TaxLot
from service.domains.values.money import ZERO, Money, NumberRefused, exact_of

STATUSES = ("APPROVED", "APPROVED", "APPROVED", "RESTRICTED", "BANNED", "SUSPENDED", "SELL_ONLY")
CURRENCIES = ("SGD", "USD", "EUR")
ATTRIBUTES = ("sector", "region")


def units(least: int, most: int, places: int) -> st.SearchStrategy[Decimal]:
    """Numbers as an operator would write them: so many places, within bounds given in the last one."""
    return st.integers(least, most).map(lambda number: Decimal(number).scaleb(-places))


def is_accepted(number: Decimal) -> bool:
    """Zeros at the end of many digits can lift the exponent over its bound."""
    try:
        exact_of(number)
    except NumberRefused:
        return False
    return True


# The corners of what ruling 2 lets in: 38 digits, exponents from -40 to 18, either sign, zero.
# As they are read: a zero of many decimals is read as 0, so that its own text is no canonical one.
ANY_NUMBER = (
    st.one_of(
        units(-(10**6), 10**6, 2),
        st.sampled_from(
            [
                Decimal(text)
                for text in ("0", "0.00", "1E-18", "1E+18", "-1E-18", "1E-40", "-1E-40", "1.5E-39")
            ]
        ),
        st.builds(
            lambda digits, exponent: Decimal((int(digits < 0), tuple(map(int, str(abs(digits)))), exponent)),
            st.integers(-(10**38) + 1, 10**38 - 1),
            st.integers(-40, 18),
        ),
    )
    .filter(is_accepted)
    .map(exact_of)
)
NAMES = ("A", "B", "C", "D", "E")
IDS = st.sampled_from(NAMES)
ANY_CURRENCY = st.sampled_from(CURRENCIES)
PAIRS = ("SGD/USD", "USD/SGD", "EUR/SGD", "USD/EUR")
ANY_PRICE = st.one_of(units(1, 10**5, 2), units(1, 10**5, 2), ANY_NUMBER)
ANY_MONEY = st.builds(Money, ANY_NUMBER, ANY_CURRENCY)
TAGS = st.dictionaries(st.sampled_from(ATTRIBUTES), st.sampled_from(["X", "Y"]), max_size=2)
SHARE = units(0, 1000, 3)


@st.composite
def any_lots(draw: st.DrawFn) -> tuple[TaxLot, ...]:
    return tuple(
        TaxLot(
            lot_id=f"L{n}", quantity=draw(units(0, 10**4, 1)), unit_cost=draw(ANY_MONEY), purchase_date="2020"
        )
        for n in range(draw(st.integers(0, 3)))
    )


@st.composite
def any_position(draw: st.DrawFn) -> Position:
    lots = draw(any_lots())
    quantity = sum((lot.quantity for lot in lots), ZERO) if lots else draw(ANY_NUMBER)
    value = draw(st.none() | ANY_MONEY)
    return Position(instrument_id=draw(IDS), quantity=quantity, market_value=value, lots=lots)


def a_row_each(
    kind: type[Any], name: str, names: Sequence[str], **fields: st.SearchStrategy[Any]
) -> st.SearchStrategy[tuple[Any, ...]]:
    """Mostly one row for each name, so that runs get far; else any rows, with gaps and repeats."""
    full = st.tuples(*[st.builds(kind, **{name: st.just(one)}, **fields) for one in names])
    return st.one_of(full, full, lists_of(st.builds(kind, **{name: st.sampled_from(names)}, **fields), 8))


def lists_of(row: st.SearchStrategy[Any], most: int = 6) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(row, max_size=most).map(tuple)
