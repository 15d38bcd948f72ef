"""Works on what is offered until told to stop; then finishes it, or hands it back, within a deadline."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from service.domains.callers import Caller
from service.errors.storage import PostgresUnavailable, StoreUnavailable
from service.flows.health import HealthFlow
from service.flows.operations.dispatch import JobHandler
from service.flows.operations.recovery import Reaper
from service.observability.worker_metrics import WorkerMetrics

# How long the queue may take to come back once nothing runs any more.
LEAVE_SECONDS_MAX = 3.0

logger = structlog.get_logger()


class Jobs(Protocol):
    """What the loop needs of a queue; the port of storage says what each does."""

    @property
    def is_connected(self) -> bool: ...

    async def work(
        self,
        handle: Callable[[str, str], Awaitable[float | None]],
        *,
        stop: asyncio.Event,
        drain: bool,
    ) -> None: ...

    async def count_waiting(self) -> int: ...


class Worker:
    def __init__(
        self,
        *,
        health: HealthFlow,
        handler: JobHandler,
        reaper: Reaper,
        queue: Jobs,
        metrics: WorkerMetrics,
        recovery_seconds: float,
        stop_seconds_max: float,
    ) -> None:
        self._health = health
        self._handler = handler
        self._reaper = reaper
        self._queue = queue
        self._metrics = metrics
        self._recovery_seconds = recovery_seconds
        self._stop_seconds_max = stop_seconds_max
        metrics.watch_in_flight(lambda: handler.in_flight)

    async def check_ready(self) -> None:
        """Raises Stopping, and StoreUnavailable while offers could not be taken or not be worked on."""
        await self._health.check_ready()
        if not self._queue.is_connected:
            raise PostgresUnavailable()

    async def run(self, stop: asyncio.Event, hurry: asyncio.Event) -> None:
        """Works until `stop` is set, and then for as long as what was begun takes, up to the deadline.

        What is not finished by then, or when `hurry` is set, is handed back for others to go on with.
        """
        beside = (
            asyncio.create_task(self._reaper.run_every(Caller.local(), self._recovery_seconds)),
            asyncio.create_task(self._watch()),
            asyncio.create_task(self._metrics.process.sample_loop()),
        )
        try:
            await self._work(stop, hurry, drain=False)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def drain(self, stop: asyncio.Event, hurry: asyncio.Event) -> None:
        """Sweeps once, and works until no offer is left; `stop` and `hurry` end it sooner, as in `run`.

        Raises StoreUnavailable.
        """
        await self._reaper.run_once(Caller.local())
        await self._work(stop, hurry, drain=True)

    async def _work(self, stop: asyncio.Event, hurry: asyncio.Event, *, drain: bool) -> None:
        work = asyncio.create_task(self._queue.work(self._handler.handle, stop=stop, drain=drain))
        try:
            await first_of(work, stop)
            if not work.done():
                await self._wind_up(work, hurry)
        finally:
            work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        assert drain or stop.is_set(), "a queue comes back only when it is told to"

    async def _wind_up(self, work: asyncio.Task[None], hurry: asyncio.Event) -> None:
        logger.info("stopping", operations=self._handler.in_flight)
        self._health.stop()
        await first_of(work, hurry, seconds_max=self._stop_seconds_max)
        if work.done():
            return
        await self._handler.abandon()
        _, late = await asyncio.wait({work}, timeout=LEAVE_SECONDS_MAX)
        if late:
            # Its last answers are lost, so that these offers are made again, and found to be settled.
            logger.warning("queue_left")

    async def _watch(self) -> None:
        while True:
            try:
                self._metrics.waiting(await self._queue.count_waiting())
            except StoreUnavailable:
                self._metrics.waiting(None)
            except Exception:
                # A figure that cannot be had is no reason to stop working, nor to be silent.
                self._metrics.waiting(None)
                logger.exception("metrics_poll_failed")
            await asyncio.sleep(self._recovery_seconds)


async def first_of(work: asyncio.Task[None], event: asyncio.Event, seconds_max: float | None = None) -> None:
    """Waits until a task has ended, an event has been set, or the time is up."""
    happened = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({work, happened}, timeout=seconds_max, return_when=asyncio.FIRST_COMPLETED)
    finally:
        happened.cancel()
