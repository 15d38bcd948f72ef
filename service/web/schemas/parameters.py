"""Schemas of what a caller asks for in a query; values arrive as text (HTTP contract 1.1, 5)."""

from __future__ import annotations

import re
from collections.abc import Container
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from service.domains.lineage import DEPTH_MAX, Direction
from service.domains.retention.cutoffs import BEGINNING
from service.domains.values.bounds import CURSOR, FILED_CORRELATION_ID, LABEL, OPEN_ID, TextBound
from service.domains.values.fields import Bound
from service.domains.values.pages import HISTORY_ROWS_MAX
from service.web.schemas.faults import Fault
from service.web.schemas.fields import Choice, FirstBroken, Text, Whole

LIMIT_DEFAULT = 50
LIMIT_MAX = 200
DEPTH_DEFAULT = 1

# A number is seconds since 1970 up to this magnitude, and milliseconds beyond.
UNIX_SECONDS_MAX = 20_000_000_000

_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_FRACTION = re.compile(r"[0-9]+")

_TOO_SHORT = "input is too short"
_YEAR_OUTSIDE = "year value is outside expected range of 1-9999"


class QuerySchema(Schema):
    """Reads one query; unknown parameters are ignored."""

    class Meta:
        unknown = EXCLUDE
        register = False


class AskedText(Text):
    """A text in a query, which is held to its bound where it is known how long ids may be."""

    def __init__(self, bound: TextBound = LABEL, **options: Any) -> None:
        super().__init__(bound=bound, bounds=None, **options)


class Count(Whole):
    """An integer between two bounds."""

    def __init__(self, name: str, *, least: int, most: int, default: int) -> None:
        super().__init__(
            load_default=default,
            validate=FirstBroken([Bound(name, ge=least, le=most)]),
            metadata={"minimum": least, "maximum": most, "default": default},
        )


class Instant(fields.DateTime):
    """ISO 8601 with a `T` or a blank, a date alone, or a number; without an offset it is UTC (ruling 12)."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        try:
            return instant_of(value)
        except InstantRefused as refused:
            reason = str(refused)
            raise ValidationError(
                [
                    Fault(
                        "datetime_from_date_parsing",
                        f"Input should be a valid datetime or date, {reason}",
                        {"error": reason},
                    )
                ]
            ) from None


class RunListQuery(QuerySchema):
    """What the list of runs can be asked for."""

    created_from = Instant(data_key="from", load_default=None)
    created_to = Instant(data_key="to", load_default=None)
    status = AskedText(load_default=None)
    request_hash = AskedText(load_default=None)
    portfolio_id = AskedText(OPEN_ID, load_default=None)
    policy_pack_id = AskedText(
        load_default=None, metadata={"description": "Only those under this policy pack."}
    )
    limit = Count("limit", least=1, most=LIMIT_MAX, default=LIMIT_DEFAULT)
    cursor = AskedText(CURSOR, load_default=None)


class OperationListQuery(QuerySchema):
    """What the list of operations can be asked for."""

    created_from = Instant(data_key="from", load_default=None)
    created_to = Instant(data_key="to", load_default=None)
    operation_type = AskedText(load_default=None)
    status = AskedText(load_default=None)
    correlation_id = AskedText(FILED_CORRELATION_ID, load_default=None)
    limit = Count("limit", least=1, most=LIMIT_MAX, default=LIMIT_DEFAULT)
    cursor = AskedText(CURSOR, load_default=None)


class HistoryQuery(QuerySchema):
    """How much of what is told of one thing can be asked for; all of it, nearly always."""

    limit = Count("limit", least=1, most=HISTORY_ROWS_MAX, default=HISTORY_ROWS_MAX)
    cursor = AskedText(CURSOR, load_default=None)


class VersionHistoryQuery(QuerySchema):
    """The same of versions, which are told with their edges."""

    limit = Count("limit", least=1, most=LIMIT_MAX, default=LIMIT_MAX)
    cursor = AskedText(CURSOR, load_default=None)


class LineageQuery(QuerySchema):
    """What the edges around an entity can be asked for."""

    edge_type = AskedText(load_default=None)
    created_from = Instant(data_key="from", load_default=None)
    created_to = Instant(data_key="to", load_default=None)
    limit = Count("limit", least=1, most=LIMIT_MAX, default=LIMIT_DEFAULT)
    cursor = AskedText(CURSOR, load_default=None)
    depth = Count("depth", least=1, most=DEPTH_MAX, default=DEPTH_DEFAULT)
    direction = Choice(
        "enum", {direction.value: direction for direction in Direction}, load_default=Direction.BOTH
    )


class InstantRefused(ValueError):
    """The text names no instant; the message is the reason a caller is given."""


def instant_of(text: str) -> datetime:
    """The instant a text names, in UTC. Raises InstantRefused."""
    try:
        if _NUMBER.fullmatch(text) is not None:
            return _instant_of_number(Decimal(text))
        return _instant_of_parts(Scanner(text)).astimezone(UTC)
    except OverflowError:
        raise InstantRefused(_YEAR_OUTSIDE) from None


def _instant_of_number(number: Decimal) -> datetime:
    seconds = number if abs(number) <= UNIX_SECONDS_MAX else number / 1000
    return BEGINNING + timedelta(microseconds=int(seconds * 1_000_000))


def _instant_of_parts(scanner: Scanner) -> datetime:
    year = scanner.number("year", 4, range(1, 10_000), "1-9999")
    scanner.separator("-", "date")
    month = scanner.number("month", 2, range(1, 13), "1-12")
    scanner.separator("-", "date")
    day = scanner.number("day", 2, range(1, 32), "1-31")
    try:
        instant = datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        raise InstantRefused("day value is outside expected range") from None
    if scanner.ended():
        return instant
    if not scanner.skipped("T", "t", " "):
        raise InstantRefused("invalid datetime separator, expected `T` or a space")
    instant += _time_of_day(scanner)
    zone = _zone(scanner)
    if not scanner.ended():
        raise InstantRefused("unexpected extra characters at the end of the input")
    return instant.replace(tzinfo=zone)


def _time_of_day(scanner: Scanner) -> timedelta:
    hours = scanner.number("hour", 2, range(24), "0-23")
    scanner.separator(":", "time")
    minutes = scanner.number("minute", 2, range(60), "0-59")
    if not scanner.skipped(":"):
        return timedelta(hours=hours, minutes=minutes)
    seconds = scanner.number("second", 2, range(60), "0-59")
    # What is finer than a stored instant is cut off.
    microseconds = int(scanner.fraction()[:6].ljust(6, "0")) if scanner.skipped(".", ",") else 0
    return timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=microseconds)


def _zone(scanner: Scanner) -> timezone:
    # In a query that was put together without encoding it, a plus has become a blank.
    sign = scanner.skipped("Z", "z", "+", "-", " ")
    if sign in ("Z", "z", ""):
        return UTC
    hours = scanner.number("timezone hour", 2, range(24), "0-23")
    has_minutes = scanner.skipped(":") or not scanner.ended()
    minutes = scanner.number("timezone minute", 2, range(60), "0-59") if has_minutes else 0
    ahead = timedelta(hours=hours, minutes=minutes)
    return timezone(-ahead if sign == "-" else ahead)


class Scanner:
    """Reads a text from left to right; raises InstantRefused where it is not as expected."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def ended(self) -> bool:
        return self._at == len(self._text)

    def number(self, part: str, digits: int, allowed: Container[int], shown: str) -> int:
        found = self._text[self._at : self._at + digits]
        if not (found.isascii() and found.isdigit()) and found != "":
            raise InstantRefused(f"invalid character in {part}")
        if len(found) < digits:
            raise InstantRefused(_TOO_SHORT)
        if int(found) not in allowed:
            raise InstantRefused(f"{part} value is outside expected range of {shown}")
        self._at += digits
        return int(found)

    def separator(self, mark: str, kind: str) -> None:
        if self.ended():
            raise InstantRefused(_TOO_SHORT)
        if not self.skipped(mark):
            raise InstantRefused(f"invalid {kind} separator, expected `{mark}`")

    def skipped(self, *marks: str) -> str:
        """The one of the marks that comes next, now behind; empty when none does."""
        found = self._text[self._at : self._at + 1]
        if found not in marks:
            return ""
        self._at += 1
        return found

    def fraction(self) -> str:
        found = _FRACTION.match(self._text, self._at)
        if found is None:
            raise InstantRefused("second fraction is missing")
        self._at = found.end()
        return found[0]
