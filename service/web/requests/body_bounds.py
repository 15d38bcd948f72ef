"""Whether a value that was read is within the bounds on texts, lists and maps (ruling 17).

It looks at columns, not at rows: texts of one bound are gathered from all rows and asked for their lengths at
once, for a request of a thousand positions has ten thousand texts, and a call for each would take as long as
reading them.
"""

from __future__ import annotations

import types
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from enum import Enum
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from service.domains.values.bounds import (
    Bounds,
    FreeBound,
    ListBound,
    MapBound,
    SizeBound,
    TextBound,
    TotalBound,
)
from service.domains.values.money import Exact, ExactText

# What was gathered of each bound.
Gathered = dict[TextBound, list[Iterable[str]]]
# Gathers the texts of a column, which may be empty; false when a list or a map in it is too long.
Gather = Callable[[Sequence[Any], Gathered], bool]

_BOUNDLESS = (bool, int, Exact, ExactText)


def holds(value: msgspec.Struct, bounds: Bounds) -> bool:
    """Whether the value is within its bounds, all that is inside it included."""
    gathered: Gathered = defaultdict(list)
    gather = _struct_gatherer(type(value))
    if gather is not None and not gather([value], gathered):
        return False
    for bound, columns in gathered.items():
        lengths = set(map(len, chain.from_iterable(columns)))
        if lengths and (max(lengths) > bound.longest(bounds) or min(lengths) < bound.characters_min):
            return False
    return True


def size_bound_of(wanted: Any) -> SizeBound | None:
    """The bound that stands beside a type as one of its annotations."""
    marks = get_args(wanted)[1:] if get_origin(wanted) is Annotated else ()
    return next((mark for mark in marks if isinstance(mark, SizeBound)), None)


def totals_of(struct: type) -> tuple[TotalBound, ...]:
    return getattr(struct, "TOTALS", ())


def is_within(bound: FreeBound, value: Any) -> bool:
    """Whether a free JSON value is within its bound; stops at the first member that is too many."""
    members, characters = bound.members_max, bound.characters_max
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            members -= len(item)
            if members < 0:
                return False
            characters -= sum(map(len, item))
            waiting.extend(item.values())
        elif isinstance(item, list):
            members -= len(item)
            if members < 0:
                return False
            waiting.extend(item)
        elif isinstance(item, str):
            characters -= len(item)
        elif isinstance(item, (int, Decimal)):
            characters -= len(str(item))
        if characters < 0:
            return False
    return True


@cache
def _struct_gatherer(struct: type[msgspec.Struct]) -> Gather | None:
    texts: list[tuple[TextBound, Callable[[Any], Any], bool]] = []
    inner: list[tuple[Callable[[Any], Any], Gather, bool]] = []
    for info in msgspec.structs.fields(struct):
        kind, bound, nullable = _parts_of(info.type)
        get = attrgetter(info.name)
        if kind is str and isinstance(bound, TextBound):
            texts.append((bound, get, nullable))
        elif (gather := _gatherer(kind, bound)) is not None:
            inner.append((get, gather, nullable))
    totals = totals_of(struct)
    if not texts and not inner and not totals:
        return None

    def gather_structs(values: Sequence[Any], gathered: Gathered) -> bool:
        for bound, get, nullable in texts:
            texts_there = map(get, values)
            gathered[bound].append(_there(texts_there) if nullable else texts_there)
        for get, gather, nullable in inner:
            column = [*map(get, values)]
            if nullable and None in column:
                column = [value for value in column if value is not None]
            if column and not gather(column, gathered):
                return False
        for total in totals:
            for value in values:
                if total.count(value) > total.most:
                    return False
        return True

    return gather_structs


def _there(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def _parts_of(wanted: Any) -> tuple[Any, SizeBound | None, bool]:
    """The bare type, the bound beside it, and whether null is taken too."""
    bound = size_bound_of(wanted)
    kind = get_args(wanted)[0] if get_origin(wanted) is Annotated else wanted
    if get_origin(kind) in (types.UnionType, Union):
        return get_args(kind)[0], bound, True
    return kind, bound, False


def _gatherer(kind: Any, bound: SizeBound | None) -> Gather | None:
    """None for a type that has no size. Raises TypeError for one that has, and no bound."""
    parts = get_args(kind)
    if kind in _BOUNDLESS or get_origin(kind) is Literal:
        return None
    if isinstance(kind, type) and issubclass(kind, Enum):
        return None
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct_gatherer(kind)
    match bound:
        case ListBound(items_max=most):
            item = _gatherer(parts[0], None)
            return _list_gatherer(most, item)
        case MapBound(key=None) if _gatherer(parts[1], None) is None:
            # As many as there are words in the vocabulary of the keys.
            return None
        case MapBound():
            return _map_gatherer(bound, parts[1])
        case FreeBound():
            return lambda values, _: all([is_within(bound, value) for value in values])
    raise TypeError(f"no bound is known for {kind!r}")


def _list_gatherer(most: int, item: Gather | None) -> Gather:
    def gather_lists(values: Sequence[Any], gathered: Gathered) -> bool:
        longest = max(map(len, values))
        if longest > most:
            return False
        return not longest or item is None or item([*chain.from_iterable(values)], gathered)

    return gather_lists


def _map_gatherer(bound: MapBound, value: Any) -> Gather:
    most, key = bound.entries_max, bound.key
    inner = None if value is str else _gatherer(value, None)

    def gather_maps(values: Sequence[Any], gathered: Gathered) -> bool:
        longest = max(map(len, values))
        if longest > most:
            return False
        if not longest:
            return True
        if key is not None:
            gathered[key].extend(values)
        if bound.value is not None:
            gathered[bound.value].extend(map(dict.values, values))
        return inner is None or inner([*chain.from_iterable(map(dict.values, values))], gathered)

    return gather_maps
