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

from collections.abc import Sequence
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
from typing import NamedTuple

from service.domains.money import ENGINE_CONTEXT, ONE, ZERO
from service.engines.dpm.groups import GROUP_TOLERANCE, Group
from service.engines.dpm.targets import Split, Weights

WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
# Errors are counted in this unit: twice what one step of 28 digits may be off by, relative to its result.
UNIT = Decimal("1E-27")
# What 60 digits may be off by in a sum of 20,000, with much to spare, in that unit.
_WIDE_ERROR = 1e-26
# What floats, which only count errors, may lose of them.
_FLOAT_ERROR = 1e-9


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
    The members of a group are counted as if they took the factor's error too, which they do not.
    """

    def __init__(self, weights: Weights, split: Split) -> None:
        self.place = {key: index for index, key in enumerate(split.buyable)}
        self.bare = [weights[key] for key in split.buyable]
        self.own = [0.0] * len(self.bare)
        self.factor, self.spread = ONE, 0.0
        self.others = {key: weights[key] for key in split.others}
        self.other_errors = dict.fromkeys(split.others, 0.0)
        self.whole = _Sum(sum(self.bare, ZERO), sum(map(abs, map(float, self.bare))), 0.0)
        self.rows = len(weights)
        self.is_untouched = True
        self._inside: list[int] = []
        self._outside: list[str] = []
        self._part = self._group = self.whole

    def exceeds(self, group: Group) -> bool:
        """Whether the group is above its cap; reads what `cap` needs. Raises Undecided."""
        place = self.place
        self._inside = [place[key] for key in group.members if key in place]
        self._outside = [key for key in group.members if key not in place]
        self._part = self._sum_of_bare(self._inside)
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
        inside, part, whole = self._inside, self._part, self.whole
        group_weight, released = self._group.value, self._group.value - group.limit
        ratio = group.limit / group_weight
        left = _count(self.bare) - _count([self.bare[place] for place in inside])
        if not left:
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
        self._scale(inside, ratio / growth, fall)
        for key in self._outside:
            self.others[key] *= ratio
            self.other_errors[key] += fall
        now = self._sum_of_bare(inside)
        self.whole = _Sum(
            bare_room + now.value,
            max(0.0, whole.magnitude - part.magnitude) + now.magnitude,
            max(0.0, whole.error - part.error) + now.error,
        )
        self.is_untouched = False
        return True

    def _scale(self, places: Sequence[int], ratio: Decimal, error: float) -> None:
        bare, own = self.bare, self.own
        for place in places:
            bare[place] *= ratio
            own[place] += error

    def _sum_of_bare(self, places: Sequence[int]) -> _Sum:
        bare = [self.bare[place] for place in places]
        sizes = list(map(abs, map(float, bare)))
        error = sum([size * self.own[place] for size, place in zip(sizes, places, strict=True)])
        return _Sum(sum(bare, ZERO), sum(sizes), error)

    def all(self) -> Weights:
        return self.others | {
            key: self.factor * bare for key, bare in zip(self.place, self.bare, strict=True)
        }

    def error(self) -> Decimal:
        """How far any of them may be off."""
        relative = max([self.spread + max(self.own, default=0.0), *self.other_errors.values()])
        largest = max(map(abs, self.all().values()), default=ZERO)
        # Errors of errors are left out above, and are a billionth of them at most.
        return 2 * _units(relative + 1.0) * largest


def _units(count: float) -> Decimal:
    if not isfinite(count):
        raise Undecided
    return Decimal(count) * UNIT


def _count(weights: Sequence[Decimal]) -> int:
    """How many of them are not zero."""
    return sum(map(bool, weights))
