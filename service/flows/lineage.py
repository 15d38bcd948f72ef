"""Follow the edges around an entity: those it has itself, or all on walks up to a depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.domains.callers import Caller
from service.domains.lineage import Edge, EdgeFilter, places_of
from service.domains.values.pages import Page, empty_page, page_of
from service.flows.runtime import Runtime
from service.storage.ports.store import Store


@dataclass(frozen=True, slots=True)
class LineagePage:
    """One page of the edges that were met; truncated when a walk met more than it may hold."""

    page: Page[Edge]
    truncated: bool


class LineageFlow:
    def __init__(self, store: Store, runtime: Runtime) -> None:
        self._store = store
        self._clock = runtime.clock
        self._retention = runtime.retention

    async def list(
        self, caller: Caller, entity_id: str, edges: EdgeFilter, *, depth: int, limit: int, cursor: str | None
    ) -> LineagePage:
        """The edges met on walks of at most `depth` edges from an entity, by their places.

        A walk goes along every edge; the type and the bounds of the filter choose which are shown.
        """
        cutoff = self._retention.cutoff_at(self._clock.now())
        if depth == 1:
            page = await self._store.lineage.list(
                caller.tenant_id, entity_id, edges, limit=limit, cursor=cursor, cutoff=cutoff
            )
            return LineagePage(page, truncated=False)
        trail = await self._store.lineage.trace(caller.tenant_id, entity_id, edges.direction, depth, cutoff)
        shown = [edge for edge in trail.edges if edges.matches(edge)]
        return LineagePage(_page_after(cursor, shown, limit), trail.truncated)


def _page_after(cursor: str | None, shown: Sequence[Edge], limit: int) -> Page[Edge]:
    start = 0
    if cursor is not None:
        places = places_of(cursor)
        found = (at for at, edge in enumerate(shown, start=1) if edge.place in places)
        start = next(found, 0)
        if start == 0:
            return empty_page()
    return page_of(shown[start : start + limit + 1], limit, lambda edge: edge.cursor)
