"""Checks a value carries with its type, so that every reader of that type enforces the same ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
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

    # The same as what is asked of a value: a request has hundreds of values, and each is asked.
    _TESTS: ClassVar[tuple[tuple[Callable[[Any], bool], str], ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._TESTS = tuple(
            [(test_of(each), each.text) for each in cls.CHECKS if not isinstance(each, NoFraction)]
        )

    def __post_init__(self) -> None:
        for holds, text in self._TESTS:
            if not holds(self):
                raise ValueError(text)


def test_of(check: FieldCheck | WholeRule) -> Callable[[Any], bool]:
    """What tells of a whole value whether a check holds."""
    if isinstance(check, WholeRule):
        return check.test
    field_of, holds = attrgetter(check.field), check.holds
    if isinstance(check, Bound) and check.gt is None and check.ge is not None and check.le is not None:
        low, high = check.ge, check.le
        return lambda whole: (value := field_of(whole)) is None or (value >= low and value <= high)

    def is_absent_or_holds(whole: Any) -> bool:
        value = field_of(whole)
        return value is None or holds(value)

    return is_absent_or_holds
