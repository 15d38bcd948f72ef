"""Whether this process should be given work."""

from __future__ import annotations

from service.errors import Stopping, StoreBusy
from service.storage.port import Store


class HealthFlow:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._stopping = False

    def stop(self) -> None:
        """From now on the process is not ready, so that callers go elsewhere before it closes."""
        self._stopping = True

    async def check_ready(self) -> None:
        """Raises Stopping or StoreUnavailable; a store that others keep busy is there."""
        if self._stopping:
            raise Stopping()
        try:
            await self._store.check()
        except StoreBusy:
            # Whoever took work away from a busy process would leave it to the next one.
            return
