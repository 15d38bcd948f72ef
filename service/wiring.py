"""Puts a process together: settings in, application out; the only place that names adapters."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from service.clock import SystemClock, TimeOrderedIds
from service.flows.dpm_computing import Readers, prepare
from service.flows.dpm_runs import DpmRunFlow
from service.flows.health import HealthFlow
from service.flows.idempotency import IdempotencyFlow
from service.processes import EngineProcesses
from service.settings import Settings, StoreBackend, UnknownFields
from service.storage.memory.store import MemoryStore
from service.storage.port import Store
from service.web import app, bodies
from service.web.gates import Gates


@dataclass(frozen=True, slots=True)
class Running:
    """What a server holds while it serves."""

    app: web.Application
    health: HealthFlow
    processes: EngineProcesses
    readers: Readers

    async def warm_up(self) -> None:
        """Has every worker process import what it needs before a caller waits for it."""
        await self.processes.warm_up(prepare, self.readers)


@contextlib.asynccontextmanager
async def assemble(settings: Settings) -> AsyncIterator[Running]:
    """Opens the store and the worker processes, and closes both. Raises StoreUnavailable."""
    ids = TimeOrderedIds()
    processes = EngineProcesses(settings.engine_processes)
    try:
        store = await open_store(settings)
        try:
            health = HealthFlow(store)
            readers = readers_of(settings)
            runs = DpmRunFlow(
                store=store,
                clock=SystemClock(),
                new_id=ids,
                offload=processes,
                readers=readers,
                replay_enabled=settings.idempotency_replay_enabled,
            )
            application = app.build(
                dpm_runs=runs,
                idempotency=IdempotencyFlow(store),
                health=health,
                gates=Gates(support_apis_enabled=settings.support_apis_enabled),
                new_id=ids,
                body_bytes_max=settings.body_bytes_max,
            )
            yield Running(application, health, processes, readers)
        finally:
            await store.close()
    finally:
        await processes.close()


async def open_store(settings: Settings) -> Store:
    match settings.store_backend:
        case StoreBackend.IN_MEMORY:
            return MemoryStore()
        case StoreBackend.SQL:
            # The driver is imported only by those who use it: it is a tenth of the start-up time.
            from service.storage.sqlite.store import SqliteStore

            return await SqliteStore.open(settings.sql_path)


def readers_of(settings: Settings) -> Readers:
    if settings.unknown_fields is UnknownFields.REJECT:
        return Readers(
            bodies.decode_rebalance_strict, bodies.decode_batch_strict, bodies.decode_options_strict
        )
    return Readers(bodies.decode_rebalance, bodies.decode_batch, bodies.decode_options)
