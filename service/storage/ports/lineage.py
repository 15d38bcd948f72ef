"""What the flows may ask of storage about the lineage of runs."""

from __future__ import annotations

from typing import Protocol

from service.domains.lineage import Direction, Edge, EdgeFilter, LineageGraph
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import Page


class LineageStore(Protocol):
    async def list(
        self,
        tenant_id: str,
        entity_id: str,
        edges: EdgeFilter,
        *,
        limit: int,
        cursor: str | None,
        cutoff: RetentionCutoff,
    ) -> Page[Edge]:
        """The edges from an entity to what came of it (down) and to what it came from (up), by their places.

        The cursor is that of the last edge; one that names no edge of this list gives an empty page.
        """
        ...

    async def trace(
        self, tenant_id: str, entity_id: str, direction: Direction, depth: int, cutoff: RetentionCutoff
    ) -> LineageGraph:
        """Every edge met on walks of at most `depth` edges from an entity in the direction, each once.

        A walk may come back to where it was; it ends all the same.
        """
        ...
