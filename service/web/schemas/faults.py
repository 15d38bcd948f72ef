"""What can be wrong with one value of a request body, in the words of the HTTP contract (2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, assert_never

from service.domains.values.bounds import Bounds, FreeBound, TextBound
from service.domains.values.fields import Bound, FieldCheck, FieldRule, Pattern

# The typed decoder takes no longer integer, and the interpreter reads none.
INTEGER_DIGITS_MAX = 4300

_INTEGER = "Input should be a valid integer"
_BOOLEAN = "Input should be a valid boolean"

# Faults whose message never varies are named by their type alone, as schema libraries name messages.
MESSAGES = {
    "missing": "Field required",
    "extra_forbidden": "Extra inputs are not permitted",
    "json_invalid": "JSON decode error",
    "model_attributes_type": "Input should be a valid dictionary or object to extract fields from",
    "dict_type": "Input should be a valid dictionary",
    "list_type": "Input should be a valid list",
    "string_type": "Input should be a valid string",
    "string_unicode": "Input should be a valid string, unable to parse raw data as a unicode string",
    "int_type": _INTEGER,
    "int_parsing": f"{_INTEGER}, unable to parse string as an integer",
    "int_from_float": f"{_INTEGER}, got a number with a fractional part",
    "bool_type": _BOOLEAN,
    "bool_parsing": f"{_BOOLEAN}, unable to interpret input",
    "decimal_type": "Decimal input should be an integer, float, string or Decimal object",
    "decimal_parsing": "Input should be a valid decimal",
    "finite_number": "Input should be a finite number",
    "too_many_errors": "More is wrong than is listed here",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; its message may depend on the rule that was broken."""

    type: str
    msg: str
    ctx: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A number in the body that stands for no value: NaN, an infinity, or one too large to hold.

    It takes the number's place until the field it was meant for refuses it.
    """

    text: str
    fault: str


class MapKey(str):
    """A key of a free map, which may spell any of the names that are markers elsewhere."""

    __slots__ = ()


# Marks that a map's key, not its value, is at fault; the last element of the entry's location.
KEY = "[key]"


def broken_rule(text: str) -> Fault:
    return Fault("value_error", f"Value error, {text}", {"error": {}})


NUL_REFUSED = broken_rule("strings must not contain NUL")


def outside(kind: str, words: tuple[str, ...]) -> Fault:
    """The fault of a value that is none of the words; kind is `enum` or `literal_error`."""
    quoted = [f"'{word}'" for word in words]
    expected = " or ".join(part for part in (", ".join(quoted[:-1]), quoted[-1]) if part)
    return Fault(kind, f"Input should be {expected}", {"expected": expected})


def check_fault(check: FieldCheck, value: Any) -> Fault | None:
    """What the check of a field says about its value."""
    if check.holds(value):
        return None
    match check:
        case FieldRule(text=text):
            return broken_rule(text)
        case Pattern(pattern=pattern):
            return Fault(
                "string_pattern_mismatch", f"String should match pattern '{pattern}'", {"pattern": pattern}
            )
        case Bound(ge=int(ge)) if value < ge:
            return Fault("greater_than_equal", f"Input should be greater than or equal to {ge}", {"ge": ge})
        case Bound(gt=int(gt)) if value <= gt:
            return Fault("greater_than", f"Input should be greater than {gt}", {"gt": gt})
        case Bound(le=le):
            return Fault("less_than_equal", f"Input should be less than or equal to {le}", {"le": le})
        case _:
            assert_never(check)


def size_fault(text: str, bound: TextBound, bounds: Bounds) -> Fault | None:
    """What is wrong with the length of a text."""
    longest = bound.longest(bounds)
    if len(text) > longest:
        return Fault(
            "string_too_long", f"String should have at most {longest} characters", {"max_length": longest}
        )
    if len(text) < bound.characters_min:
        return Fault("string_too_short", "String should have at least 1 character", {"min_length": 1})
    return None


def too_long(kind: str, length: int, most: int) -> Fault:
    """The fault of a list or a map with too many items; kind is `List` or `Dictionary`."""
    return Fault(
        "too_long",
        f"{kind} should have at most {most} items after validation, not {length}",
        {"field_type": kind, "max_length": most, "actual_length": length},
    )


def too_large(bound: FreeBound) -> Fault:
    return broken_rule(
        f"at most {bound.members_max} members and items, and {bound.characters_max} characters in all"
    )


def text_fault(text: str) -> str | Fault | None:
    """Why a string cannot be stored, if it cannot: no store takes half a character or a NUL."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "string_unicode"
    return NUL_REFUSED if "\0" in text else None


def free_faults(value: Any) -> Any:
    """The faults anywhere in a free JSON value, keyed like the value; empty when there are none."""
    match value:
        case str():
            fault = text_fault(value)
            return [] if fault is None else [fault]
        case Unreadable():
            return [value.fault]
        case list():
            return {at: below for at, item in enumerate(value) if (below := free_faults(item))}
        case dict():
            found: dict[str, Any] = {}
            for key, item in value.items():
                fault = text_fault(key)
                below = free_faults(item) if fault is None else {KEY: [fault]}
                if below:
                    found[MapKey(key)] = below
            return found
        case _:
            return []


def number_text(number: Decimal | Unreadable) -> str:
    return number.text if isinstance(number, Unreadable) else str(number)
