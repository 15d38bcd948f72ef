"""What a worker does with an operation it is offered; an offer is only a wake-up call."""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

from service.domains.operations import Claim, OperationStatus
from service.domains.retention.cutoffs import KEEP_ALL
from service.errors.dpm_runs import ReplayEngineUnknown
from service.errors.operations import LeaseLost, OperationNotFound, OperationNotPending
from service.errors.storage import StoreRefused, StoreUnavailable
from service.flows.operations.attempts import AttemptRunner
from service.runtime.clock import Clock
from service.storage.ports.store import Store

# When an offer is made again: at once, while another may still be at it, when only another build can do it.
AT_ONCE = 0.0
SOON_SECONDS = 0.5
ELSEWHERE_SECONDS = 5.0

logger = structlog.get_logger()


class Metrics(Protocol):
    """What is counted of attempts; seconds are those of a clock."""

    def started(self, waited_seconds: float, attempt: int) -> None:
        """An attempt began, that long after the operation was accepted."""
        ...

    def ended(self, outcome: str, seconds: float) -> None:
        """An attempt ended: SUCCEEDED, FAILED, RELEASED, LOST or ABORTED."""
        ...


class JobHandler:
    def __init__(self, *, store: Store, clock: Clock, runner: AttemptRunner, metrics: Metrics) -> None:
        self._store = store
        self._clock = clock
        self._runner = runner
        self._metrics = metrics
        self._running: set[asyncio.Task[OperationStatus]] = set()
        self._abandoned = False

    @property
    def in_flight(self) -> int:
        return len(self._running)

    async def handle(self, tenant_id: str, operation_id: str) -> float | None:
        """Does an offered operation, unless somebody else does or it has ended.

        Gives None when it has ended, else the seconds after which it is to be offered again. What the store
        refuses to claim is not offered again at once: the sweep offers it, and ends it in its time.
        """
        if self._abandoned:
            return AT_ONCE
        try:
            claim = await self._runner.begin(tenant_id, operation_id)
        except OperationNotFound:
            return None
        except OperationNotPending:
            return await self._again(tenant_id, operation_id)
        except StoreUnavailable:
            return SOON_SECONDS
        except StoreRefused as error:
            logger.error("operation_refused", operation_id=operation_id, sqlstate=error.sqlstate)
            return None
        return await self._attempt(claim)

    async def abandon(self) -> None:
        """Hands back what is running, and takes on nothing more."""
        self._abandoned = True
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _attempt(self, claim: Claim) -> float | None:
        operation = claim.operation
        started = self._clock.now()
        waited = (operation.started_at or started) - operation.created_at
        self._metrics.started(waited.total_seconds(), operation.attempt)
        # A task of its own, so that cancelling it hands the operation back and leaves the queue alone.
        task = asyncio.create_task(self._runner.run(claim))
        self._running.add(task)
        outcome: str = "ABORTED"
        again: float | None = SOON_SECONDS
        try:
            await asyncio.wait({task})
            outcome, again = await self._evaluate_rules(task, operation.tenant_id, operation.operation_id)
        finally:
            self._running.discard(task)
            task.cancel()
            self._metrics.ended(outcome, (self._clock.now() - started).total_seconds())
        return again

    async def _evaluate_rules(
        self, task: asyncio.Task[OperationStatus], tenant_id: str, operation_id: str
    ) -> tuple[str, float | None]:
        """How an attempt ended, and when its operation is to be offered again."""
        if task.cancelled():
            return "RELEASED", AT_ONCE
        error = task.exception()
        match error:
            case None:
                return task.result().value, None
            case LeaseLost():
                return "LEASE_LOST", await self._again(tenant_id, operation_id)
            case ReplayEngineUnknown():
                return "RELEASED", ELSEWHERE_SECONDS
            case StoreUnavailable():
                return "ABORTED", SOON_SECONDS
            case StoreRefused():
                # Not even its failure could be written; its lease ends, and so does its number of attempts.
                logger.error("operation_refused", operation_id=operation_id, sqlstate=error.sqlstate)
                return "ABORTED", None
        raise error

    async def _again(self, tenant_id: str, operation_id: str) -> float | None:
        try:
            operation = await self._store.operations.get(tenant_id, operation_id, KEEP_ALL)
        except OperationNotFound:
            return None
        except StoreUnavailable:
            return SOON_SECONDS
        if operation.has_ended:
            return None
        return AT_ONCE if operation.status is OperationStatus.PENDING else SOON_SECONDS
