"""What is known of a shadow: how it does, and where it did not do as the primary did."""

from __future__ import annotations

from dataclasses import dataclass

from service.domains.dpm_runs.values import DEFAULT_TENANT
from service.domains.shadow_differences import (
    Difference,
    ShadowCounts,
    ShadowDifferenceFilter,
    ShadowDifferenceSummary,
)
from service.domains.values.pages import Page
from service.storage.ports.shadow_differences import ShadowState
from service.storage.ports.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """`shadow_backend` and `counts` are those of this process; None when it has no shadow."""

    shadow_backend: str | None
    counts: ShadowCounts | None
    summary: ShadowDifferenceSummary
    page: Page[Difference]


class ShadowDifferenceFlow:
    def __init__(self, *, store: Store, shadow: ShadowState | None) -> None:
        self._store = store
        self._shadow = shadow

    async def report(
        self, differences: ShadowDifferenceFilter, *, limit: int, cursor: str | None
    ) -> ShadowReport:
        """The differences that are kept, newest first, and what this process has seen since it started."""
        shadow = self._shadow
        return ShadowReport(
            shadow_backend=shadow.backend if shadow else None,
            counts=shadow.counts() if shadow else None,
            summary=await self._store.shadow_differences.summarise(DEFAULT_TENANT),
            page=await self._store.shadow_differences.list(
                DEFAULT_TENANT, differences, limit=limit, cursor=cursor
            ),
        )
