"""Whether this process should be given work."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from service.errors.families import Unavailable
from service.errors.requests import ShuttingDown
from service.errors.storage import (
    StoreBusy,
    StoreDamaged,
    StoreDiskFailed,
    StoreDiskFull,
    StoreExhausted,
    StoreInRecovery,
    StoreLocked,
    StoreReadOnly,
    StoreRefused,
    StoreSchemaMismatch,
    StoreUnavailable,
)
from service.errors.storage_causes import StoreCause
from service.storage.ports.store import Store

# A probe waits no longer for a store that does not answer.
CHECK_SECONDS_MAX = 2.0

# What readiness tells of a store that is there and takes no writes; one that is away has its own code.
NOT_READY: Mapping[StoreCause, type[Unavailable]] = {
    StoreCause.LOCKED: StoreLocked,
    StoreCause.READ_ONLY: StoreReadOnly,
    StoreCause.IN_RECOVERY: StoreInRecovery,
    StoreCause.DISK_FULL: StoreDiskFull,
    StoreCause.DISK_FAILED: StoreDiskFailed,
    StoreCause.EXHAUSTED: StoreExhausted,
    StoreCause.DAMAGED: StoreDamaged,
    StoreCause.SCHEMA_MISMATCH: StoreSchemaMismatch,
}


class HealthFlow:
    def __init__(self, store: Store, *, seconds_max: float = CHECK_SECONDS_MAX) -> None:
        self._store = store
        self._seconds_max = seconds_max
        self._stopping = False
        self._checking: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """From now on the process is not ready, so that callers go elsewhere before it closes."""
        self._stopping = True

    async def check_ready(self) -> None:
        """Raises Stopping, or Unavailable by its cause, unless a write would succeed within two seconds.

        A store that others keep busy is ready. Callers who come together share one look at the store.
        """
        if self._stopping:
            raise ShuttingDown()
        if self._checking is None:
            self._checking = asyncio.create_task(self._check())
            self._checking.add_done_callback(self._checked)
        try:
            await asyncio.shield(self._checking)
        except StoreBusy:
            # To take work away from a busy process would give it to the next one.
            return
        except StoreRefused as error:
            # A table or a right that this build needs is not there.
            raise StoreSchemaMismatch() from error
        except StoreUnavailable as error:
            kind = NOT_READY.get(error.cause)
            if kind is None:
                raise
            raise kind() from error.__cause__ or error

    async def _check(self) -> None:
        try:
            async with asyncio.timeout(self._seconds_max):
                await self._store.check_writable()
        except TimeoutError as late:
            raise StoreUnavailable() from late

    def _checked(self, checking: asyncio.Task[None]) -> None:
        self._checking = None
        if not checking.cancelled():
            # The caller of the check may have left; then the error is read here.
            checking.exception()
