"""Answers what the queue offers, for one session with the server after the other."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import asyncpg
import structlog

from service.errors.storage import PostgresUnavailable
from service.storage.ports.operations import HandleJob
from service.storage.postgres.addresses import writable
from service.storage.postgres.database import PooledConnection, PoolOptions
from service.storage.postgres.faults import FAULTS
from service.storage.postgres.jobs.engine import (
    ENTRYPOINT,
    FailingListenerError,
    Job,
    QueueExecutionMode,
    QueueManager,
    RetryRequested,
    manager_on,
    payload_of,
)

# One connection listens, the others take offers, answer them and say that the worker lives.
CONNECTIONS_MIN, CONNECTIONS_MAX = 2, 4
# Offers are told at once; this is how soon one is found whose telling was missed.
LOOK_SECONDS = 1.0
# After a handler broke, its offer is made again.
BROKEN_SECONDS = 1.0
PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.2, 2.0
CLOSE_SECONDS_MAX = 5.0

logger = structlog.get_logger()


class JobSessions:
    def __init__(self, dsn: str, options: PoolOptions, *, concurrency: int, lease_seconds: float) -> None:
        self.dsn = dsn
        self.options = options
        self.concurrency = concurrency
        self.lease_seconds = lease_seconds
        self.is_connected = False

    async def work(self, handle: HandleJob, *, stop: asyncio.Event, drain: bool) -> None:
        """Answer offers until `stop` is set or, with `drain`, none is left; a lost server is waited for."""
        pause = PAUSE_SECONDS
        while not stop.is_set():
            cause = "a connection ended"
            try:
                async with self.session() as (manager, lost):
                    pause = PAUSE_SECONDS
                    await self.run(manager, handle, stop, lost, drain)
                    if not lost.is_set():
                        return
            except (*FAULTS, FailingListenerError, PostgresUnavailable) as error:
                cause = repr(error.__cause__ or error)
            logger.warning("job_queue_disconnected", cause=cause)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), timeout=pause)
            pause = min(2 * pause, PAUSE_SECONDS_MAX)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[tuple[QueueManager, asyncio.Event]]:
        """The engine on connections of its own, and whether one of them was lost."""
        lost = asyncio.Event()

        def lose(_: Any) -> None:
            self.is_connected = False
            lost.set()

        async def watch(conn: Any) -> None:
            conn.add_termination_listener(lose)

        pool = asyncpg.create_pool(
            writable(self.dsn),
            min_size=CONNECTIONS_MIN,
            max_size=CONNECTIONS_MAX,
            # None is given up for its age, so that one that ends was lost.
            max_queries=sys.maxsize,
            max_inactive_connection_lifetime=0,
            connection_class=PooledConnection,
            timeout=self.options.acquire_seconds_max,
            command_timeout=self.options.statement_seconds_max,
            statement_cache_size=self.options.statement_cache_size,
            server_settings=self.options.server_settings,
            init=watch,
        )
        try:
            await pool
            manager = manager_on(pool)
            await require_tables(manager)
            self.is_connected = True
            yield manager, lost
        finally:
            self.is_connected = False
            with suppress(*FAULTS):
                await asyncio.wait_for(pool.close(), timeout=CLOSE_SECONDS_MAX)

    async def run(
        self,
        manager: QueueManager,
        handle: HandleJob,
        stop: asyncio.Event,
        lost: asyncio.Event,
        drain: bool,
    ) -> None:
        """Answer offers until `stop` or `lost` is set, then wait for the answers under way.

        Who cancels this does not wait for them: they are cancelled too, and their offers given back.
        """
        # The engine takes two at least.
        places = asyncio.Semaphore(self.concurrency)
        answering: set[asyncio.Task[Any]] = set()

        async def answer_in_turn(job: Job) -> None:
            task = asyncio.current_task()
            assert task is not None, "the engine runs each job in a task"
            answering.add(task)
            try:
                async with places:
                    await answer(job, handle, stop)
            except asyncio.CancelledError:
                # The engine would delete a cancelled job.
                raise RetryRequested() from None
            finally:
                answering.discard(task)

        manager.entrypoint(ENTRYPOINT, accepts_context=False)(answer_in_turn)
        watchers = [asyncio.create_task(shut_down(manager, event)) for event in (stop, lost)]
        running = asyncio.create_task(self.run_engine(manager, drain))
        try:
            await asyncio.wait({running})
            running.result()
        except asyncio.CancelledError:
            manager.shutdown.set()
            for task in answering:
                task.cancel()
            await asyncio.wait({running})
            raise
        finally:
            for watcher in watchers:
                watcher.cancel()

    async def run_engine(self, manager: QueueManager, drain: bool) -> None:
        await manager.run(
            dequeue_timeout=timedelta(seconds=LOOK_SECONDS),
            batch_size=1,
            mode=QueueExecutionMode.drain if drain else QueueExecutionMode.continuous,
            max_concurrent_tasks=max(2, self.concurrency),
            shutdown_on_listener_failure=True,
            heartbeat_timeout=timedelta(seconds=self.lease_seconds),
            # The engine's statistics are not read.
            log_aggregation_interval=timedelta(0),
        )


async def require_tables(manager: QueueManager) -> None:
    """Raises PostgresUnavailable where the migrations or the privileges of the worker are missing."""
    try:
        await manager.verify_structure()
    except RuntimeError as error:
        raise PostgresUnavailable() from error


async def shut_down(manager: QueueManager, when: asyncio.Event) -> None:
    await when.wait()
    manager.shutdown.set()


async def answer(job: Job, handle: HandleJob, stop: asyncio.Event) -> None:
    """Handle one offer. However that ends, the engine hears that it is done, or when to make it again."""
    if stop.is_set():
        raise RetryRequested()
    payload = payload_of(job)
    try:
        again_in = await handle(payload.tenant_id, payload.operation_id)
    except Exception:
        logger.exception("job_failed", operation_id=payload.operation_id)
        again_in = BROKEN_SECONDS
    if again_in is not None:
        raise RetryRequested(timedelta(seconds=again_in))
