"""Puts a worker together: settings in, what works on offers out."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from aiohttp import web

from service.errors.storage import PostgresDsnRequired
from service.flows.health import HealthFlow
from service.flows.operations.dispatch import JobHandler
from service.observability.worker_metrics import WorkerMetrics
from service.runtime.clock import SystemClock, TimeOrderedIds
from service.runtime.process_pool import EngineProcesses
from service.settings.process import Settings
from service.storage.ports.store import Store
from service.storage.postgres.database import PoolOptions
from service.storage.postgres.jobs.queue import PostgresJobQueue
from service.storage.postgres.store import PostgresStore
from service.web.middleware.problem_details import refusals
from service.wiring import flows, readers, stores
from service.wiring.engines import engine_processes_of
from service.wiring.instrumentation import Instrumentation
from service.worker import app
from service.worker.loop import Worker

APPLICATION_NAME = "lotus-manage worker"


@dataclass(frozen=True, slots=True)
class Working:
    """What a worker holds while it works."""

    app: web.Application
    worker: Worker
    store: Store
    processes: EngineProcesses

    async def warm_up(self) -> None:
        """Has every engine process import what it needs before an operation waits for it."""
        await self.processes.warm_up()


@contextlib.asynccontextmanager
async def assemble_worker(settings: Settings) -> AsyncIterator[Working]:
    """Opens the store, the queue and the engine processes, and closes them; the database may be away.

    Raises PostgresDsnRequired.
    """
    clock = SystemClock()
    async with contextlib.AsyncExitStack() as opened:
        metrics = WorkerMetrics()
        watchers = Instrumentation(metrics.process)
        processes = engine_processes_of(settings, readers.LENIENT_READERS, metrics.process)
        opened.push_async_callback(processes.close)
        watched: Store = watchers.store(await open_store(settings), "runs")
        store = stores.shadow_of(settings, watched, clock, TimeOrderedIds()) or watched
        opened.push_async_callback(store.close)
        queue = await open_queue(settings)
        opened.push_async_callback(queue.close)
        offload = watchers.offload(processes)
        worker = Worker(
            health=HealthFlow(store),
            handler=JobHandler(
                store=store,
                clock=clock,
                runner=flows.runner_of(
                    settings, store, flows.runtime_of(settings, clock, TimeOrderedIds(), offload)
                ),
                metrics=metrics,
            ),
            reaper=flows.reapers_of(settings, store, clock, queue, metrics.process),
            queue=queue,
            metrics=metrics,
            recovery_seconds=settings.recovery_seconds,
            stop_seconds_max=settings.stop_seconds_max,
        )
        # Both edges refuse in the same words.
        application = app.build(worker=worker, metrics=metrics, middlewares=[refusals])
        yield Working(application, worker, store, processes)


async def open_store(settings: Settings) -> PostgresStore:
    """The direct address serves where no other is given. Raises PostgresDsnRequired."""
    dsn = settings.postgres_dsn or settings.postgres_direct_dsn
    if not dsn:
        # A server without an address answers that it has none; a worker has nothing to do.
        raise PostgresDsnRequired()
    options = replace(stores.pool_options_of(settings), application_name=APPLICATION_NAME)
    return await PostgresStore.open(dsn, options=options)


async def open_queue(settings: Settings) -> PostgresJobQueue:
    """The queue listens, and a pooler hands every transaction to another session; so it goes past it."""
    return await PostgresJobQueue.open(
        settings.postgres_direct_dsn,
        concurrency=settings.worker_concurrency,
        lease_seconds=settings.lease_seconds,
        options=PoolOptions(application_name=APPLICATION_NAME),
    )
