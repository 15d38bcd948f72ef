"""Checks that travel with a type."""

from decimal import Decimal
from typing import ClassVar

import msgspec
import pytest

from service.domains.rebalances.options import EngineOptions, SuitabilityThresholds
from service.domains.rebalances.snapshots import Position, ShelfEntry, TaxLot
from service.domains.values.fields import Bound, Check, Checked, FieldRule, NoFraction, WholeRule


class Range(Checked, frozen=True, kw_only=True):
    CHECKS: ClassVar[tuple[Check, ...]] = (
        Bound("low", ge=0, le=10),
        FieldRule("name", "name must be short", lambda name: len(name) < 4),
        WholeRule("low must not exceed high", lambda limits: limits.low <= limits.high),
    )

    low: int | None
    high: int = 5
    name: str | None = None


@pytest.mark.parametrize("low", [0, 5])
def test_a_value_that_keeps_its_checks_is_built(low):
    assert Range(low=low, name="abc").low == low


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"low": -1}, "low must lie between 0 and 10"),
        ({"low": 11, "high": 20}, "low must lie between 0 and 10"),
        ({"low": 1, "name": "long"}, "name must be short"),
        ({"low": 6}, "low must not exceed high"),
    ],
)
def test_a_broken_check_refuses_the_value_however_it_is_built(values, text):
    with pytest.raises(ValueError, match=text):
        Range(**values)
    with pytest.raises(msgspec.ValidationError, match=text):
        msgspec.convert(values, Range)
    with pytest.raises(ValueError, match=text):
        msgspec.structs.replace(Range(low=0, high=0), **{"high": 5, **values})


def test_an_absent_value_passes_bounds_and_rules_of_its_own():
    assert Bound("low", ge=0).holds(None)
    assert FieldRule("name", "text", lambda _: False).holds(None)


@pytest.mark.parametrize(("value", "held"), [("0", True), ("1", True), ("-0.1", False), ("1.000001", False)])
def test_bounds_are_inclusive_and_exact(value, held):
    assert Bound("weight", ge=0, le=1).holds(Decimal(value)) is held


def test_a_bound_may_have_one_side():
    assert Bound("gains", ge=0).holds(10**30)
    assert Bound("gains", le=0).holds(-(10**30))
    assert not Bound("gains", le=0).holds(1)


@pytest.mark.parametrize("kind", [Position, TaxLot, ShelfEntry, EngineOptions, SuitabilityThresholds])
def test_every_check_names_a_field_of_its_type(kind):
    names = {info.name for info in msgspec.structs.fields(kind)}

    assert {check.field for check in kind.CHECKS if not isinstance(check, WholeRule)} <= names


@pytest.mark.parametrize(("quantity", "held"), [("10.0001", True), ("9.9999", True), ("10.00011", False)])
def test_lots_add_up_within_the_tolerance(quantity, held):
    def position():
        lot = {"unit_cost": {"amount": "1", "currency": "SGD"}, "purchase_date": "2024-01-01"}
        lots = tuple(
            msgspec.convert(
                {**lot, "lot_id": name, "quantity": Decimal(5)}, TaxLot, dec_hook=lambda _, v: Decimal(v)
            )
            for name in "ab"
        )
        return Position(instrument_id="EQ_1", quantity=Decimal(quantity), lots=lots)

    if held:
        assert position().quantity == Decimal(quantity)
    else:
        with pytest.raises(ValueError, match="sum"):
            position()


def test_a_bound_may_leave_out_its_own_end():
    above = Bound("quantity", gt=0)

    assert [above.holds(Decimal(value)) for value in ("0", "-0", "1E-18")] == [False, False, True]
    assert above.holds(None)
    assert above.text == "quantity must be greater than 0"


def test_how_a_number_was_written_is_not_asked_of_a_value():
    class Sized(Checked, frozen=True):
        CHECKS: ClassVar[tuple[Check, ...]] = (NoFraction("size", "size must be text"),)

        size: Decimal

    assert Sized(Decimal("0.5")).size == Decimal("0.5")
