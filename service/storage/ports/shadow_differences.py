"""What the flows may ask of storage about a shadow, and what the shadow's differences are kept in.

Each write method is one act. Every method of a store may raise StoreUnavailable.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from service.domains.shadow_differences import (
    Difference,
    ShadowCounts,
    ShadowDifferenceFilter,
    ShadowDifferenceSummary,
)
from service.domains.values.pages import Page


class ShadowDifferenceStore(Protocol):
    """Differences are kept by the primary, so that they can be read while the shadow is away."""

    async def record(self, differences: Sequence[Difference]) -> None:
        """Keep differences, all in one act; one whose id is taken stays as it is."""
        ...

    async def list(
        self, tenant_id: str, differences: ShadowDifferenceFilter, *, limit: int, cursor: str | None
    ) -> Page[Difference]:
        """Differences by their time and id, newest first; the cursor is the id of the last row.

        A cursor that is not the id of a difference the filter lets through gives an empty page.
        """
        ...

    async def summarise(self, tenant_id: str) -> ShadowDifferenceSummary:
        """How many are kept, by kind."""
        ...

    async def purge(self, tenant_id: str, *, found_before: datetime, limit: int) -> int:
        """Remove the oldest differences found before an instant, at most so many; gives how many."""
        ...


class ShadowState(Protocol):
    """What a process can tell of its shadow at once."""

    @property
    def backend(self) -> str:
        """Its name among the stores."""
        ...

    def counts(self) -> ShadowCounts: ...
