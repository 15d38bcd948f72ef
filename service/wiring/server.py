"""Puts a server together: settings in, application out; here and for workers, adapters are named."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass

from aiohttp import web

from service.domains.callers import Caller
from service.flows.health import HealthFlow
from service.flows.operations.gauges import OperationGauges
from service.flows.operations.recovery import Reaper
from service.flows.proposals.operations import ProposalOperationFlow
from service.flows.retention import RetentionFlow
from service.observability.server_metrics import ServerMetrics
from service.runtime.clock import SystemClock, TimeOrderedIds
from service.runtime.process_pool import EngineProcesses
from service.settings.process import ExecutionMode, Settings
from service.wiring.engines import engine_processes_of, load_explanations
from service.wiring.flows import application_of, flows_of, purges_of, reapers_of, runtime_of, watches_of
from service.wiring.instrumentation import Instrumentation, telemetry_of
from service.wiring.readers import proposal_readers_of, readers_of
from service.wiring.stores import (
    Stores,
    as_of_proposals,
    open_policy_store,
    open_proposal_store,
    open_purging_store,
    open_store,
    shadow_of,
)


@dataclass(frozen=True, slots=True)
class Running:
    """What a server holds while it serves."""

    settings: Settings
    app: web.Application
    health: HealthFlow
    retention: tuple[RetentionFlow, ...]
    reapers: tuple[Reaper, ...]
    proposal_operations: ProposalOperationFlow
    processes: EngineProcesses
    metrics: ServerMetrics
    watches: tuple[OperationGauges, ...]

    async def warm_up(self) -> None:
        """Has this process and the engine processes load what they need before a caller waits for it."""
        await asyncio.to_thread(
            load_explanations, readers_of(self.settings), proposal_readers_of(self.settings)
        )
        await self.processes.warm_up()

    def beside(self, settings: Settings) -> list[Coroutine[None, None, None]]:
        """What goes on for as long as the server serves."""
        caller = Caller.local()
        return [
            self.warm_up(),
            self.metrics.process.sample_loop(),
            *(watch.run_every(caller) for watch in self.watches),
            self.proposal_operations.resume_every(caller, settings.recovery_seconds),
            *(flow.run_every(caller, settings.purge_interval_seconds) for flow in self.retention),
            *(reapers.run_every(caller, settings.recovery_seconds) for reapers in self.reapers),
        ]


@contextlib.asynccontextmanager
async def assemble(settings: Settings) -> AsyncIterator[Running]:
    """Opens the stores and the worker processes, and closes them.

    Raises StoreUnavailable, TelemetryMissing.
    """
    clock, ids = SystemClock(), TimeOrderedIds()
    if settings.execution_mode is ExecutionMode.WORKER:
        # Loaded by those who make offers only; without this, the first caller and all others wait for it.
        importlib.import_module("service.storage.postgres.jobs.engine")
    async with contextlib.AsyncExitStack() as opened:
        metrics, telemetry = ServerMetrics(), await telemetry_of(settings, opened)
        watchers = Instrumentation(metrics.process, telemetry)
        readers = readers_of(settings)
        processes = engine_processes_of(settings, readers, metrics.process)
        opened.push_async_callback(processes.close)
        store = watchers.store(await open_store(settings), "runs")
        shadow = shadow_of(settings, store, clock, ids, metrics)
        store = shadow or store
        opened.push_async_callback(store.close)
        purging = await open_purging_store(settings, store)
        if purging is not store:
            purging = watchers.store(purging, "purge")
            opened.push_async_callback(purging.close)
            purging = shadow.beside(purging) if shadow else purging
        health = HealthFlow(store)
        proposal_store = await open_proposal_store(settings, store)
        if proposal_store is not store:
            proposal_store = watchers.store(proposal_store, "proposals")
            opened.push_async_callback(proposal_store.close)
        policy_store = await open_policy_store(settings, store)
        if policy_store is not store:
            policy_store = watchers.store(policy_store, "policies")
            opened.push_async_callback(policy_store.close)
        stores = Stores(runs=store, proposals=proposal_store, policies=policy_store, shadow=shadow)
        flows = flows_of(
            settings, stores, health, runtime_of(settings, clock, ids, watchers.offload(processes)), readers
        )
        opened.push_async_callback(flows.operations.close)
        opened.push_async_callback(flows.proposal_operations.close)
        purged, recovered = [purging], [store]
        if proposal_store is not store:
            proposals_purging = await open_purging_store(as_of_proposals(settings), proposal_store)
            if proposals_purging is not proposal_store:
                proposals_purging = watchers.store(proposals_purging, "proposals_purge")
                opened.push_async_callback(proposals_purging.close)
            purged.append(proposals_purging)
            recovered.append(proposal_store)
        yield Running(
            settings,
            application_of(settings, flows, ids, metrics, telemetry),
            health,
            tuple(purges_of(settings, one, clock, ids, metrics) for one in purged),
            # Offers are the business of the workers, who are there to be woken up.
            tuple(reapers_of(settings, one, clock, None, metrics.process) for one in recovered),
            flows.proposal_operations,
            processes,
            metrics,
            watches_of(settings, stores, clock, metrics),
        )


@contextlib.asynccontextmanager
async def assemble_purging(settings: Settings) -> AsyncIterator[tuple[RetentionFlow, ...]]:
    """Opens only what a purge needs: of the store of the runs, and of that of the proposals if it is another.

    Raises StoreUnavailable.
    """
    clock, ids = SystemClock(), TimeOrderedIds()
    places = [settings] if settings.proposals_beside_runs else [settings, as_of_proposals(settings)]
    async with contextlib.AsyncExitStack() as opened:
        purges = []
        for place in places:
            store = await open_purging_store(place, None)
            if place is settings:
                store = shadow_of(settings, store, clock, ids) or store
            opened.push_async_callback(store.close)
            await store.check_writable()
            purges.append(purges_of(place, store, clock, ids))
        yield tuple(purges)
