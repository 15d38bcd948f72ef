"""Places in order, filed under what they are found by, as an index keeps them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Generic, TypeVar

from service.domains.lineage import EdgePlace
from service.domains.values.pages import EARLIEST, LATEST
from service.storage.memory.tables.collector import hide

# An instant and an id: where a row stands among its kind.
Place = tuple[datetime, str]
P = TypeVar("P", Place, EdgePlace)

# The tenant id first, then what the rows of the shelf share.
ShelfKey = tuple[str, ...]

instant_of = itemgetter(0)


class SortedIndex(Generic[P]):
    """A shelf that is emptied is gone, so that nothing is left of what was removed."""

    def __init__(self) -> None:
        self.shelves: dict[ShelfKey, list[P]] = {}

    def __contains__(self, key: ShelfKey) -> bool:
        return key in self.shelves

    def put(self, key: ShelfKey, place: P) -> None:
        # Ids and instants grow with time, so this is an append nearly always.
        shelf = self.shelves.get(key)
        if shelf is None:
            shelf = self.shelves[key] = []
            hide(shelf)
        insort(shelf, place)

    def take(self, key: ShelfKey, place: P) -> None:
        shelf = self.shelves[key]
        at = bisect_left(shelf, place)
        assert shelf[at] == place, place
        del shelf[at]
        if not shelf:
            del self.shelves[key]

    def forward(
        self, key: ShelfKey, *, first: datetime = EARLIEST, last: datetime = LATEST, after: P | None = None
    ) -> Iterator[P]:
        """The places between two instants, both included, and after a place; oldest first."""
        shelf = self.shelves.get(key, [])
        start = bisect_left(shelf, first, key=instant_of)
        if after is not None:
            start = max(start, bisect_right(shelf, after))
        for at in range(start, bisect_right(shelf, last, key=instant_of)):
            yield shelf[at]

    def backward(
        self, key: ShelfKey, *, first: datetime = EARLIEST, last: datetime = LATEST, before: P | None = None
    ) -> Iterator[P]:
        """The places between two instants, both included, and before a place; newest first."""
        shelf = self.shelves.get(key, [])
        stop = bisect_right(shelf, last, key=instant_of)
        if before is not None:
            stop = min(stop, bisect_left(shelf, before))
        for at in reversed(range(bisect_left(shelf, first, key=instant_of), stop)):
            yield shelf[at]

    def older_than(self, key: ShelfKey, instant: datetime, limit: int | None = None) -> Sequence[P]:
        """The oldest places before an instant, oldest first."""
        shelf = self.shelves.get(key, [])
        stop = bisect_left(shelf, instant, key=instant_of)
        return shelf[: stop if limit is None else min(stop, limit)]
