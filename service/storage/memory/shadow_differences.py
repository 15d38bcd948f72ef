"""Differences of a shadow in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from service.domains.shadow_differences import (
    Difference,
    ShadowDifferenceFilter,
    ShadowDifferenceSummary,
    counted,
)
from service.domains.values.pages import EARLIEST, LATEST, Page, empty_page, page_of
from service.storage.memory.tables.sorted_index import Place
from service.storage.memory.tables.state import State


class MemoryShadowDifferences:
    def __init__(self, state: State) -> None:
        self.state = state

    async def record(self, differences: Sequence[Difference]) -> None:
        self.state.require_open()
        for difference in differences:
            key = (difference.tenant_id, difference.difference_id)
            if key not in self.state.differences:
                self.state.differences[key] = difference
                self.state.differences_by_time.put((difference.tenant_id,), place_of(difference))

    async def list(
        self, tenant_id: str, differences: ShadowDifferenceFilter, *, limit: int, cursor: str | None
    ) -> Page[Difference]:
        state = self.state
        state.require_open()
        before: Place | None = None
        if cursor is not None:
            last = state.differences.get((tenant_id, cursor))
            if last is None or not differences.matches(last):
                return empty_page()
            before = place_of(last)
        places = state.differences_by_time.backward(
            (tenant_id,),
            first=differences.found_from or EARLIEST,
            last=differences.found_to or LATEST,
            before=before,
        )
        rows = (state.differences[tenant_id, difference_id] for _, difference_id in places)
        found = list(islice(filter(differences.matches, rows), limit + 1))
        return page_of(found, limit, lambda difference: difference.difference_id)

    async def summarise(self, tenant_id: str) -> ShadowDifferenceSummary:
        self.state.require_open()
        places = self.state.differences_by_time.backward((tenant_id,))
        return counted(
            Counter(
                self.state.differences[tenant_id, difference_id].kind.value for _, difference_id in places
            )
        )

    async def purge(self, tenant_id: str, *, found_before: datetime, limit: int) -> int:
        self.state.require_open()
        old = self.state.differences_by_time.older_than((tenant_id,), found_before, limit)
        for place in list(old):
            self.state.differences_by_time.take((tenant_id,), place)
            del self.state.differences[tenant_id, place[1]]
        return len(old)


def place_of(difference: Difference) -> Place:
    return (difference.found_at, difference.difference_id)
