"""Computes stored runs again and compares digests and results, without a server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from service.domains.callers import Caller
from service.domains.dpm_runs.supportability import Subject
from service.domains.dpm_runs.values import RunFilter, RunSummary
from service.domains.retention.cutoffs import KEEP_ALL
from service.errors.dpm_runs import ReplayEngineUnknown, RunNotFound
from service.errors.engines import GivenUp
from service.flows.dpm_runs.replays import ReplayFlow
from service.runtime.clock import SystemClock, TimeOrderedIds
from service.settings.process import Settings
from service.storage.ports.store import Store
from service.wiring import engines, flows, readers, stores

RUNS_AT_ONCE = 200


@dataclass(slots=True)
class Tally:
    """How many runs were checked, and how many of them do not match."""

    checked: int = 0
    mismatched: int = 0


class Progress(Protocol):
    """What is told while runs are checked."""

    def begin(self, runs: int) -> None:
        """At most so many runs are checked."""

    def checked(self) -> None:
        """One more run was checked."""

    def mismatch(self, text: str) -> None:
        """A run does not match: its id, and the first place that differs."""


async def verify_runs(chosen: Settings, runs: RunFilter, limit: int | None, progress: Progress) -> Tally:
    """Check the newest runs that the filter lets through. Raises StoreUnavailable, StoreRefused."""
    async with contextlib.AsyncExitStack() as opened:
        store = await stores.open_store(chosen)
        opened.push_async_callback(store.close)
        await store.check()
        processes = engines.engine_processes_of(chosen, readers.LENIENT_READERS)
        opened.push_async_callback(processes.close)
        flow = ReplayFlow(
            store=store,
            runtime=flows.runtime_of(chosen, SystemClock(), TimeOrderedIds(), processes),
            readers=readers.LENIENT_READERS,
            artifacts_persisted=False,
        )
        progress.begin(await _count(store, limit))
        return await _walk(store, flow, runs, limit, progress, at_once=2 * chosen.engine_processes)


async def _walk(
    store: Store, flow: ReplayFlow, runs: RunFilter, limit: int | None, progress: Progress, *, at_once: int
) -> Tally:
    """A run that is purged meanwhile does not count."""
    tally = Tally()
    # Each waits with a whole run in memory.
    places = asyncio.Semaphore(at_once)

    async def checked(run: RunSummary) -> str | None:
        async with places:
            try:
                fault = await _fault_of(flow, run.rebalance_run_id)
            except RunNotFound:
                return None
        tally.checked += 1
        progress.checked()
        return fault

    async for page in _pages(store, runs, limit):
        for fault in await asyncio.gather(*map(checked, page)):
            if fault is not None:
                tally.mismatched += 1
                progress.mismatch(fault)
    return tally


async def _fault_of(flow: ReplayFlow, rebalance_run_id: str) -> str | None:
    """What is wrong with a run, by its id and the first place that differs. Raises RunNotFound."""
    try:
        found = await flow.verify(Caller.local(), rebalance_run_id, KEEP_ALL)
    except (ReplayEngineUnknown, GivenUp) as refused:
        return f"{rebalance_run_id}: {refused}"
    if found.difference is None:
        return None
    why = f" ({found.failure})" if found.failure else ""
    return f"{rebalance_run_id}: {found.difference.path}{why}"


async def _pages(store: Store, runs: RunFilter, limit: int | None) -> AsyncIterator[tuple[RunSummary, ...]]:
    left, cursor = limit, None
    while left is None or left > 0:
        wanted = RUNS_AT_ONCE if left is None else min(left, RUNS_AT_ONCE)
        page = await store.dpm_runs.list(
            Caller.local().tenant_id, runs, limit=wanted, cursor=cursor, cutoff=KEEP_ALL
        )
        yield page.items
        cursor = page.next_cursor
        if cursor is None:
            return
        left = None if left is None else left - len(page.items)


async def _count(store: Store, limit: int | None) -> int:
    """How many runs there are to walk, at most; bounds of time are not counted."""
    summary = await store.supportability.summarise(Caller.local().tenant_id, KEEP_ALL)
    stored = summary.total(Subject.RUN_STATUS)
    return stored if limit is None else min(stored, limit)
