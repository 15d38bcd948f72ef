"""The catalog of policy packs as a process knows it: asked for often, read from the store when it changed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.domains.callers import Caller
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
        # The catalog of each tenant, and when the store was last asked for its revision.
        self._known: dict[str, tuple[Catalog, datetime]] = {}
        self._asking = asyncio.Lock()

    async def current(self, caller: Caller) -> Catalog:
        """The catalog as it was at most so many seconds ago."""
        known = self._recent(caller)
        if known is not None:
            return known
        async with self._asking:
            return self._recent(caller) or await self._ask(caller)

    async def fresh(self, caller: Caller) -> Catalog:
        """The catalog as it is."""
        async with self._asking:
            return await self._ask(caller)

    def _recent(self, caller: Caller) -> Catalog | None:
        known, checked_at = self._known.get(caller.tenant_id, (None, None))
        # A clock that was set back makes nothing recent.
        if checked_at is None or not timedelta() <= self._clock.now() - checked_at < self._kept_for:
            return None
        return known

    async def _ask(self, caller: Caller) -> Catalog:
        asked_at = self._clock.now()
        revision = await self._store.policy_packs.find_revision(caller.tenant_id)
        known, _ = self._known.get(caller.tenant_id, (None, None))
        if known is None or known.revision != revision:
            amendments = await self._store.policy_packs.list_amendments(caller.tenant_id)
            packs = dict(self._shipped)
            for policy_pack_id, pack in amendments.packs.items():
                if pack is None:
                    packs.pop(policy_pack_id, None)
                else:
                    packs[policy_pack_id] = pack
            known = Catalog(amendments.revision, packs)
        self._known[caller.tenant_id] = known, asked_at
        return known
