"""Looks now and then at what a store holds of operations, for those who watch: never when somebody looks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

import structlog

from service.domains.dpm_runs.supportability import Subject
from service.domains.dpm_runs.values import DEFAULT_TENANT
from service.domains.operations import OperationStatus, OperationType
from service.domains.retention.cutoffs import Retention
from service.errors.storage import StoreUnavailable
from service.runtime.clock import Clock
from service.storage.ports.store import Store

# Figures are as old as this at most; each look is two short reads.
LOOK_SECONDS = 10.0

UNFINISHED = (OperationStatus.PENDING, OperationStatus.RUNNING)

logger = structlog.get_logger()


class OperationMetrics(Protocol):
    def operations_kept(self, store: str, by_status: Mapping[str, int]) -> None: ...

    def operations_unfinished(
        self, store: str, operation_type: str, status: str, *, count: int, oldest_seconds: float
    ) -> None: ...

    def store_answered(self, store: str) -> None: ...

    def store_silent(self, store: str) -> None: ...


class OperationGauges:
    def __init__(
        self, *, name: str, store: Store, clock: Clock, retention: Retention, measures: OperationMetrics
    ) -> None:
        self._name = name
        self._store = store
        self._clock = clock
        self._retention = retention
        self._measures = measures

    async def look(self) -> None:
        """Tells how many operations there are in each state, and how old the oldest unfinished are.

        Raises StoreUnavailable.
        """
        now = self._clock.now()
        supportability = self._store.supportability
        summary = await supportability.summarise(DEFAULT_TENANT, self._retention.cutoff_at(now))
        self._measures.operations_kept(self._name, summary.counts[Subject.OPERATION_STATUS])
        unfinished = {
            (one.operation_type, one.status): one
            for one in await supportability.list_unfinished(DEFAULT_TENANT)
        }
        for operation_type in OperationType:
            for status in UNFINISHED:
                found = unfinished.get((operation_type, status))
                self._measures.operations_unfinished(
                    self._name,
                    operation_type.value,
                    status.value,
                    count=found.count if found else 0,
                    oldest_seconds=(now - found.oldest).total_seconds() if found else 0.0,
                )
        self._measures.store_answered(self._name)

    async def run_every(self, seconds: float = LOOK_SECONDS) -> None:
        """Looks for as long as the process lives; a store that is away is told as such."""
        while True:
            try:
                await self.look()
            except StoreUnavailable:
                self._measures.store_silent(self._name)
            except Exception:
                # A figure that cannot be had is no reason to stop serving, nor to be silent.
                self._measures.store_silent(self._name)
                logger.exception("metrics_poll_failed")
            await asyncio.sleep(seconds)
