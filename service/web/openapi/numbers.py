"""How exact numbers are published: what a request may spell (ruling 2), and what an answer spells.

A pattern is a little narrower than what is read: it leaves out spellings that no client writes,
such as hundreds of leading zeros, so that it stays readable. What it lets through is always read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PLAIN = r"[0-9]{1,19}(\.[0-9]{0,19})?|[0-9]{1,10}\.[0-9]{0,28}|0?\.[0-9]{1,38}|[0-9]{1,28}\.[0-9]{0,7}[1-9]"
_WITH_EXPONENT = (
    r"([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})[eE][+-]?[0-9]"
    r"|[1-9](\.[0-9]{0,27})?[eE](\+?[0-9]|\+?1[0-8]|-[0-9]|-[12][0-9]|-3[0-9])"
)
_POSITIVE = r"0{0,9}[1-9][0-9]{0,9}(\.[0-9]{0,28})?|0{0,9}\.0{0,9}[1-9][0-9]{0,27}"
_SMALL = r"[0-9](\.[0-9]{0,27})?[eE]-[1-9]|[1-9](\.[0-9]{0,27})?[eE]-([12][0-9]|3[0-9])"

# Whatever fits is always within both bounds of ruling 2.
ANY = rf"^[+-]?({_PLAIN}|{_WITH_EXPONENT})$"
NOT_NEGATIVE = rf"^\+?({_PLAIN}|{_WITH_EXPONENT})$"
POSITIVE = rf"^\+?({_POSITIVE})$"
# From 0 to 1, both included.
SHARE = rf"^\+?(0{{1,9}}(\.[0-9]{{0,38}})?|\.[0-9]{{1,38}}|0{{0,8}}1(\.0{{0,18}})?|{_SMALL})$"

# Beyond it a JSON number has more places before the point than are kept.
MAGNITUDE_MAX = 10**18

BOUNDS = ("minimum", "maximum", "exclusiveMinimum")


def in_request(limits: Mapping[str, Any], *, fraction: bool = True, nullable: bool = False) -> dict[str, Any]:
    """The schema of a decimal that a caller sends as text or as a number, within JSON Schema's limits.

    Without `fraction`, a number with one is refused and has to be sent as text.
    """
    kinds = ["string", "number" if fraction else "integer", *(["null"] if nullable else [])]
    bounds: dict[str, Any] = {name: limits[name] for name in BOUNDS if name in limits}
    pattern = _pattern_of(bounds)
    if "minimum" not in bounds and "exclusiveMinimum" not in bounds:
        bounds["minimum"] = -MAGNITUDE_MAX
    bounds.setdefault("maximum", MAGNITUDE_MAX)
    return {"type": kinds, "pattern": pattern, **bounds}


def _pattern_of(bounds: Mapping[str, Any]) -> str:
    match bounds:
        case {"minimum": 0, "maximum": 1}:
            return SHARE
        case {"minimum": 0, **rest} if not rest:
            return NOT_NEGATIVE
        case {"exclusiveMinimum": 0, **rest} if not rest:
            return POSITIVE
        case {**rest} if not rest:
            return ANY
    raise ValueError(f"no pattern is known for decimals within {dict(bounds)}")


def in_answer() -> dict[str, Any]:
    """The schema of a decimal in an answer, which has the scale of the arithmetic."""
    return {"type": "string", "format": "decimal"}
