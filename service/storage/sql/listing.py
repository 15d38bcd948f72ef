"""Pages of lists by keyset: a cursor is the id of a row, and the narrowest filter chooses the query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import dropwhile
from typing import Generic, TypeVar

from service.domains.values.pages import LATEST, Page, page_of
from service.storage.sql.acts import Act, Row, every, one

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    noun: str
    # From the filter that leaves the fewest rows to none; each query takes its filter and those after it.
    queries: Mapping[str | None, str]
    find: str
    id_name: str
    read: Callable[[Row], T]
    place: Callable[[T], tuple[datetime, str]]
    # What finding a cursor takes and the lists do not.
    only_found: frozenset[str] = frozenset()

    def page(
        self,
        *,
        filters: Mapping[str, str | None],
        matches: Callable[[Row], bool],
        cursor: str | None,
        limit: int,
        found: Mapping[str, object],
        bounds: Mapping[str, object],
    ) -> Act[Page[T]]:
        rows = yield from self.rows(
            filters=filters, matches=matches, cursor=cursor, limit=limit, found=found, bounds=bounds
        )
        return page_of([self.read(row) for row in rows], limit, lambda item: self.place(item)[1])

    def rows(
        self,
        *,
        filters: Mapping[str, str | None],
        matches: Callable[[Row], bool],
        cursor: str | None,
        limit: int,
        found: Mapping[str, object],
        bounds: Mapping[str, object],
    ) -> Act[list[Row]]:
        """The rows of the page and one more, where there is one.

        `found` is what finding a cursor takes beside its id; a cursor that is not of the list gives none, and
        `matches` says of the row of a cursor whether it is.
        """
        before_at, before_id = LATEST, ""
        if cursor is not None:
            row = yield from one(self.noun, self.find, **found, **{self.id_name: cursor})
            if row is None or not matches(row):
                return []
            before_at, before_id = self.place(self.read(row))
        given = dict(dropwhile(lambda named: named[1] is None, filters.items()))
        query = self.queries[next(iter(given), None)]
        shared = {name: value for name, value in found.items() if name not in self.only_found}
        asked = {**shared, **bounds, **given, "before_at": before_at, "before_id": before_id}
        return (yield from every(self.noun, query, **asked, limit=limit + 1))
