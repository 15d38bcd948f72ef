"""What a comparison has come to: how much was compared, and the first differences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from service.admin.comparison.recorded_requests import RecordedAnswer, RecordedRequest
from service.domains.values.json_differences import first_difference

SHOWN_CHARACTERS = 300
FAULT = 500
NOTHING = "(nothing)"


@dataclass(frozen=True, slots=True)
class Difference:
    place: str
    left: str
    right: str


@dataclass(slots=True)
class Report:
    shown_max: int
    statuses: Counter[int] = field(default_factory=Counter)
    # How many of what were compared: requests, look-ups, things kept, rows.
    compared: Counter[str] = field(default_factory=Counter)
    rows: dict[str, tuple[int, int]] = field(default_factory=dict)
    differences: int = 0
    first: list[Difference] = field(default_factory=list)

    def add(self, place: str, left: object, right: object) -> None:
        self.differences += 1
        if len(self.first) < self.shown_max:
            self.first.append(Difference(place, shown(left), shown(right)))

    def compare_answers(
        self, what: str, asked: RecordedRequest, left: RecordedAnswer, right: RecordedAnswer
    ) -> None:
        """A failure of both is told too: nothing is proved by it."""
        self.compared[what] += 1
        place = f"{what} {self.compared[what]}, {asked}"
        if left.status != right.status:
            self.add(
                f"{place}: status", f"{left.status} {shown(left.body)}", f"{right.status} {shown(right.body)}"
            )
        elif left.status >= FAULT:
            self.add(f"{place}: both failed", f"{left.status} {shown(left.body)}", shown(right.body))
        elif left.body != right.body:
            self.add_values(f"{place}: body", left.body, right.body)
        elif lone := sorted(dict(left.headers.items() ^ right.headers.items())):
            name = lone[0]
            self.add(f"{place}: header {name}", left.headers.get(name), right.headers.get(name))

    def compare_values(self, place: str, left: object, right: object) -> None:
        if left != right:
            self.add_values(place, left, right)

    def add_values(self, place: str, left: object, right: object) -> None:
        """A difference, and within two documents the first place of it."""
        found = first_difference(decoded(left), decoded(right))
        if found is None or found.path == "$":
            self.add(place, left, right)
        else:
            self.add(f"{place} {found.path}", found.recorded, found.replayed)

    def compare_fields(self, place: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> None:
        """Each field that differs is a difference."""
        for name in [*left, *(name for name in right if name not in left)]:
            if left.get(name) != right.get(name) or (name in left) != (name in right):
                self.add_values(f"{place} {name}", left.get(name), right.get(name))


def decoded(value: object) -> Any:
    """What a document says, anything else as it is."""
    if not isinstance(value, bytes):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value


def shown(value: object) -> str:
    if value is None:
        return NOTHING
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}… ({len(text)} characters)"
