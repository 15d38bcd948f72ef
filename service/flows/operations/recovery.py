"""Ends or requeues every accepted operation whose process died (D16, D18)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from service.domains.callers import Caller
from service.domains.operations import overdue_after
from service.domains.retention.cutoffs import Retention
from service.errors.families import ServiceError
from service.observability.instruments import NOOP_METRICS, RecoveryMetrics
from service.runtime.clock import Clock
from service.storage.ports.operations import JobQueue
from service.storage.ports.store import Store

# Operations moved in one act, so that no act takes long; the next sweep does the rest.
SWEPT_AT_ONCE = 100
# An offer that is younger than so many leases may just not be visible yet.
LEASES_BEFORE_REFILL = 2
# A worker that takes an offer begins the operation at once; if it has not by then, it will not.
SILENCE_PER_LEASE = 4

logger = structlog.get_logger()


class Reaper:
    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        retention: Retention,
        attempts_max: int,
        operation_seconds_max: int,
        queue: JobQueue | None,
        lease_seconds: float,
        measures: RecoveryMetrics = NOOP_METRICS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._retention = retention
        self._attempts_max = attempts_max
        self._operation_seconds_max = operation_seconds_max
        self._queue = queue
        self._lease_seconds = lease_seconds
        self._measures = measures

    async def run_once(self, caller: Caller) -> None:
        """Requeues what has no holder, ends what is over its time, offers what was forgotten.

        Raises StoreUnavailable.
        """
        now = self._clock.now()
        # First, so that an operation that the store does not let be requeued ends by its deadline.
        seconds_max = self._operation_seconds_max
        overdue = await self._store.operations.fail_overdue(
            caller.tenant_id,
            started_before=now - timedelta(seconds=seconds_max),
            now=now,
            error=overdue_after(seconds_max),
            limit=SWEPT_AT_ONCE,
        )
        for operation_id in overdue:
            logger.error("operation_deadline_exceeded", operation_id=operation_id, seconds_max=seconds_max)
        reaped = await self._store.operations.reap(
            caller.tenant_id, now=now, attempts_max=self._attempts_max, limit=SWEPT_AT_ONCE
        )
        for operation_id in reaped.requeued:
            logger.warning("operation_requeued", operation_id=operation_id)
        for operation_id in reaped.exhausted:
            logger.error("operation_attempts_exhausted", operation_id=operation_id)
        expired = await self._store.operations.expire(
            caller.tenant_id,
            created_before=self._retention.cutoff_at(now).operations_since,
            now=now,
            limit=SWEPT_AT_ONCE,
        )
        for operation_id in expired:
            logger.info("operation_expired", operation_id=operation_id)
        self._measures.recovered(
            requeued=len(reaped.requeued),
            exhausted=len(reaped.exhausted),
            expired=len(expired),
            overdue=len(overdue),
        )
        if self._queue is not None:
            settled = now - timedelta(seconds=LEASES_BEFORE_REFILL * self._lease_seconds)
            refilled = await self._queue.refill(
                caller.tenant_id,
                created_before=settled,
                silent_seconds=self._lease_seconds / SILENCE_PER_LEASE,
                limit=SWEPT_AT_ONCE,
            )
            if refilled:
                logger.warning("jobs_reenqueued", count=refilled)

    async def run_every(self, caller: Caller, seconds: float) -> None:
        """Sweeps for as long as the process lives; a failure is told and tried again."""
        while True:
            try:
                await self.run_once(caller)
            except ServiceError as error:
                logger.warning("recovery_failed", code=error.code, cause=repr(error.__cause__))
            except Exception:
                # A sweep that is broken must not take the process with it, nor be silent.
                logger.exception("recovery_failed")
            await asyncio.sleep(seconds)
