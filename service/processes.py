"""Runs long computations in processes of their own, so that the event loop stays free.

A thread would not do: the engines hold the interpreter lock, and a health probe would wait for them.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import Protocol, TypeVar, TypeVarTuple, Unpack

from service.measures import EngineMeasures, Spans

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# How long work that has begun may go on after the rest of the service has stopped.
CLOSE_SECONDS_MAX = 5.0
# How many new objects call for a look at the young ones; 700 by default.
YOUNG_OBJECTS_MAX = 20_000


class EngineProcessDied(Exception):
    """The work ended the process it ran in, and ended another one that it had for itself."""


class Offload(Protocol):
    async def __call__(self, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        """Runs a module-level function elsewhere; its refusals are raised here."""
        ...


class WatchedOffload:
    """Tells how long work takes, whether it is done elsewhere or on the loop."""

    def __init__(self, offload: Offload, measures: EngineMeasures, spans: Spans | None = None) -> None:
        self._offload = offload
        self._measures = measures
        self._spans = spans

    async def __call__(self, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        started = time.perf_counter()
        try:
            if self._spans is None:
                return await self._offload(work, *args)
            with self._spans.child(f"engine {work.__name__}"):
                return await self._offload(work, *args)
        finally:
            self._measures.engine_worked(work.__name__, "process", time.perf_counter() - started)

    def here(self, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        started = time.perf_counter()
        try:
            if self._spans is None:
                return work(*args)
            with self._spans.child(f"engine {work.__name__}"):
                return work(*args)
        finally:
            self._measures.engine_worked(work.__name__, "loop", time.perf_counter() - started)


def run_here(offload: Offload, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
    """Does work that is not worth a process, where whoever watches the offload sees it too."""
    return offload.here(work, *args) if isinstance(offload, WatchedOffload) else work(*args)


class EngineProcesses:
    """A pool of spawned workers that is replaced when one of them dies.

    Nobody can say which of the pieces of work under way killed it. So each of them is done again alone, in a
    process that does nothing else: only the guilty one dies a second time. The work must be pure: it may run
    twice.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool = self._start(count)
        # Only what a pool can take in goes there, so that what waits is not there to die with it.
        self._places = asyncio.Semaphore(count + 1)
        self._isolated: ProcessPoolExecutor | None = None
        self._isolation = asyncio.Lock()
        self._closed = False

    async def __call__(self, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        """Raises what the work raises, and EngineProcessDied when it kills a process that is all its own."""
        await self._places.acquire()
        try:
            pool, under_way = self._submit(work, *args)
        except BaseException:
            self._places.release()
            raise
        # The place is taken for as long as the work goes on, even if its caller no longer waits.
        under_way.add_done_callback(lambda _: self._places.release())
        try:
            return await asyncio.shield(under_way)
        except BrokenProcessPool:
            self._require_open()
            self._replace(pool)
        return await self._alone(work, *args)

    async def warm_up(self, work: Callable[[Unpack[Ts]], object], *args: *Ts) -> None:
        """Starts the workers and runs something in each, before somebody waits for it."""
        await asyncio.gather(*(self(work, *args) for _ in range(self._count)))

    async def close(self, seconds_max: float = CLOSE_SECONDS_MAX) -> None:
        """Lets what has begun come to its end; what takes longer than `seconds_max` ends with its process.

        Callers who still wait then are cancelled: nothing is wrong with their work.
        """
        self._closed = True
        pools = [pool for pool in (self._pool, self._isolated) if pool is not None]
        processes = [process for pool in pools for process in processes_of(pool)]
        ending = [
            asyncio.create_task(asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True))
            for pool in pools
        ]
        _, late = await asyncio.wait(ending, timeout=seconds_max)
        if late:
            kill(processes)
        await asyncio.gather(*ending)

    def _submit(
        self, work: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> tuple[ProcessPoolExecutor, asyncio.Future[T]]:
        self._require_open()
        pool = self._pool
        try:
            return pool, asyncio.wrap_future(pool.submit(work, *args))
        except BrokenProcessPool:
            # Somebody else's work did that, and nobody has noticed yet; a pool just started takes anything.
            self._replace(pool)
            return self._pool, asyncio.wrap_future(self._pool.submit(work, *args))

    def _require_open(self) -> None:
        if self._closed:
            raise asyncio.CancelledError("the engine processes are closed")

    def _replace(self, broken: ProcessPoolExecutor) -> None:
        if self._pool is broken:
            broken.shutdown(wait=False)
            self._pool = self._start(self._count)

    async def _alone(self, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        async with self._isolation:
            self._require_open()
            self._isolated = pool = self._start(1)
            try:
                return await asyncio.shield(asyncio.wrap_future(pool.submit(work, *args)))
            except BrokenProcessPool as error:
                self._require_open()
                raise EngineProcessDied(f"{work.__name__} ended the process that ran it, twice") from error
            finally:
                # A caller who went away wants no answer, and what killed a pool may as well never end.
                processes = processes_of(pool)
                pool.shutdown(wait=False)
                kill(processes)
                self._isolated = None

    def _start(self, count: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            count, mp_context=multiprocessing.get_context("spawn"), initializer=_settle_in
        )


def processes_of(pool: ProcessPoolExecutor) -> list[BaseProcess]:
    """Those that run now; none once the pool has been shut down."""
    return list((pool._processes or {}).values())


def kill(processes: list[BaseProcess]) -> None:
    for process in processes:
        process.kill()


def settle_memory() -> None:
    """Keeps the collector away from what start-up made, which lives as long as the process.

    A simulation makes and drops thousands of values and hardly a cycle; by default the collector would walk
    everything several times a second to find that out.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX)


def _settle_in() -> None:
    # The parent decides when to stop: a Ctrl-C to the whole group must not break work under way.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    settle_memory()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
