"""The catalog of policy packs as a process knows it: asked for often, read from the store when it changed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.domains.dpm_runs.values import DEFAULT_TENANT
from service.domains.policy_packs import PolicyPack
from service.runtime.clock import Clock
from service.storage.ports.store import Store


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every pack by its id, as of a revision."""

    revision: int
    packs: Mapping[str, PolicyPack]


class CatalogCache:
    """What is known is good for some seconds; then the store is asked for its revision, and nothing more.

    Callers who come together share one question. What another process changes is seen that much later.
    """

    def __init__(
        self, *, store: Store, clock: Clock, shipped: Mapping[str, PolicyPack], seconds: int
    ) -> None:
        self._store = store
        self._clock = clock
        self._shipped = shipped
        self._kept_for = timedelta(seconds=seconds)
        self._known: Catalog | None = None
        self._checked_at: datetime | None = None
        self._asking = asyncio.Lock()

    async def current(self) -> Catalog:
        """The catalog as it was at most so many seconds ago."""
        if self._known is not None and self._is_recent():
            return self._known
        async with self._asking:
            if self._known is not None and self._is_recent():
                return self._known
            return await self._ask()

    async def fresh(self) -> Catalog:
        """The catalog as it is."""
        async with self._asking:
            return await self._ask()

    def _is_recent(self) -> bool:
        # A clock that was set back makes nothing recent.
        return (
            self._checked_at is not None
            and timedelta() <= self._clock.now() - self._checked_at < self._kept_for
        )

    async def _ask(self) -> Catalog:
        asked_at = self._clock.now()
        revision = await self._store.policy_packs.find_revision(DEFAULT_TENANT)
        known = self._known
        if known is None or known.revision != revision:
            amendments = await self._store.policy_packs.list_amendments(DEFAULT_TENANT)
            packs = dict(self._shipped)
            for policy_pack_id, pack in amendments.packs.items():
                if pack is None:
                    packs.pop(policy_pack_id, None)
                else:
                    packs[policy_pack_id] = pack
            known = Catalog(amendments.revision, packs)
        self._known, self._checked_at = known, asked_at
        return known
