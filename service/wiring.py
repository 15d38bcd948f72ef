"""Puts a server together: settings in, application out; here and for workers, adapters are named."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass

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
from service.flows.proposal_operations import ProposalOperationFlow
from service.flows.purges import PurgeFlow
from service.flows.replays import ReplayFlow
from service.flows.support_bundles import SupportBundleFlow
from service.flows.supportability import SupportabilityFlow
from service.flows.sweeps import SweepFlow
from service.flows.workflow_decisions import WorkflowFlow
from service.processes import EngineProcesses, Offload
from service.setting_values import StoreBackend
from service.settings import ArtifactMode, ExecutionMode, Settings, UnknownFields
from service.storage.operations_port import JobQueue
from service.storage.port import Store
from service.web import app, bodies
from service.web.flows import Flows
from service.web.gates import Gates
from service.wiring_proposals import proposal_flows_of, proposal_store_missing, works_of
from service.wiring_stores import as_of_proposals, open_proposal_store, open_purging_store, open_store

# What was recorded is read as it was when unknown fields were still ignored.
LENIENT_READERS = Readers(bodies.decode_rebalance, bodies.decode_batch, bodies.decode_options)


@dataclass(frozen=True, slots=True)
class Running:
    """What a server holds while it serves."""

    app: web.Application
    health: HealthFlow
    purges: tuple[PurgeFlow, ...]
    sweeps: tuple[SweepFlow, ...]
    proposal_operations: ProposalOperationFlow
    processes: EngineProcesses
    readers: Readers

    async def warm_up(self) -> None:
        """Has every worker process import what it needs before a caller waits for it."""
        await self.processes.warm_up(prepare, self.readers)

    def beside(self, settings: Settings) -> list[Coroutine[None, None, None]]:
        """What goes on for as long as the server serves."""
        return [
            self.warm_up(),
            self.proposal_operations.resume_every(settings.sweep_seconds),
            *(purges.run_every(settings.purge_interval_seconds) for purges in self.purges),
            *(sweeps.run_every(settings.sweep_seconds) for sweeps in self.sweeps),
        ]


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
        proposal_store = await open_proposal_store(settings, store)
        if proposal_store is not store:
            opened.push_async_callback(proposal_store.close)
        flows = flows_of(settings, store, proposal_store, health, clock, ids, processes, readers)
        opened.push_async_callback(flows.operations.close)
        opened.push_async_callback(flows.proposal_operations.close)
        application = app.build(
            flows=flows,
            gates=gates_of(settings),
            new_id=ids,
            body_bytes_max=settings.body_bytes_max,
            refuse_unknown=settings.unknown_fields is UnknownFields.REJECT,
            store_missing=store_missing(settings),
            proposal_store_missing=proposal_store_missing(settings),
        )
        purged, swept = [purging], [store]
        if proposal_store is not store:
            proposals_purging = await open_purging_store(as_of_proposals(settings), proposal_store)
            if proposals_purging is not proposal_store:
                opened.push_async_callback(proposals_purging.close)
            purged.append(proposals_purging)
            swept.append(proposal_store)
        yield Running(
            application,
            health,
            tuple(purges_of(settings, one, clock, ids) for one in purged),
            # Offers are the business of the workers, who are there to be woken up.
            tuple(sweeps_of(settings, one, clock, queue=None) for one in swept),
            flows.proposal_operations,
            processes,
            readers,
        )


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
    proposal_store: Store,
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
        dpm_runs=dpm_runs_of(settings, store, clock, new_id, offload, readers),
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
        **proposal_flows_of(
            settings,
            proposal_store,
            clock,
            new_id,
            offload,
            runner_of(settings, proposal_store, clock, new_id, offload),
        ),
        health=health,
    )


def dpm_runs_of(
    settings: Settings, store: Store, clock: Clock, new_id: NewId, offload: Offload, readers: Readers
) -> DpmRunFlow:
    return DpmRunFlow(
        store=store,
        clock=clock,
        new_id=new_id,
        offload=offload,
        readers=readers,
        replay_enabled=settings.idempotency_replay_enabled,
        retention=retention_of(settings),
        artifacts_persisted=artifacts_persisted(settings),
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
        runner=runner_of(settings, store, clock, new_id, offload),
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
        proposals_enabled=settings.proposals.lifecycle_enabled,
        proposal_support_apis_enabled=settings.proposals.support_apis_enabled,
        proposal_operations_enabled=settings.proposals.operations_enabled,
    )


def retention_of(settings: Settings) -> Retention:
    return Retention(settings.retention_days, settings.operations_ttl_seconds)


def artifacts_persisted(settings: Settings) -> bool:
    return settings.artifact_mode is ArtifactMode.PERSISTED


def runner_of(
    settings: Settings, store: Store, clock: Clock, new_id: NewId, offload: Offload
) -> AttemptRunner:
    """Who does operations, the same in a server and in a worker."""
    return AttemptRunner(
        store=store,
        clock=clock,
        works=works_of(settings, store, clock, new_id, offload),
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
    return PurgeFlow(
        store=store,
        clock=clock,
        new_id=new_id,
        retention=retention_of(settings),
        simulations_kept_seconds=settings.proposals.simulation_kept_seconds,
    )


def readers_of(settings: Settings) -> Readers:
    if settings.unknown_fields is UnknownFields.REJECT:
        return Readers(
            bodies.decode_rebalance_strict, bodies.decode_batch_strict, bodies.decode_options_strict
        )
    return LENIENT_READERS
