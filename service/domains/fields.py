"""Checks a value carries with its type, so that every reader of that type enforces the same ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec


@dataclass(frozen=True, slots=True)
class Bound:
    """A numeric bound on one field, inclusive but for gt; an absent (null) value passes."""

    field: str
    ge: int | None = None
    le: int | None = None
    gt: int | None = None

    def holds(self, value: Any) -> bool:
        if value is None:
            return True
        return (
            (self.ge is None or value >= self.ge)
            and (self.le is None or value <= self.le)
            and (self.gt is None or value > self.gt)
        )

    @property
    def text(self) -> str:
        if self.gt is not None:
            return f"{self.field} must be greater than {self.gt}"
        return f"{self.field} must lie between {self.ge} and {self.le}"


@dataclass(frozen=True, slots=True)
class FieldRule:
    """A named rule on one field; an absent (null) value passes."""

    field: str
    text: str
    test: Callable[[Any], bool]

    def holds(self, value: Any) -> bool:
        return value is None or self.test(value)


@dataclass(frozen=True, slots=True)
class Pattern:
    """What the whole of a text field must look like; an absent (null) value passes."""

    field: str
    pattern: str

    def holds(self, value: Any) -> bool:
        return value is None or re.fullmatch(self.pattern, value) is not None

    @property
    def text(self) -> str:
        return f"{self.field} must match {self.pattern}"


@dataclass(frozen=True, slots=True)
class WholeRule:
    """A named rule across the fields of one value, asked only when each field is right by itself."""

    text: str
    test: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class NoFraction:
    """Names the refusal of a number that was sent as a JSON fraction; the type of the number refuses it.

    Once read, a number bears no trace of how it was written, so this is asked of what was received only.
    """

    field: str
    text: str
    # The member that holds the number where the field is an object.
    member: str | None = None


FieldCheck = Bound | FieldRule | Pattern
Check = FieldCheck | WholeRule | NoFraction


class Checked(msgspec.Struct, frozen=True):
    """A frozen value that refuses, however it is built, what its CHECKS refuse (ValueError)."""

    CHECKS: ClassVar[tuple[Check, ...]] = ()

    def __post_init__(self) -> None:
        for check in self.CHECKS:
            if isinstance(check, NoFraction):
                continue
            if isinstance(check, WholeRule):
                held = check.test(self)
            else:
                held = check.holds(getattr(self, check.field))
            if not held:
                raise ValueError(check.text)
