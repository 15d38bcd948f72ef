"""Runs long computations in processes of their own, so that the event loop stays free.

A thread would not do: the engines hold the interpreter lock, so a health probe would wait for them; and no
thread can be ended.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, repeat
from typing import Any, Protocol, TypeVar, TypeVarTuple, Unpack, cast

import structlog

from service.errors.engines import EngineDeadlineExceeded, EngineMemoryExceeded
from service.observability.instruments import NOOP_METRICS, EngineMetrics, EngineProcessMetrics, Spans
from service.runtime.engine_process import (
    DEADLINE,
    DIED,
    MEMORY,
    EngineLimits,
    EngineProcess,
    Job,
    MemoryExceeded,
    ProcessLost,
    Refused,
)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# How long work that has begun may go on after the rest of the service has stopped.
CLOSE_SECONDS_MAX = 5.0
# Work whose process dies is done once more, for it may have been the death of somebody else.
TRIES_MAX = 2
# Started beyond those that work at a time, so that work need not wait when one has to be replaced.
SPARE_PROCESSES = 1
# Between two tries to start a process, growing to the last.
START_AGAIN_SECONDS = (0.1, 1.0)

logger = structlog.get_logger()


class EngineProcessDied(Exception):
    """The work ended the process it ran in, twice."""


class Executor(Protocol):
    async def __call__(self, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        """Runs a module-level function elsewhere; its refusals are raised here."""
        ...


def name_of(work: Callable[..., Any]) -> str:
    """What work is called; with some of its arguments given beforehand it keeps its name."""
    return name_of(work.func) if isinstance(work, partial) else work.__name__


class InstrumentedExecutor:
    """Tells how long work takes, whether it is done elsewhere or on the loop."""

    def __init__(self, offload: Executor, measures: EngineMetrics, spans: Spans | None = None) -> None:
        self._offload = offload
        self._measures = measures
        self._spans = spans

    async def __call__(self, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        started = time.perf_counter()
        try:
            if self._spans is None:
                return await self._offload(work, *args)
            with self._spans.child(f"engine {name_of(work)}"):
                return await self._offload(work, *args)
        finally:
            self._measures.engine_worked(name_of(work), "process", time.perf_counter() - started)

    def here(self, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        started = time.perf_counter()
        try:
            if self._spans is None:
                return work(*args)
            with self._spans.child(f"engine {name_of(work)}"):
                return work(*args)
        finally:
            self._measures.engine_worked(name_of(work), "loop", time.perf_counter() - started)


def run_inline(offload: Executor, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
    """Does work that is not worth a process, and measures it as the executor does."""
    return offload.here(work, *args) if isinstance(offload, InstrumentedExecutor) else work(*args)


class EngineProcesses:
    """So many spawned processes that work at a time, each on one piece of work, and a spare one.

    A process is killed when its work uses more processor time than it may, when it waits for ever, or when
    its caller is gone; another takes its place, and no other work is touched. The work must be pure: where a
    process dies by itself, its work is done once more.
    """

    def __init__(
        self,
        count: int,
        limits: EngineLimits | None = None,
        *,
        prepare: Callable[[], object] | None = None,
        measures: EngineProcessMetrics = NOOP_METRICS,
    ) -> None:
        """`prepare` runs in each process before it takes work, and has it import what the work needs."""
        self._count = count
        self._limits = limits or EngineLimits()
        self._prepare = prepare
        self._measures = measures
        self._processes: set[EngineProcess] = set()
        self._idle: deque[EngineProcess] = deque()
        self._waiting: deque[asyncio.Future[EngineProcess]] = deque()
        self._working: set[asyncio.Task[Any]] = set()
        self._starting: set[asyncio.Task[None]] = set()
        # How many processes are with a caller.
        self._taken = 0
        # One thread for the line to each process, and one for each that is begun or ended.
        self._threads = ThreadPoolExecutor(2 * (count + SPARE_PROCESSES), thread_name_prefix="engine")
        self._begun = self._closed = False

    async def __call__(self, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        """Raises what the work raises, EngineDeadlineExceeded, EngineMemoryExceeded, and EngineProcessDied
        when it ended two processes.

        A caller who is cancelled has the work killed, or never begun.
        """
        for _ in range(TRIES_MAX):
            piece = Job(await self._take(), self._limits)
            doing = asyncio.create_task(self._do(piece, work, args))
            self._working.add(doing)
            doing.add_done_callback(self._working.discard)
            try:
                return cast(T, await asyncio.shield(doing))
            except asyncio.CancelledError:
                piece.abandon()
                raise
            except ProcessLost:
                continue
        raise EngineProcessDied(f"{name_of(work)} ended the process that ran it, twice")

    async def warm_up(self) -> None:
        """Returns once every process is ready, so that no caller has to wait for one to start."""
        self._begin()
        await asyncio.gather(*map(asyncio.shield, self._starting))

    async def close(self, seconds_max: float = CLOSE_SECONDS_MAX) -> None:
        """Lets what has begun come to its end; what takes longer than `seconds_max` ends with its process.

        Callers who still wait then are cancelled: nothing is wrong with their work.
        """
        self._closed = True
        for wanted in self._waiting:
            wanted.cancel()
        if self._working:
            await asyncio.wait(self._working, timeout=seconds_max)
        for process in self._processes:
            process.kill()
        await asyncio.gather(*self._working, *self._starting, return_exceptions=True)
        await asyncio.gather(*map(self._end, tuple(self._processes)))
        self._threads.shutdown(wait=False)

    async def _do(self, piece: Job, work: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Does work in the process of a piece, and gives the process back or replaces it."""
        process = piece.process
        ended_by: str | None = None
        piece.watch()
        try:
            answer = await self._in_thread(process.do, work, args)
        except MemoryExceeded:
            ended_by = MEMORY
            raise EngineMemoryExceeded(bytes_max=self._limits.memory_bytes_max) from None
        except ProcessLost as lost:
            ended_by = piece.killed_for or (DEADLINE if lost.exceeded_own_deadline else DIED)
            if self._closed:
                raise asyncio.CancelledError("the engine processes are closed") from None
            if ended_by == DEADLINE:
                raise EngineDeadlineExceeded(seconds=self._limits.seconds_max) from None
            raise
        except BaseException:
            # Nothing is known of where it stands, so it is not to be asked again.
            ended_by = DIED
            raise
        finally:
            piece.close()
            self._taken -= 1
            if ended_by is None:
                self._idle.append(process)
            else:
                self._replace(process, ended_by, name_of(work))
            self._give_out()
        if isinstance(answer, Refused):
            raise answer.error
        return answer

    async def _take(self) -> EngineProcess:
        """An idle process; first come, first served."""
        if self._closed:
            raise asyncio.CancelledError("the engine processes are closed")
        self._begin()
        wanted: asyncio.Future[EngineProcess] = asyncio.get_running_loop().create_future()
        self._waiting.append(wanted)
        self._give_out()
        try:
            return await wanted
        except asyncio.CancelledError:
            if wanted in self._waiting:
                self._waiting.remove(wanted)
            if not wanted.cancelled():
                # It was given out, and who wanted it has gone since.
                self._taken -= 1
                self._idle.append(wanted.result())
                self._give_out()
            raise

    def _give_out(self) -> None:
        while self._waiting and self._idle and self._taken < self._count:
            if self._waiting[0].done():
                # Who wanted it has gone.
                self._waiting.popleft()
            # The one that worked last may still know what it is asked about.
            elif (process := self._idle.pop()).is_alive():
                self._taken += 1
                self._waiting.popleft().set_result(process)
            else:
                self._replace(process, DIED)

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            for _ in range(self._count + SPARE_PROCESSES):
                self._start_another()

    def _replace(self, process: EngineProcess, ended_by: str, work: str | None = None) -> None:
        if self._closed:
            return
        self._measures.engine_process_ended(ended_by)
        logger.warning("engine_process_ended", cause=ended_by, work=work, process=process.process_id)
        self._start_another(instead_of=process)

    def _start_another(self, instead_of: EngineProcess | None = None) -> None:
        task = asyncio.create_task(self._start(instead_of))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _start(self, instead_of: EngineProcess | None) -> None:
        if instead_of is not None:
            await self._end(instead_of)
        for seconds in chain(START_AGAIN_SECONDS, repeat(START_AGAIN_SECONDS[-1])):
            if self._closed:
                return
            try:
                await self._start_ready()
                return
            except Exception as error:
                if not self._closed:
                    logger.error("engine_process_not_started", cause=repr(error))
            await asyncio.sleep(seconds)

    async def _start_ready(self) -> None:
        process = await self._in_thread(EngineProcess, self._limits, self._prepare)
        self._processes.add(process)
        if self._closed:
            return
        try:
            await self._in_thread(process.wait_ready)
        except BaseException:
            await self._end(process)
            raise
        self._idle.append(process)
        self._give_out()

    async def _end(self, process: EngineProcess) -> None:
        await self._in_thread(process.end)
        self._processes.discard(process)

    async def _in_thread(self, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
