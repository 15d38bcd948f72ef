"""Turns what a schema found into the list of entries a client reads (HTTP contract 2.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import Any

from service.domains.values.bounds import Bounds, TextBound
from service.web.schemas.faults import KEY, MESSAGES, Fault, MapKey, Unreadable, number_text, size_fault

# A small body can hold a fault in every second byte; no reader needs more than the first of them. Where there
# are more, the last entry says so.
ENTRIES_MAX = 100

# What is repeated of a single value, and of a name in a place.
SCALAR_CHARACTERS_MAX = 200

_INTEGER_CUT = 10**SCALAR_CHARACTERS_MAX

# A refused or incomplete object is repeated in its entry only while it is about this short:
# answers land in the logs of callers, and client data with them.
CONTAINER_CHARACTERS_MAX = 1024

# Where a schema files what it says about an object as a whole.
WHOLE = "_schema"


def entry(fault: str | Fault, loc: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """One entry; everything in it can be written as JSON."""
    if isinstance(fault, str):
        fault = Fault(fault, MESSAGES[fault])
    made = {"type": fault.type, "loc": list(loc), "msg": fault.msg, "input": shown(value)}
    if fault.ctx is not None:
        made["ctx"] = dict(fault.ctx)
    return made


def size_entries(
    text: str, loc: tuple[str | int, ...], bound: TextBound, bounds: Bounds
) -> list[dict[str, Any]]:
    """The entry for a text of a path, a query or a header that is longer than its bound; mostly none."""
    fault = size_fault(text, bound, bounds)
    return [] if fault is None else [entry(fault, loc, text)]


def entries_of(found: Any, body: Any) -> list[dict[str, Any]]:
    """The entries for what was found in a body, depth first; found is keyed like the body."""
    entries = list(islice(_walk(found, body, None, ("body",)), ENTRIES_MAX + 1))
    if len(entries) > ENTRIES_MAX:
        entries[ENTRIES_MAX - 1 :] = [entry("too_many_errors", ("body",), None)]
    return entries


def _walk(found: Any, value: Any, around: Any, loc: tuple[str | int, ...]) -> Iterator[dict[str, Any]]:
    if not isinstance(found, Mapping):
        for fault in found:
            yield entry(fault, loc, around if fault == "missing" else value)
        return
    for key, below in found.items():
        if isinstance(key, MapKey):
            yield from _walk(below, value[str(key)], value, (*loc, _clean(key)))
        elif key == WHOLE:
            yield from _walk(below, value, around, loc)
        elif key == KEY:
            yield from _walk(below, loc[-1], around, (*loc, KEY))
        elif isinstance(value, Mapping):
            yield from _walk(below, value.get(key), value, (*loc, _clean(key)))
        else:
            yield from _walk(below, value[key], value, (*loc, key))


def shown(value: Any) -> Any:
    """The value as an entry repeats it: fractions as text, long texts cut, long containers empty."""
    match value:
        case str():
            return _clean(value)
        case Decimal() | Unreadable():
            return number_text(value)[:SCALAR_CHARACTERS_MAX]
        case bool():
            return value
        case int() if abs(value) >= _INTEGER_CUT:
            return str(value)[:SCALAR_CHARACTERS_MAX]
        case Mapping():
            return {_clean(key): shown(item) for key, item in value.items()} if _is_short(value) else {}
        case list():
            return [shown(item) for item in value] if _is_short(value) else []
        case _:
            return value


def _clean(text: str) -> str:
    return text[:SCALAR_CHARACTERS_MAX].encode("utf-8", "replace").decode()


def _is_short(container: Any) -> bool:
    left = CONTAINER_CHARACTERS_MAX
    waiting = [container]
    while waiting and left >= 0:
        value = waiting.pop()
        match value:
            case Mapping():
                left -= 2 * len(value) + 2
                if left >= 0:
                    waiting.extend(value.keys())
                    waiting.extend(value.values())
            case list():
                left -= len(value) + 2
                if left >= 0:
                    waiting.extend(value)
            case str():
                left -= len(value) + 2
            case Unreadable():
                left -= len(value.text)
            case _:
                left -= len(str(value))
    return left >= 0
