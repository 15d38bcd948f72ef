"""Applies group caps without taking each of their rounded steps, and knows how far those may be off.

Problem: a cap that binds multiplies thousands of names, in three rounded steps each, and hundreds may bind.

Example: a cap lowers one name from 0.30 to 0.20 and lifts all others by 1/7: the factor of the others is 8/7,
and only the bare weight of the one is written anew.

Method: a cap multiplies all names outside of its group by the same number, so one factor stands for all of
them and only members are touched.

Rounding: that of 60 digits. Beside the weights goes a bound of how far the steps of 28 digits may be from
them; where a decision lies within it, none is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    localcontext,
)
from math import isfinite
from operator import itemgetter, mul
from typing import Any, NamedTuple, TypeVar

from service.domains.values.money import ENGINE_CONTEXT, ONE, ZERO
from service.engines.dpm.stages.groups import GROUP_TOLERANCE, Group, Located
from service.engines.dpm.stages.targets import Split, Weights

WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
# Errors are counted in this unit: twice what one step of 28 digits may be off by, relative to its result.
UNIT = Decimal("1E-27")
# What 60 digits may be off by in a sum of 20,000, with much to spare, in that unit.
_WIDE_ERROR = 1e-26
# What floats, which only count errors, may lose of them.
_FLOAT_ERROR = 1e-9


T = TypeVar("T")


class Undecided(Exception):
    """Raised where a decision lies within the bound of the errors."""


def is_above(number: Decimal, error: Decimal) -> bool:
    """Whether a number known to within the error is above zero. Raises Undecided."""
    if abs(number) <= error and error:
        raise Undecided
    return number > 0


class _Sum(NamedTuple):
    """Of some weights: their sum, that of their magnitudes, and by how many units the former may be off."""

    value: Decimal
    magnitude: float
    error: float


class NearWeights:
    """The weights while caps are applied; a buyable one is factor * bare, the rest stand for themselves.

    spread is the error of the factor and own[i] what the name's own steps add to it, relative and in units.
    The members of a group are counted as if they took the factor's error too, which they do not. sizes[i] is
    the magnitude of bare[i] in floats, kept because to read floats off so many digits is slow.
    """

    def __init__(self, weights: Weights, split: Split) -> None:
        self.place = {key: index for index, key in enumerate(split.buyable)}
        self.bare = [weights[key] for key in split.buyable]
        self.sizes = list(map(abs, map(float, self.bare)))
        self.own = [0.0] * len(self.bare)
        self.factor, self.spread = ONE, 0.0
        self.others = {key: weights[key] for key in split.others}
        self.other_errors = dict.fromkeys(split.others, 0.0)
        self.capped_others: set[str] = set()
        self.whole = _Sum(sum(self.bare, ZERO), sum(self.sizes), 0.0)
        self.nonzero = sum(map(bool, self.bare))
        self.rows = len(weights)
        self.is_untouched = True
        self._inside: Sequence[int] = ()
        self._outside: Sequence[str] = ()
        self._bare: Sequence[Decimal] = ()
        self._part = self._group = self.whole

    def exceeds(self, group: Group, located: Located) -> bool:
        """Whether the group is above its cap; reads what `cap` needs. Raises Undecided."""
        place = self.place
        self._inside, self._outside = located
        take = _taker(self._inside)
        self._bare, sizes = take(self.bare), take(self.sizes)
        self._part = _Sum(sum(self._bare, ZERO), sum(sizes), sum(map(mul, sizes, take(self.own))))
        outside = [self.others[key] for key in self._outside]
        factor = float(self.factor)
        magnitude, error = self._part.magnitude * factor, self._part.error * factor
        magnitude += sum(map(abs, map(float, outside)))
        error += sum([abs(float(self.others[key])) * self.other_errors[key] for key in self._outside])
        error += self.spread * self._part.magnitude * factor + magnitude * len(group.members)
        value = self.factor * self._part.value + sum(outside, ZERO)
        self._group = _Sum(value, magnitude, error)
        if self.is_untouched:
            # What the rounded steps add up is known here, so a group that is just at its cap is decided.
            with localcontext(ENGINE_CONTEXT):
                weights = [
                    self.bare[place[key]] if key in place else self.others[key] for key in group.members
                ]
                return sum(weights, ZERO) > group.limit + GROUP_TOLERANCE
        return is_above(value - (group.limit + GROUP_TOLERANCE), _units(error + 2.0))

    def cap(self, group: Group) -> bool:
        """Shrinks the group that was looked at last; false if nothing can take what it releases."""
        part, whole = self._part, self.whole
        group_weight, released = self._group.value, self._group.value - group.limit
        ratio = group.limit / group_weight
        held = sum(map(bool, self._bare))
        if self.nonzero == held:
            return False
        factor = float(self.factor)
        bare_room = whole.value - part.value
        room = self.factor * bare_room
        if not float(room):
            raise Undecided
        magnitude = max(0.0, whole.magnitude - part.magnitude) + _FLOAT_ERROR * whole.magnitude
        room_error = max(0.0, whole.error - part.error) + _FLOAT_ERROR * (whole.error + part.error)
        room_error += magnitude * (self.spread + self.rows) + whole.magnitude * _WIDE_ERROR
        room_error *= factor
        if not is_above(room, _units(room_error)):
            return False
        growth = ONE + released / room
        share, fall = (float(released / room), self._group.error / abs(float(group_weight)) + 4.0)
        lift = (self._group.error + self._group.magnitude) / float(room)
        lift = (lift + share * (room_error / float(room) + 4.0)) / float(growth) + 4.0
        self.factor *= growth
        self.spread += lift
        if not ratio:
            self.nonzero -= held
        now = self._scale(ratio / growth, fall)
        self.capped_others.update(self._outside)
        for key in self._outside:
            self.others[key] *= ratio
            self.other_errors[key] += fall
        self.whole = _Sum(
            bare_room + now.value,
            max(0.0, whole.magnitude - part.magnitude) + now.magnitude,
            max(0.0, whole.error - part.error) + now.error,
        )
        self.is_untouched = False
        return True

    def _scale(self, ratio: Decimal, error: float) -> _Sum:
        """Multiplies the members that were looked at last; answers what they are now."""
        bare, sizes, own, part = self.bare, self.sizes, self.own, self._part
        scale = abs(float(ratio))
        for place, weight in zip(self._inside, self._bare, strict=True):
            bare[place] = weight * ratio
            sizes[place] *= scale
            own[place] += error
        magnitude = part.magnitude * scale
        return _Sum(part.value * ratio, magnitude, part.error * scale + magnitude * error)

    def exact(self, weights: Weights) -> set[str]:
        """Names whose weights are known exactly: those of none, and the locked ones that no cap touched."""
        known = self.others.keys() - self.capped_others
        return known | {key for key, weight in weights.items() if not weight}

    def all(self) -> Weights:
        return self.others | {
            key: self.factor * bare for key, bare in zip(self.place, self.bare, strict=True)
        }

    def error(self, weights: Weights) -> Decimal:
        """How far any of them, which are these, may be off."""
        relative = max([self.spread + max(self.own, default=0.0), *self.other_errors.values()])
        largest = max(map(abs, weights.values()), default=ZERO)
        # Errors of errors are left out above, and are a billionth of them at most.
        return 2 * _units(relative + 1.0) * largest


def _units(count: float) -> Decimal:
    if not isfinite(count):
        raise Undecided
    return Decimal(count) * UNIT


def _taker(places: Sequence[int]) -> Callable[[Sequence[T]], Sequence[T]]:
    """Takes what stands at these places."""
    if len(places) > 1:
        taken: Callable[[Sequence[Any]], Any] = itemgetter(*places)
        return taken
    return lambda values: [values[place] for place in places]
