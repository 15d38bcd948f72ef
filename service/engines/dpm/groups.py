"""Caps the summed weight of instruments that share an attribute (engine specification, 6.3 H2).

Problem: a group above its cap must shrink, and what it releases goes to the buyable names outside of it.
Example: TECH at 0.30 under a cap of 0.20 is scaled by 2/3; the one other name, at 0.70, receives 0.10.
Rounding: none but the 28 digits of the context; a group within one basis point of its cap is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import add
from typing import NamedTuple

from service.domains.money import ZERO
from service.domains.results import GroupConstraintEvent
from service.engines.dpm.book import Book

GROUP_TOLERANCE = Decimal("0.0001")
NO_DESTINATION = "NO_ELIGIBLE_REDISTRIBUTION_DESTINATION"


class Group(NamedTuple):
    """One cap that can be applied: members in the order of the eligible map."""

    key: str
    limit: Decimal
    members: Sequence[str]


@dataclass(frozen=True, slots=True)
class GroupsRead:
    """The caps of the options in ascending key order; an entry is a group, or why there is none."""

    entries: tuple[Group | str, ...]

    @property
    def groups(self) -> tuple[Group, ...]:
        return tuple(entry for entry in self.entries if not isinstance(entry, str))

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(entry for entry in self.entries if isinstance(entry, str))


@dataclass(frozen=True, slots=True)
class Capped:
    weights: dict[str, Decimal]
    events: tuple[GroupConstraintEvent, ...]
    warnings: tuple[str, ...]
    blocked: bool = False


def read_groups(book: Book, eligible: Iterable[str]) -> GroupsRead:
    """Resolve every cap to its members; membership never changes while weights do."""
    constraints = book.options.group_constraints
    if not constraints:
        return GroupsRead(())
    parts = {key: key.partition(":") for key in constraints}
    names = {name for name, _, _ in parts.values()}
    members: dict[tuple[str, str], list[str]] = {}
    for instrument_id in eligible:
        shelf = book.shelf.get(instrument_id)
        if shelf is None:
            continue
        for name, value in shelf.attributes.items():
            if name in names:
                members.setdefault((name, value), []).append(instrument_id)
    known = {name for shelf in book.shelf_rows for name in shelf.attributes}

    entries: list[Group | str] = []
    for key in sorted(constraints):
        name, colon, value = parts[key]
        if not colon:
            entries.append(f"INVALID_CONSTRAINT_KEY_{key}")
        elif name not in known:
            entries.append(f"UNKNOWN_CONSTRAINT_ATTRIBUTE_{name}")
        else:
            entries.append(Group(key, constraints[key].max_weight, members.get((name, value), ())))
    return GroupsRead(tuple(entries))


def cap_groups(read: GroupsRead, eligible: Mapping[str, Decimal], buyable: Sequence[str]) -> Capped:
    """Apply each cap once; an earlier group is not looked at again after later ones moved weight.

    A cap whose released weight nobody can take blocks the run.
    """
    weights = dict(eligible)
    events: list[GroupConstraintEvent] = []
    warnings: list[str] = []
    for entry in read.entries:
        if isinstance(entry, str):
            warnings.append(entry)
            continue
        group_weight = sum([weights[key] for key in entry.members], ZERO)
        if not entry.members or group_weight <= entry.limit + GROUP_TOLERANCE:
            continue
        ratio = entry.limit / group_weight
        released = group_weight - entry.limit
        for key in entry.members:
            weights[key] *= ratio
        recipients = _release(released, weights, set(entry.members), buyable)
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
            return Capped(weights, tuple(events), tuple(warnings), blocked=True)
    return Capped(weights, tuple(events), tuple(warnings))


def _release(
    released: Decimal, weights: dict[str, Decimal], members: set[str], buyable: Sequence[str]
) -> dict[str, Decimal]:
    """Adds what is released to the buyable names outside, in proportion; answers the shares."""
    # With hundreds of caps over thousands of names this is where the time of the heuristic goes.
    takers = [key for key in buyable if key not in members]
    held = [weights[key] for key in takers]
    room = sum(held, ZERO)
    if room <= 0:
        return {}
    shares = [released * (weight / room) for weight in held]
    weights.update(zip(takers, map(add, held, shares), strict=True))
    return dict(zip(takers, shares, strict=True))
