"""Finds the first place where two JSON values differ; the order of an object's members is no difference."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Difference:
    """A place, as a JSON path, and what is there on either side; None also where there is nothing."""

    path: str
    recorded: Any
    replayed: Any


def equal_but_for_order(recorded: bytes, replayed: bytes) -> bool:
    """Whether two texts of ours are the same but for the order of members within objects.

    A text with blanks, other escapes or a member written twice is not one of ours, and equals none.
    """
    try:
        values = [msgspec.json.decode(text) for text in (recorded, replayed)]
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    texts = zip((recorded, replayed), values, strict=True)
    return first_difference(*values) is None and all(
        msgspec.json.encode(value) == text for text, value in texts
    )


def first_difference(recorded: Any, replayed: Any, path: str = "$") -> Difference | None:
    """The first place in the order of the recorded value; what only the other one has comes last."""
    if isinstance(recorded, dict) and isinstance(replayed, dict):
        return _between_objects(recorded, replayed, path)
    if isinstance(recorded, list) and isinstance(replayed, list):
        return _between_lists(recorded, replayed, path)
    if type(recorded) is type(replayed) and recorded == replayed:
        return None
    return Difference(path, recorded, replayed)


def _between_objects(recorded: dict[str, Any], replayed: dict[str, Any], path: str) -> Difference | None:
    for name in [*recorded, *(name for name in replayed if name not in recorded)]:
        below = f"{path}.{name}" if _PLAIN_NAME.fullmatch(name) else f"{path}[{_quoted(name)}]"
        if name in recorded and name in replayed:
            found = first_difference(recorded[name], replayed[name], below)
        else:
            found = Difference(below, recorded.get(name), replayed.get(name))
        if found is not None:
            return found
    return None


def _between_lists(recorded: list[Any], replayed: list[Any], path: str) -> Difference | None:
    for at in range(max(len(recorded), len(replayed))):
        below = f"{path}[{at}]"
        if at < len(recorded) and at < len(replayed):
            found = first_difference(recorded[at], replayed[at], below)
        else:
            found = Difference(
                below,
                recorded[at] if at < len(recorded) else None,
                replayed[at] if at < len(replayed) else None,
            )
        if found is not None:
            return found
    return None


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
