"""Puts a server together: settings in, application out; here and for workers, adapters are named."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aiohttp import web

from service.clock import Clock, NewId, SystemClock, TimeOrderedIds
from service.domains.retention import Retention
from service.domains.workflow_decisions import ReviewRule
from service.errors import PostgresDsnRequired, ServiceError
from service.flows.artifacts import ArtifactFlow
from service.flows.attempts import AttemptRunner
from service.flows.dpm_computing import Readers, prepare
from service.flows.dpm_runs import DpmRunFlow
from service.flows.health import HealthFlow
from service.flows.idempotency import IdempotencyFlow
from service.flows.lineage import LineageFlow
from service.flows.operations import OperationFlow
from service.flows.purges import PurgeFlow
from service.flows.replays import ReplayFlow
from service.flows.support_bundles import SupportBundleFlow
from service.flows.supportability import SupportabilityFlow
from service.flows.sweeps import SweepFlow
from service.flows.workflow_decisions import WorkflowFlow
from service.processes import EngineProcesses, Offload
from service.settings import ArtifactMode, ExecutionMode, Settings, StoreBackend, UnknownFields
from service.storage.memory.store import MemoryStore
from service.storage.operations_port import JobQueue
from service.storage.port import Store
from service.web import app, bodies
from service.web.flows import Flows
from service.web.gates import Gates

if TYPE_CHECKING:
    from service.storage.postgres.database import PoolOptions

# What was recorded is read as it was when unknown fields were still ignored.
LENIENT_READERS = Readers(bodies.decode_rebalance, bodies.decode_batch, bodies.decode_options)
# A purge is one act after the other.
PURGE_CONNECTIONS_MAX = 1
# A removal may wait for its turn at the disk; nobody waits for it.
PURGE_STATEMENT_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Running:
    """What a server holds while it serves."""

    app: web.Application
    health: HealthFlow
    purges: PurgeFlow
    sweeps: SweepFlow
    processes: EngineProcesses
    readers: Readers

    async def warm_up(self) -> None:
        """Has every worker process import what it needs before a caller waits for it."""
        await self.processes.warm_up(prepare, self.readers)


@contextlib.asynccontextmanager
async def assemble(settings: Settings) -> AsyncIterator[Running]:
    """Opens the stores and the worker processes, and closes them. Raises StoreUnavailable."""
    clock, ids = SystemClock(), TimeOrderedIds()
    if settings.execution_mode is ExecutionMode.WORKER:
        # Loaded by those who make offers only; without this, the first caller and all others wait for it.
        importlib.import_module("service.storage.postgres.job_offers")
    async with contextlib.AsyncExitStack() as opened:
        processes = EngineProcesses(settings.engine_processes)
        opened.push_async_callback(processes.close)
        store = await open_store(settings)
        opened.push_async_callback(store.close)
        purging = await open_purging_store(settings, store)
        if purging is not store:
            opened.push_async_callback(purging.close)
        health = HealthFlow(store)
        readers = readers_of(settings)
        flows = flows_of(settings, store, health, clock, ids, processes, readers)
        opened.push_async_callback(flows.operations.close)
        application = app.build(
            flows=flows,
            gates=gates_of(settings),
            new_id=ids,
            body_bytes_max=settings.body_bytes_max,
            refuse_unknown=settings.unknown_fields is UnknownFields.REJECT,
            store_missing=store_missing(settings),
        )
        purges = purges_of(settings, purging, clock, ids)
        # Offers are the business of the workers, who are there to be woken up.
        sweeps = sweeps_of(settings, store, clock, queue=None)
        yield Running(application, health, purges, sweeps, processes, readers)


@contextlib.asynccontextmanager
async def assemble_purging(settings: Settings) -> AsyncIterator[PurgeFlow]:
    """Opens only what a purge needs. Raises StoreUnavailable."""
    store = await open_purging_store(settings, None)
    try:
        await store.check()
        yield purges_of(settings, store, SystemClock(), TimeOrderedIds())
    finally:
        await store.close()


def flows_of(
    settings: Settings,
    store: Store,
    health: HealthFlow,
    clock: Clock,
    new_id: NewId,
    offload: Offload,
    readers: Readers,
) -> Flows:
    retention = retention_of(settings)
    persisted = artifacts_persisted(settings)
    artifacts = ArtifactFlow(
        store=store, clock=clock, retention=retention, offload=offload, persisted=persisted
    )
    return Flows(
        dpm_runs=DpmRunFlow(
            store=store,
            clock=clock,
            new_id=new_id,
            offload=offload,
            readers=readers,
            replay_enabled=settings.idempotency_replay_enabled,
            retention=retention,
            artifacts_persisted=persisted,
        ),
        idempotency=IdempotencyFlow(store=store, clock=clock, retention=retention),
        lineage=LineageFlow(store=store, clock=clock, retention=retention),
        operations=operations_of(settings, store, clock, new_id, offload, readers),
        artifacts=artifacts,
        support_bundles=SupportBundleFlow(store=store, clock=clock, retention=retention, artifacts=artifacts),
        supportability=SupportabilityFlow(
            store=store,
            clock=clock,
            retention=retention,
            store_backend=settings.store_backend.value,
        ),
        workflow=WorkflowFlow(
            store=store,
            clock=clock,
            retention=retention,
            new_id=new_id,
            rule=ReviewRule(settings.workflow_review_statuses),
        ),
        replays=ReplayFlow(
            store=store,
            clock=clock,
            retention=retention,
            new_id=new_id,
            offload=offload,
            readers=LENIENT_READERS,
            artifacts_persisted=persisted,
        ),
        health=health,
    )


def operations_of(
    settings: Settings, store: Store, clock: Clock, new_id: NewId, offload: Offload, readers: Readers
) -> OperationFlow:
    return OperationFlow(
        store=store,
        clock=clock,
        new_id=new_id,
        offload=offload,
        readers=readers,
        retention=retention_of(settings),
        runner=runner_of(settings, store, clock, offload),
        inline=settings.execution_mode is ExecutionMode.INLINE,
        queued=settings.execution_mode is ExecutionMode.WORKER,
    )


def store_missing(settings: Settings) -> ServiceError | None:
    nowhere = settings.store_backend is StoreBackend.POSTGRES and not settings.postgres_dsn
    return PostgresDsnRequired() if nowhere else None


def gates_of(settings: Settings) -> Gates:
    return Gates(
        support_apis_enabled=settings.support_apis_enabled,
        summary_apis_enabled=settings.summary_apis_enabled,
        bundle_apis_enabled=settings.bundle_apis_enabled,
        artifacts_enabled=settings.artifacts_enabled,
        lineage_apis_enabled=settings.lineage_apis_enabled,
        history_apis_enabled=settings.history_apis_enabled,
        workflow_enabled=settings.workflow_enabled,
        async_operations_enabled=settings.async_operations_enabled,
        manual_execution_enabled=settings.manual_execution_enabled,
    )


def retention_of(settings: Settings) -> Retention:
    return Retention(settings.retention_days, settings.operations_ttl_seconds)


def artifacts_persisted(settings: Settings) -> bool:
    return settings.artifact_mode is ArtifactMode.PERSISTED


def runner_of(settings: Settings, store: Store, clock: Clock, offload: Offload) -> AttemptRunner:
    """Who does operations, the same in a server and in a worker."""
    return AttemptRunner(
        store=store,
        clock=clock,
        offload=offload,
        artifacts_persisted=artifacts_persisted(settings),
        lease_seconds=settings.lease_seconds,
    )


def sweeps_of(settings: Settings, store: Store, clock: Clock, queue: JobQueue | None) -> SweepFlow:
    return SweepFlow(
        store=store,
        clock=clock,
        retention=retention_of(settings),
        attempts_max=settings.attempts_max,
        queue=queue,
        lease_seconds=settings.lease_seconds,
    )


def purges_of(settings: Settings, store: Store, clock: Clock, new_id: NewId) -> PurgeFlow:
    return PurgeFlow(store=store, clock=clock, new_id=new_id, retention=retention_of(settings))


async def open_store(settings: Settings) -> Store:
    match settings.store_backend:
        case StoreBackend.IN_MEMORY:
            return MemoryStore()
        case StoreBackend.SQL:
            # A driver is imported only by those who use it: it is a tenth of the start-up time.
            from service.storage.sqlite.store import SqliteStore

            return await SqliteStore.open(settings.sql_path)
        case StoreBackend.POSTGRES:
            return await _open_postgres(settings.postgres_dsn, pool_options_of(settings))


def pool_options_of(settings: Settings) -> PoolOptions:
    """How a process connects to the database that serves."""
    from service.storage.postgres.database import PoolOptions

    return PoolOptions(
        connections_max=settings.postgres_connections_max,
        statement_cache_size=settings.postgres_statement_cache_size,
        session_settings=settings.postgres_statement_cache_size > 0,
    )


async def open_purging_store(settings: Settings, serving: Store | None) -> Store:
    """The store as the role that may remove sees it; where there are no roles, the one that serves."""
    if settings.store_backend is not StoreBackend.POSTGRES:
        return serving if serving is not None else await open_store(settings)
    options = replace(
        pool_options_of(settings),
        connections_max=PURGE_CONNECTIONS_MAX,
        statement_seconds_max=PURGE_STATEMENT_SECONDS_MAX,
        act_seconds_max=2 * PURGE_STATEMENT_SECONDS_MAX,
        application_name="lotus-manage purge",
    )
    return await _open_postgres(settings.postgres_retention_dsn, options)


async def _open_postgres(dsn: str, options: PoolOptions) -> Store:
    from service.storage.postgres.store import PostgresStore

    return await PostgresStore.open(dsn, options=options)


def readers_of(settings: Settings) -> Readers:
    if settings.unknown_fields is UnknownFields.REJECT:
        return Readers(
            bodies.decode_rebalance_strict, bodies.decode_batch_strict, bodies.decode_options_strict
        )
    return LENIENT_READERS
