"""How long the texts of a request are at most, and how many of each thing it holds (ruling 17).

A bound stands beside the type of its field, as one of its annotations. It binds what callers send, at the
edge, and never what was stored: constructors and decoders know nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ID_CHARACTERS_MAX_DEFAULT = 200
# Of four bytes each, they still fit a row of an index (2,704 bytes on PostgreSQL).
ID_CHARACTERS_MAX_LIMIT = 600


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds that a setting can change; all others are constants."""

    id_characters_max: int = ID_CHARACTERS_MAX_DEFAULT


DEFAULT_BOUNDS = Bounds()


# Told apart by what they are and not by what they say, for they are asked for by the thousand.
@dataclass(frozen=True, slots=True, eq=False)
class TextBound:
    """Of a text, in characters; that of an id is at least the one of the setting."""

    characters_max: int
    characters_min: int = 0
    is_id: bool = False

    def longest(self, bounds: Bounds) -> int:
        return max(self.characters_max, bounds.id_characters_max) if self.is_id else self.characters_max


@dataclass(frozen=True, slots=True)
class ListBound:
    """Of a list, in items."""

    items_max: int


@dataclass(frozen=True, slots=True)
class MapBound:
    """Of a map, in entries, and of its keys unless they are a vocabulary; of values if they are texts."""

    entries_max: int
    key: TextBound | None
    value: TextBound | None = None


@dataclass(frozen=True, slots=True)
class FreeBound:
    """Of a free JSON object: members and items at any depth, and characters of all texts and numbers."""

    members_max: int
    characters_max: int


SizeBound = TextBound | ListBound | MapBound | FreeBound


@dataclass(frozen=True, slots=True)
class TotalBound:
    """Of things that are counted over several fields of one value."""

    most: int
    things: str
    count: Callable[[Any], int]

    @property
    def text(self) -> str:
        return f"at most {self.most} {self.things}"


ID = TextBound(ID_CHARACTERS_MAX_DEFAULT, 1, is_id=True)
# As long as an id, and possibly empty: ids that are only compared, and names of buckets.
OPEN_ID = TextBound(ID_CHARACTERS_MAX_DEFAULT, is_id=True)
LABEL = TextBound(200)
ATTRIBUTE = TextBound(200, 1)
REASON_CODE = TextBound(200)
TITLE = TextBound(500)
COMMENT = TextBound(4_000)
CURRENCY = TextBound(12)
# Two currency codes and the stroke between them.
PAIR = TextBound(25)
# The name and the value of an attribute, and the colon between them.
GROUP = TextBound(401)

CORRELATION_ID = TextBound(200)
# What a run of a scenario is filed under: the correlation id of its batch, a colon and its name.
FILED_CORRELATION_ID = TextBound(265)
IDEMPOTENCY_KEY = TextBound(255)
# What edges lead from and to: ids, correlation ids and idempotency keys.
ENTITY_ID = TextBound(265, is_id=True)
CURSOR = TextBound(1_000)

ROWS = ListBound(20_000)
LOTS_MAX = 200_000
LOTS = ListBound(LOTS_MAX)
CURRENCIES_MAX = 200
# Rows of one currency are allowed, so this is only what keeps the list from being endless.
CASH_ROWS = ListBound(2_000)
RATES = ListBound(2_000)
MOVES = ListBound(2_000)

ATTRIBUTES = MapBound(50, ATTRIBUTE, ATTRIBUTE)
GROUPS = MapBound(200, GROUP)
OVERDRAFTS = MapBound(CURRENCIES_MAX, CURRENCY)
# The keys of these have rules of their own, told in the words of the contract up to this many.
TIERS = MapBound(200, None)
SCENARIOS = MapBound(1_000, None)
FREE = FreeBound(members_max=2_000, characters_max=200_000)
