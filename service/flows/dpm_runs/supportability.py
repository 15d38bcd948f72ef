"""What the store holds, counted for operations (HTTP contract 7.6)."""

from __future__ import annotations

from dataclasses import dataclass

from service.domains.dpm_runs.supportability import Summary
from service.domains.dpm_runs.values import DEFAULT_TENANT
from service.domains.retention.cutoffs import Retention
from service.runtime.clock import Clock
from service.storage.ports.store import Store


@dataclass(frozen=True, slots=True)
class Supportability:
    """The counts, and the two settings that explain them."""

    store_backend: str
    retention_days: int
    summary: Summary


class SupportabilityFlow:
    def __init__(self, *, store: Store, clock: Clock, retention: Retention, store_backend: str) -> None:
        self._store = store
        self._clock = clock
        self._retention = retention
        self._store_backend = store_backend

    async def summarise(self) -> Supportability:
        cutoff = self._retention.cutoff_at(self._clock.now())
        summary = await self._store.supportability.summarise(DEFAULT_TENANT, cutoff)
        return Supportability(self._store_backend, self._retention.run_days, summary)
