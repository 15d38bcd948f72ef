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
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

ATTEMPTS_MAX = 2
# How many new objects call for a look at the young ones; 700 by default.
YOUNG_OBJECTS_MAX = 20_000


class Offload(Protocol):
    async def __call__(self, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        """Runs a module-level function elsewhere; its refusals are raised here."""
        ...


class EngineProcesses:
    """A pool of spawned workers; one that dies is replaced and its work is done again.

    The work must be pure: it may run twice.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool = self._start()

    async def __call__(self, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        """Raises what the work raises, and BrokenProcessPool when it kills every worker it is given to."""
        loop = asyncio.get_running_loop()
        for attempt in range(1, ATTEMPTS_MAX + 1):
            pool = self._pool
            try:
                return await loop.run_in_executor(pool, work, *args)
            except BrokenProcessPool:
                if self._pool is pool:
                    pool.shutdown(wait=False)
                    self._pool = self._start()
                if attempt == ATTEMPTS_MAX:
                    raise
        raise AssertionError("the loop above returns or raises")

    async def warm_up(self, work: Callable[[Unpack[Ts]], object], *args: *Ts) -> None:
        """Starts the workers and runs something in each, before somebody waits for it."""
        await asyncio.gather(*(self(work, *args) for _ in range(self._count)))

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._count, mp_context=multiprocessing.get_context("spawn"), initializer=_settle_in
        )


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
