"""Retention as a job of its own: reads never remove anything (HTTP contract 7.5, D21)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from datetime import timedelta

import structlog

from service.clock import Clock, NewId
from service.domains.dpm_runs import DEFAULT_TENANT
from service.domains.parity import DIFFERENCES_KEPT_DAYS
from service.domains.purges import PURGED_AT_ONCE, Purge, Removed, total_of
from service.domains.retention import Retention
from service.errors import ServiceError
from service.measures import UNWATCHED, PurgeMeasures
from service.storage.port import Store

# Between two acts of removal, so that callers who wait for the disk or the writer come first.
PAUSE_SECONDS = 0.02

logger = structlog.get_logger()


class PurgeFlow:
    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        new_id: NewId,
        retention: Retention,
        simulations_kept_seconds: int,
        removed_at_once: int = PURGED_AT_ONCE,
        measures: PurgeMeasures = UNWATCHED,
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._retention = retention
        self._simulations_kept = timedelta(seconds=simulations_kept_seconds)
        self._removed_at_once = removed_at_once
        self._measures = measures

    async def run(self) -> Removed | None:
        """Removes all that has expired by now, act by act; None when another instance is at it.

        Raises StoreUnavailable; what earlier acts removed is removed and recorded.
        """
        horizon = self._retention.horizon_at(self._clock.now())
        done: list[Removed] = []
        while True:
            removed = await self._store.purges.remove(
                Purge(
                    self._new_id("purge"), DEFAULT_TENANT, self._clock.now(), horizon, self._removed_at_once
                )
            )
            if removed is None:
                return total_of(done) if done else None
            done.append(removed)
            if max(removed.runs, removed.operations) < self._removed_at_once:
                return total_of(done)
            await asyncio.sleep(PAUSE_SECONDS)

    async def forget_simulations(self) -> int:
        """Removes the simulations of proposals whose keys are no longer kept; gives how many.

        Raises StoreUnavailable.
        """
        count = 0
        while True:
            created_before = self._clock.now() - self._simulations_kept
            removed = await self._store.proposal_simulations.purge(
                DEFAULT_TENANT, created_before=created_before, limit=self._removed_at_once
            )
            count += removed
            if removed < self._removed_at_once:
                return count
            await asyncio.sleep(PAUSE_SECONDS)

    async def forget_differences(self) -> int:
        """Removes the differences of a shadow that are no longer looked into; gives how many.

        Raises StoreUnavailable.
        """
        count = 0
        while True:
            removed = await self._store.parity.purge(
                DEFAULT_TENANT,
                found_before=self._clock.now() - timedelta(days=DIFFERENCES_KEPT_DAYS),
                limit=self._removed_at_once,
            )
            count += removed
            if removed < self._removed_at_once:
                return count
            await asyncio.sleep(PAUSE_SECONDS)

    async def fold(self) -> None:
        """Keeps the summary quick. Raises StoreUnavailable."""
        await self._store.supportability.fold()

    async def run_every(self, seconds: int) -> None:
        """Purges and folds for as long as the process lives; a failure is told and tried again."""
        while True:
            await asyncio.sleep(seconds)
            started = time.perf_counter()
            try:
                await self.fold()
                removed = await self.run()
                simulations = await self.forget_simulations()
                await self.forget_differences()
            except ServiceError as error:
                logger.warning("purge_failed", code=error.code, cause=repr(error.__cause__))
                self._measures.purge_failed()
                continue
            except Exception:
                # A sweep that is broken must not take the server with it, nor be silent.
                logger.exception("purge_failed")
                self._measures.purge_failed()
                continue
            told = asdict(removed or Removed()) | {"simulations": simulations}
            self._measures.purged(told, time.perf_counter() - started)
            if removed is not None and removed.anything:
                logger.info("purged", runs=removed.runs, operations=removed.operations)
