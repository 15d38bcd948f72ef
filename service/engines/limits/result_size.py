"""Counts the least bytes that a result takes, while its lists are made, and stops where that is too much.

Problem: 200 caps over 20,000 names list four million recipients, and no such result is ever answered.
Example: with room for 1,000 bytes, a row that takes at least 300 is refused when its fourth one is about to
be listed.
Rounding: none. What is counted is never more than what is written, so no result within its bound is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from service.domains.rebalances.results.states import AllocationMetric, PositionSummary
from service.domains.rebalances.results.targets import TargetInstrument
from service.domains.values.money import EXPONENT_MAX, FIRST_DIGIT_MIN, ZERO, Money
from service.errors.engines import ResultTooLarge

_NOTHING = Money(ZERO, "")
# Weights are published with four decimals.
_NO_WEIGHT = Decimal("0.0000")
_POSITION = PositionSummary(
    instrument_id="",
    quantity=ZERO,
    instrument_currency="",
    asset_class="",
    price=None,
    value_in_instrument_ccy=_NOTHING,
    value_in_base_ccy=_NOTHING,
    weight=_NO_WEIGHT,
)
_TARGET = TargetInstrument(
    instrument_id="", model_weight=ZERO, final_weight=ZERO, final_value=_NOTHING, tags=()
)
_METRIC = AllocationMetric(key="", weight=_NO_WEIGHT, value=_NOTHING)

_ENCODER = msgspec.json.Encoder(decimal_format="string")
# The comma after a row makes up for the brackets of its list.
METRIC_BYTES = len(_ENCODER.encode(_METRIC)) + 1
# A position is listed once by itself and in two allocations, each time with its instrument.
POSITION_BYTES = len(_ENCODER.encode(_POSITION)) + 1 + 2 * METRIC_BYTES
POSITION_NAMES = 3
TARGET_BYTES = len(_ENCODER.encode(_TARGET)) + 1
# Two quotes around a name, a colon, two quotes around a number, a comma.
SHARE_BYTES = 6


@dataclass(slots=True)
class ResultSize:
    """The bytes counted of one result so far, and how many it may have; None for no bound."""

    bytes_max: int | None = None
    bytes_count: int = 0

    def add_positions(self, names: Iterable[str], base_currency: str) -> None:
        """Counts a valued state with these instruments. Raises ResultTooLarge."""
        lengths = [len(name) for name in names]
        # Each time its value in base stands beside it.
        each = POSITION_BYTES + POSITION_NAMES * len(base_currency)
        self._add(len(lengths) * each + POSITION_NAMES * sum(lengths))

    def add_targets(self, trace: Collection[TargetInstrument]) -> None:
        """Counts the trace of the targets. Raises ResultTooLarge."""
        self._add(len(trace) * TARGET_BYTES + sum([len(row.instrument_id) for row in trace]))

    def add_metrics(self, keys: Collection[str], currency: str) -> None:
        """Counts one allocation. Raises ResultTooLarge."""
        self._add(len(keys) * (METRIC_BYTES + len(currency)) + sum(map(len, keys)))

    def add_shares(self, names: Collection[str], shares: Iterable[Decimal]) -> None:
        """Counts a mapping of names to numbers. Raises ResultTooLarge."""
        if self.bytes_max is not None:
            self._add(len(names) * SHARE_BYTES + sum(map(len, names)) + sum(map(_least_digits, shares)))

    def _add(self, bytes_count: int) -> None:
        self.bytes_count += bytes_count
        if self.bytes_max is not None and self.bytes_count > self.bytes_max:
            raise ResultTooLarge(bytes_max=self.bytes_max)


def _least_digits(number: Decimal) -> int:
    # Others may be answered as a neighbour (answer_bounds), whose text is shorter.
    return len(str(number)) if FIRST_DIGIT_MIN <= number.adjusted() <= EXPONENT_MAX else 1
