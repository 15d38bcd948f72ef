"""Look up what an idempotency key stands for."""

from __future__ import annotations

from service.domains.dpm_runs import DEFAULT_TENANT
from service.domains.idempotency import KeyFamily, KeyMapping
from service.errors import IdempotencyKeyNotFound
from service.storage.port import Store


class IdempotencyFlow:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def get_simulation_key(self, idempotency_key: str) -> KeyMapping:
        """The run that a simulate key stands for now. Raises IdempotencyKeyNotFound."""
        held = await self._store.idempotency.find(DEFAULT_TENANT, KeyFamily.DPM_SIMULATE, idempotency_key)
        if held is None:
            raise IdempotencyKeyNotFound()
        return held
