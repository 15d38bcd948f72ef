"""Retention as a job of its own: reads never remove anything (HTTP contract 7.5, D21)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

import structlog

from service.domains.callers import Caller
from service.domains.retention.cutoffs import Retention, RetentionCutoff
from service.domains.retention.deletions import DELETED_AT_ONCE, DeletedRows, DeletionBatch, Purged, total_of
from service.domains.shadow_differences import DIFFERENCES_KEPT_DAYS
from service.errors.families import ServiceError
from service.errors.storage import StoreRefused
from service.observability.instruments import NOOP_METRICS, RetentionMetrics
from service.runtime.clock import Clock, NewId
from service.storage.ports.store import Store

# Between two acts of removal, so that callers who wait for the disk or the writer come first.
PAUSE_SECONDS = 0.02

# More refusals than these in one round are no single rows, and what is the matter concerns all.
REFUSED_MAX = 100

T = TypeVar("T")

logger = structlog.get_logger()


@dataclass(slots=True)
class Skipped:
    """How many of the oldest runs and operations a round leaves where they are; `lately`, in its last act."""

    runs: int = 0
    operations: int = 0
    lately: int = 0

    def skip(self, kind: str, refusal: StoreRefused) -> None:
        """Leaves one more; raises the refusal when there are too many."""
        if self.runs + self.operations >= REFUSED_MAX:
            raise refusal
        setattr(self, kind, getattr(self, kind) + 1)
        self.lately += 1
        logger.error("purge_skipped", kind=kind, sqlstate=refusal.sqlstate)


class RetentionFlow:
    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        new_id: NewId,
        retention: Retention,
        simulations_kept_seconds: int,
        removed_at_once: int = DELETED_AT_ONCE,
        measures: RetentionMetrics = NOOP_METRICS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._retention = retention
        self._simulations_kept = timedelta(seconds=simulations_kept_seconds)
        self._removed_at_once = removed_at_once
        self._measures = measures

    async def run_all(self, caller: Caller) -> Purged:
        """One round of retention, the same from the command line and from the timer of a server.

        Raises StoreUnavailable; what was removed by then is removed and recorded. What the store refuses in
        one part keeps no other part from being done; the refusal is raised at the end.
        """
        refusals: list[StoreRefused] = []

        async def part(work: Awaitable[T]) -> T | None:
            try:
                return await work
            except StoreRefused as refusal:
                refusals.append(refusal)
                return None

        await part(self.compact(caller))
        removed = await part(self.run(caller))
        simulations = await part(self.forget_simulations(caller))
        differences = await part(self.forget_differences(caller))
        if refusals:
            raise refusals[0]
        return Purged(removed, simulations or 0, differences or 0)

    async def run(self, caller: Caller) -> DeletedRows | None:
        """Removes all that has expired by now, act by act; None when another instance is at it.

        What the store refuses to remove stays and is told once; everything else is removed. Raises
        StoreUnavailable; what earlier acts removed is removed and recorded. Raises StoreRefused when more is
        refused than one row here and there.
        """
        cutoff = self._retention.cutoff_at(self._clock.now())
        done: list[DeletedRows] = []
        skipped = Skipped()
        while True:
            try:
                removed = await self._remove(caller, cutoff, skipped)
            except StoreRefused:
                removed = await self._remove_one_by_one(caller, cutoff, skipped)
            if removed is None:
                return total_of(done) if done else None
            done.append(removed)
            if max(removed.runs, removed.operations) + skipped.lately < self._removed_at_once:
                return total_of(done)
            skipped.lately = 0
            await asyncio.sleep(PAUSE_SECONDS)

    async def _remove(
        self, caller: Caller, cutoff: RetentionCutoff, skipped: Skipped, **chosen: Any
    ) -> DeletedRows | None:
        purge = DeletionBatch(
            self._new_id("purge"),
            caller.tenant_id,
            self._clock.now(),
            cutoff,
            self._removed_at_once,
            runs_skipped=skipped.runs,
            operations_skipped=skipped.operations,
        )
        return await self._store.retention.remove(replace(purge, **chosen))

    async def _remove_one_by_one(
        self, caller: Caller, cutoff: RetentionCutoff, skipped: Skipped
    ) -> DeletedRows | None:
        """As much as one act would have removed, except what the store refuses."""
        done: list[DeletedRows] = []
        for kind, other in (("runs", "operations"), ("operations", "runs")):
            for _ in range(self._removed_at_once):
                try:
                    removed = await self._remove(caller, cutoff, skipped, limit=1, **{f"has_{other}": False})
                except StoreRefused as refusal:
                    skipped.skip(kind, refusal)
                    continue
                if removed is None:
                    return total_of(done) if done else None
                if not removed.anything:
                    break
                done.append(removed)
        return total_of(done)

    async def forget_simulations(self, caller: Caller) -> int:
        """Removes the simulations of proposals whose keys are no longer kept; gives how many.

        Raises StoreUnavailable.
        """
        count = 0
        while True:
            created_before = self._clock.now() - self._simulations_kept
            removed = await self._store.proposal_simulations.purge(
                caller.tenant_id, created_before=created_before, limit=self._removed_at_once
            )
            count += removed
            if removed < self._removed_at_once:
                return count
            await asyncio.sleep(PAUSE_SECONDS)

    async def forget_differences(self, caller: Caller) -> int:
        """Removes the differences of a shadow that are no longer looked into; gives how many.

        Raises StoreUnavailable.
        """
        count = 0
        while True:
            removed = await self._store.shadow_differences.purge(
                caller.tenant_id,
                found_before=self._clock.now() - timedelta(days=DIFFERENCES_KEPT_DAYS),
                limit=self._removed_at_once,
            )
            count += removed
            if removed < self._removed_at_once:
                return count
            await asyncio.sleep(PAUSE_SECONDS)

    async def compact(self, caller: Caller) -> None:
        """Keeps the summary quick. Raises StoreUnavailable."""
        await self._store.supportability.compact()

    async def run_every(self, caller: Caller, seconds: int) -> None:
        """A round every so many seconds while the process lives; a failure is told and tried again."""
        while True:
            await asyncio.sleep(seconds)
            started = time.perf_counter()
            try:
                purged = await self.run_all(caller)
            except StoreRefused as error:
                # It would be refused again at once; the next round is hours away, and says so again.
                logger.error("purge_refused", sqlstate=error.sqlstate, cause=repr(error.__cause__))
                self._measures.purge_failed()
                continue
            except ServiceError as error:
                logger.warning("purge_failed", code=error.code, cause=repr(error.__cause__))
                self._measures.purge_failed()
                continue
            except Exception:
                # A sweep that is broken must not take the server with it, nor be silent.
                logger.exception("purge_failed")
                self._measures.purge_failed()
                continue
            removed = purged.removed or DeletedRows()
            told = asdict(removed) | {"simulations": purged.simulations, "differences": purged.differences}
            self._measures.purged(told, time.perf_counter() - started)
            if removed.anything:
                logger.info("purged", runs=removed.runs, operations=removed.operations)
