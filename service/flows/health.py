"""Whether this process should be given work."""

from __future__ import annotations

from service.errors import Stopping
from service.storage.port import Store


class HealthFlow:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._stopping = False

    def stop(self) -> None:
        """From now on the process is not ready, so that callers go elsewhere before it closes."""
        self._stopping = True

    async def check_ready(self) -> None:
        """Raises Stopping or StoreUnavailable."""
        if self._stopping:
            raise Stopping()
        await self._store.check()
