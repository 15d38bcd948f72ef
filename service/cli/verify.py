"""Computes what is stored again and compares, without a server."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from service.domains.dpm_runs.supportability import Subject
from service.domains.dpm_runs.values import DEFAULT_TENANT, RunFilter, RunHead
from service.domains.retention.cutoffs import KEEP_ALL
from service.errors.dpm_runs import ReplayEngineUnknown, RunNotFound
from service.errors.engines import GivenUp
from service.errors.storage import StoreRefused, StoreUnavailable
from service.flows.dpm_runs.replays import ReplayFlow
from service.runtime.clock import SystemClock, TimeOrderedIds
from service.settings import process
from service.settings.process import Settings, SettingsInvalid
from service.storage.ports.store import Store
from service.web.schemas.parameters import InstantRefused, instant_of
from service.wiring import engines, flows, readers, stores
from service.wiring.exit_codes import refused

EXIT_MISMATCH = 1
RUNS_AT_ONCE = 200


class Instant(click.ParamType[datetime]):
    """An instant as the API takes it; without an offset it is UTC."""

    name = "ISO"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return instant_of(value)
        except InstantRefused as refused:
            self.fail(str(refused), param, ctx)


@dataclass(slots=True)
class Tally:
    checked: int = 0
    mismatched: int = 0


@click.command()
@click.option("--from", "created_from", type=Instant(), help="Only runs created then or later.")
@click.option("--to", "created_to", type=Instant(), help="Only runs created then or earlier.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many runs, the newest first.")
def verify(created_from: datetime | None, created_to: datetime | None, limit: int | None) -> None:
    """Check every digest of what is stored, and compute every run again.

    Exit 0 if all runs match, 1 if some do not, 3 if the store cannot be used.
    """
    runs = RunFilter(created_from=created_from, created_to=created_to)
    try:
        tally = asyncio.run(_verify(process.read(), runs, limit))
    except (SettingsInvalid, StoreUnavailable, StoreRefused) as reason:
        raise refused(reason) from None
    click.echo(f"{tally.checked} runs checked, {tally.mismatched} do not match")
    if tally.mismatched:
        raise SystemExit(EXIT_MISMATCH)


async def _verify(chosen: Settings, runs: RunFilter, limit: int | None) -> Tally:
    async with contextlib.AsyncExitStack() as opened:
        store = await stores.open_store(chosen)
        opened.push_async_callback(store.close)
        await store.check()
        processes = engines.engine_processes_of(chosen, readers.LENIENT_READERS)
        opened.push_async_callback(processes.close)
        flow = ReplayFlow(
            store=store,
            clock=SystemClock(),
            retention=flows.retention_of(chosen),
            new_id=TimeOrderedIds(),
            offload=processes,
            readers=readers.LENIENT_READERS,
            artifacts_persisted=False,
        )
        return await _walk(store, flow, runs, limit, at_once=2 * chosen.engine_processes)


async def _walk(store: Store, flow: ReplayFlow, runs: RunFilter, limit: int | None, *, at_once: int) -> Tally:
    """Prints a line for each run that does not match; a run that is purged meanwhile does not count."""
    tally = Tally()
    shown = is_terminal()
    # Each waits with a whole run in memory.
    places = asyncio.Semaphore(at_once)

    async def checked(run: RunHead) -> str | None:
        async with places:
            try:
                fault = await _fault_of(flow, run.rebalance_run_id)
            except RunNotFound:
                return None
        tally.checked += 1
        bar.update(1)
        return fault

    with click.progressbar(length=await _count(store, limit), label="verify", hidden=not shown) as bar:
        async for page in _pages(store, runs, limit):
            for fault in await asyncio.gather(*map(checked, page)):
                if fault is not None:
                    tally.mismatched += 1
                    # The bar stands on the line.
                    click.echo(("\n" if shown else "") + fault)
    return tally


async def _fault_of(flow: ReplayFlow, rebalance_run_id: str) -> str | None:
    """What is wrong with a run, by its id and the first place that differs. Raises RunNotFound."""
    try:
        found = await flow.verify(rebalance_run_id, KEEP_ALL)
    except (ReplayEngineUnknown, GivenUp) as refused:
        return f"{rebalance_run_id}: {refused}"
    if found.difference is None:
        return None
    why = f" ({found.failure})" if found.failure else ""
    return f"{rebalance_run_id}: {found.difference.path}{why}"


def is_terminal() -> bool:
    return sys.stdout.isatty()


async def _pages(store: Store, runs: RunFilter, limit: int | None) -> AsyncIterator[tuple[RunHead, ...]]:
    left, cursor = limit, None
    while left is None or left > 0:
        wanted = RUNS_AT_ONCE if left is None else min(left, RUNS_AT_ONCE)
        page = await store.dpm_runs.list(DEFAULT_TENANT, runs, limit=wanted, cursor=cursor, horizon=KEEP_ALL)
        yield page.items
        cursor = page.next_cursor
        if cursor is None:
            return
        left = None if left is None else left - len(page.items)


async def _count(store: Store, limit: int | None) -> int:
    """How many runs there are to walk, at most; bounds of time are not counted."""
    summary = await store.supportability.summarise(DEFAULT_TENANT, KEEP_ALL)
    stored = summary.total(Subject.RUN_STATUS)
    return stored if limit is None else min(stored, limit)
