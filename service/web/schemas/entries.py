"""Turns what a schema found into the list of entries a client reads (HTTP contract 2.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import Any

from service.web.schemas.faults import KEY, MESSAGES, Fault, MapKey, Unreadable, number_text

# A small body can hold a fault in every second byte; no reader needs more than the first of them.
ENTRIES_MAX = 1000

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


def entries_of(found: Any, body: Any) -> list[dict[str, Any]]:
    """The entries for what was found in a body, depth first; found is keyed like the body."""
    return list(islice(_walk(found, body, None, ("body",)), ENTRIES_MAX))


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
            yield from _walk(below, value.get(key), value, (*loc, key))
        else:
            yield from _walk(below, value[key], value, (*loc, key))


def shown(value: Any) -> Any:
    """The value as an entry repeats it: numbers with a fraction as text, long containers empty."""
    match value:
        case str():
            return _clean(value)
        case Decimal() | Unreadable():
            return number_text(value)
        case Mapping():
            return {_clean(key): shown(item) for key, item in value.items()} if _is_short(value) else {}
        case list():
            return [shown(item) for item in value] if _is_short(value) else []
        case _:
            return value


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


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
