"""A worker whose queue and operations are in the hands of the test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from service.domains.callers import Caller
from service.errors.storage import StoreUnavailable
from service.flows.health import HealthFlow
from service.observability.worker_metrics import WorkerMetrics
from service.storage.memory.store import MemoryStore
from service.worker.loop import Worker
from tests.waiting import HANG_SECONDS

RECOVERY_SECONDS = 0.01


class Queue:
    """Offers one operation, unless it is empty, and comes back when it is told to and nothing runs."""

    def __init__(self) -> None:
        self.is_connected = True
        self.is_empty = False
        self.is_stuck = False
        self.waiting: int | Exception = 3
        self.error: Exception | None = None
        self.drained: list[bool] = []

    async def work(
        self,
        handle: Callable[[str, str], Awaitable[float | None]],
        *,
        stop: asyncio.Event,
        drain: bool,
    ) -> None:
        self.drained.append(drain)
        if self.error is not None:
            raise self.error
        if not self.is_empty:
            await handle("default", "dop_1")
        if not drain:
            await stop.wait()
        if self.is_stuck:
            await asyncio.Event().wait()

    async def count_waiting(self) -> int:
        if isinstance(self.waiting, Exception):
            raise self.waiting
        return self.waiting


class Handler:
    """An operation that is done when the test says so, or handed back."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.begun = asyncio.Event()
        self.done = asyncio.Event()
        self.abandoned = False

    async def handle(self, tenant_id: str, operation_id: str) -> float | None:
        self.in_flight += 1
        self.begun.set()
        await self.done.wait()
        self.in_flight -= 1
        return 0.0 if self.abandoned else None

    async def abandon(self) -> None:
        self.abandoned = True
        self.done.set()


class Reaper:
    def __init__(self) -> None:
        self.count = 0
        self.error: Exception | None = None

    async def run_once(self, caller: Caller) -> None:
        if self.error is not None:
            raise self.error
        self.count += 1

    async def run_every(self, caller: Caller, seconds: float) -> None:
        while True:
            self.count += 1
            await asyncio.sleep(seconds)


class Store(MemoryStore):
    is_away = False

    async def check_writable(self) -> None:
        if self.is_away:
            raise StoreUnavailable()


class Bench:
    """A worker with everything around it."""

    def __init__(self, stop_seconds_max: float = 30.0) -> None:
        self.queue, self.handler, self.reaper, self.store = Queue(), Handler(), Reaper(), Store()
        self.metrics = WorkerMetrics()
        self.stop, self.hurry = asyncio.Event(), asyncio.Event()
        self.worker = Worker(
            health=HealthFlow(self.store),
            handler=self.handler,  # type: ignore[arg-type]
            reaper=self.reaper,  # type: ignore[arg-type]
            queue=self.queue,
            metrics=self.metrics,
            recovery_seconds=RECOVERY_SECONDS,
            stop_seconds_max=stop_seconds_max,
        )

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[asyncio.Task[None]]:
        """The worker runs until the block ends, at the latest; the operation has been begun."""
        running = asyncio.create_task(self.worker.run(self.stop, self.hurry))
        try:
            await asyncio.wait_for(self.handler.begun.wait(), HANG_SECONDS)
            yield running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def figure(self, name: str) -> float:
        lines = self.metrics.render().decode().splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} "))


@pytest.fixture
def bench() -> Bench:
    return Bench()
