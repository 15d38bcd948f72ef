"""What the store holds, counted for operations (HTTP contract 7.6)."""

from __future__ import annotations

from dataclasses import dataclass

from service.domains.callers import Caller
from service.domains.dpm_runs.supportability import Summary
from service.flows.runtime import Runtime
from service.storage.ports.store import Store


@dataclass(frozen=True, slots=True)
class Supportability:
    """The counts, and the two settings that explain them."""

    store_backend: str
    retention_days: int
    summary: Summary


class SupportabilityFlow:
    def __init__(self, *, store: Store, runtime: Runtime, store_backend: str) -> None:
        self._store = store
        self._clock = runtime.clock
        self._retention = runtime.retention
        self._store_backend = store_backend

    async def summarise(self, caller: Caller) -> Supportability:
        cutoff = self._retention.cutoff_at(self._clock.now())
        summary = await self._store.supportability.summarise(caller.tenant_id, cutoff)
        return Supportability(self._store_backend, self._retention.run_days, summary)
