"""Where two values differ, in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass

from service.domains.shadow_differences import TEXT_CHARACTERS_MAX
from service.domains.values.canonical import digest_of
from service.storage.shadow.writes import Failed, Outcome, Succeeded

NOTHING = object()


@dataclass(frozen=True, slots=True)
class Found:
    place: str
    primary: str
    shadow: str


def difference_of(place: str, primary: Outcome, shadow: Outcome) -> Found | None:
    """The first difference of two outcomes; None when they are alike."""
    if primary == shadow:
        return None
    match primary, shadow:
        case Succeeded(left), Succeeded(right):
            return first_difference(place, left, right)
    return Found(place, text_of(primary), text_of(shadow))


def first_difference(place: str, primary: object, shadow: object) -> Found:
    """Where two unequal values begin to differ."""
    if type(primary) is type(shadow):
        for name, left, right in parts_of(primary, shadow):
            if left != right:
                return first_difference(f"{place}.{name}", left, right)
    return Found(place, text_of(primary), text_of(shadow))


def parts_of(primary: object, shadow: object) -> list[tuple[str, object, object]]:
    """The parts of two values of one type, side by side."""
    if is_dataclass(primary):
        names = [part.name for part in fields(primary) if part.compare]
        return [(name, getattr(primary, name), getattr(shadow, name)) for name in names]
    if isinstance(primary, tuple) and isinstance(shadow, tuple) and len(primary) == len(shadow):
        return [(str(at), left, right) for at, (left, right) in enumerate(zip(primary, shadow, strict=True))]
    if isinstance(primary, Mapping) and isinstance(shadow, Mapping):
        names = sorted({*map(str, primary), *map(str, shadow)})
        left, right = (({str(name): value for name, value in one.items()}) for one in (primary, shadow))
        return [(name, left.get(name, NOTHING), right.get(name, NOTHING)) for name in names]
    return []


def text_of(value: object) -> str:
    """A value in a few words; of bytes only their digest, as they are a client's affairs."""
    match value:
        case Succeeded(kept):
            return text_of(kept)
        case Failed(refusal):
            return refusal.code
        case bytes():
            return f"{digest_of(value)} ({len(value)} bytes)"
    text = "nothing" if value is NOTHING else type(value).__name__ if is_dataclass(value) else repr(value)
    return text if len(text) <= TEXT_CHARACTERS_MAX else text[: TEXT_CHARACTERS_MAX - 3] + "..."


def is_less(primary: Outcome, shadow: Outcome | None) -> bool:
    """Whether the shadow counted no more of anything than the primary did."""
    match primary, shadow:
        case Succeeded(int(left)), Succeeded(int(right)):
            return right <= left
        case Succeeded(left), Succeeded(right) if is_dataclass(left) and type(left) is type(right):
            return all(mine >= its for _, mine, its in parts_of(left, right))  # type: ignore[operator]
    return False
