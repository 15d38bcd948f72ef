"""Caps the summed weight of instruments that share an attribute (engine specification, 6.3 H2).

Problem: a group above its cap must shrink, and what it releases goes to the buyable names outside of it.
Example: TECH at 0.30 under a cap of 0.20 is scaled by 2/3; the one other name, at 0.70, receives 0.10.
Rounding: none but the 28 digits of the context; a group within one basis point of its cap is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import repeat
from operator import add, mul, truediv
from typing import NamedTuple, TypeVar

import msgspec

from service.domains.rebalances.results.diagnostics import GroupConstraintEvent
from service.domains.values.money import ZERO
from service.engines.dpm.request_index import RequestIndex
from service.engines.limits.result_size import ResultSize

T = TypeVar("T")

GROUP_TOLERANCE = Decimal("0.0001")
NO_DESTINATION = "NO_ELIGIBLE_REDISTRIBUTION_DESTINATION"


class Group(msgspec.Struct, frozen=True):
    """One cap that can be applied: members in the order of the eligible map."""

    key: str
    limit: Decimal
    members: Sequence[str]


class Located(NamedTuple):
    """The members of a group: the places of those that may be bought among all such, and all the others."""

    inside: Sequence[int]
    outside: Sequence[str]

    @classmethod
    def of(cls, members: Sequence[str], place: Mapping[str, int]) -> Located:
        places = list(map(place.get, members))
        inside = [at for at in places if at is not None]
        if len(inside) == len(members):
            return cls(inside, ())
        return cls(inside, [key for key in members if key not in place])


class GroupsRead(msgspec.Struct, frozen=True):
    """The caps of the options in ascending key order; an entry is a group, or why there is none."""

    entries: tuple[Group | str, ...]

    @property
    def groups(self) -> tuple[Group, ...]:
        return tuple(entry for entry in self.entries if not isinstance(entry, str))

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(entry for entry in self.entries if isinstance(entry, str))


class CapsRead(NamedTuple):
    """The caps of a request and, by key, where their members stand; both methods need them."""

    read: GroupsRead
    located: Mapping[str, Located]


class Capped(msgspec.Struct, frozen=True):
    weights: dict[str, Decimal]
    events: tuple[GroupConstraintEvent, ...]
    warnings: tuple[str, ...]
    blocked: bool = False


def read_groups(index: RequestIndex, eligible: Iterable[str]) -> GroupsRead:
    """Resolve every cap to its members; membership never changes while weights do."""
    constraints = index.options.group_constraints
    if not constraints:
        return GroupsRead(())
    parts = {key: key.partition(":") for key in constraints}
    # By name and value, for every cap that may have members.
    members: dict[str, dict[str, list[str]]] = {}
    for name, _, value in parts.values():
        members.setdefault(name, {})[value] = []
    for instrument_id in eligible:
        shelf = index.shelf.get(instrument_id)
        if shelf is None:
            continue
        for name, value in shelf.attributes.items():
            held = members[name].get(value) if name in members else None
            if held is not None:
                held.append(instrument_id)
    known: set[str] = set()
    for shelf in index.shelf_rows:
        known.update(shelf.attributes)

    entries: list[Group | str] = []
    for key in sorted(constraints):
        name, colon, value = parts[key]
        if not colon:
            entries.append(f"INVALID_CONSTRAINT_KEY_{key}")
        elif name not in known:
            entries.append(f"UNKNOWN_CONSTRAINT_ATTRIBUTE_{name}")
        else:
            entries.append(Group(key, constraints[key].max_weight, members[name][value]))
    return GroupsRead(tuple(entries))


def cap_groups(
    read: GroupsRead,
    eligible: Mapping[str, Decimal],
    buyable: Sequence[str],
    size: ResultSize | None = None,
) -> Capped:
    """Apply each cap once; an earlier group is not looked at again after later ones moved weight.

    A cap whose released weight no instrument can take blocks the run. Raises ResultTooLarge where `size`
    has no room for the shares of those who receive it.
    """
    size = size or ResultSize()
    weights = Weights(eligible, buyable)
    events: list[GroupConstraintEvent] = []
    warnings: list[str] = []
    for entry in read.entries:
        if isinstance(entry, str):
            warnings.append(entry)
            continue
        group_weight = weights.sum_of(entry.members)
        if not entry.members or group_weight <= entry.limit + GROUP_TOLERANCE:
            continue
        released = group_weight - entry.limit
        weights.scale(entry.members, entry.limit / group_weight)
        recipients = weights.release(released, entry.members)
        size.add_shares(recipients, recipients.values())
        warnings.append(f"CAPPED_BY_GROUP_LIMIT_{entry.key}")
        events.append(
            GroupConstraintEvent(
                constraint_key=entry.key,
                group_weight_before=group_weight,
                max_weight=entry.limit,
                released_weight=released,
                recipients=recipients,
                status="CAPPED" if recipients else "BLOCKED",
            )
        )
        if not recipients:
            warnings.append(NO_DESTINATION)
            return Capped(weights.all(), tuple(events), tuple(warnings), blocked=True)
    return Capped(weights.all(), tuple(events), tuple(warnings))


class Weights:
    """The weights of all eligible lines; those of the buyable ones are a list, in the order of `buyable`.

    With hundreds of caps over thousands of names this is where the time of the heuristic goes, so the names
    outside of a group are taken and put back by runs of neighbours and not one by one.
    """

    def __init__(self, eligible: Mapping[str, Decimal], buyable: Sequence[str]) -> None:
        self._eligible = eligible
        self._buyable = buyable
        self._place = {key: position for position, key in enumerate(buyable)}
        self._bought = [eligible[key] for key in buyable]
        self._others = {key: weight for key, weight in eligible.items() if key not in self._place}

    def all(self) -> dict[str, Decimal]:
        """By name, in the order of the eligible map."""
        return dict(self._eligible) | self._others | dict(zip(self._buyable, self._bought, strict=True))

    def sum_of(self, members: Sequence[str]) -> Decimal:
        place, bought, others = self._place, self._bought, self._others
        return sum([bought[place[key]] if key in place else others[key] for key in members], ZERO)

    def scale(self, members: Sequence[str], ratio: Decimal) -> None:
        for key in members:
            at = self._place.get(key)
            if at is None:
                self._others[key] *= ratio
            else:
                self._bought[at] *= ratio

    def release(self, released: Decimal, members: Sequence[str]) -> dict[str, Decimal]:
        """Adds it to the buyable names outside, in proportion; answers the shares."""
        inside = sorted([self._place[key] for key in members if key in self._place])
        held = _without(self._bought, inside)
        room = sum(held, ZERO)
        if room <= 0:
            return {}
        shares = list(map(mul, repeat(released), map(truediv, held, repeat(room))))
        self._bought = _with(list(map(add, held, shares)), inside, self._bought)
        return dict(zip(_without(self._buyable, inside), shares, strict=True))


def _without(values: Sequence[T], places: Sequence[int]) -> list[T]:
    """The values that do not stand at these ascending places."""
    left: list[T] = []
    start = 0
    for place in places:
        left += values[start:place]
        start = place + 1
    left += values[start:]
    return left


def _with(others: Sequence[T], places: Sequence[int], values: Sequence[T]) -> list[T]:
    """Undoes `_without`: the values at these places, and all others between them."""
    whole: list[T] = []
    start = 0
    for taken, place in enumerate(places):
        whole += others[start : place - taken]
        whole.append(values[place])
        start = place - taken
    whole += others[start:]
    return whole
