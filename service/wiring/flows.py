"""Puts together what a server decides with: the flows of its stores, and the gates before them."""

from __future__ import annotations

import os
import platform
from functools import partial
from operator import attrgetter

from aiohttp import web

from service.domains.policy_packs import SelectionRules
from service.domains.retention.cutoffs import Retention
from service.domains.workflow_decisions import ReviewRule
from service.errors.families import ServiceError
from service.errors.storage import PostgresDsnRequired
from service.flows.dpm_runs.artifacts import ArtifactFlow
from service.flows.dpm_runs.computing import Readers
from service.flows.dpm_runs.flow import DpmRunFlow
from service.flows.dpm_runs.replays import ReplayFlow
from service.flows.dpm_runs.support_bundles import SupportBundleFlow
from service.flows.dpm_runs.supportability import SupportabilityFlow
from service.flows.health import HealthFlow
from service.flows.idempotency import IdempotencyFlow
from service.flows.lineage import LineageFlow
from service.flows.operations.attempts import AttemptRunner
from service.flows.operations.flow import OperationFlow
from service.flows.operations.gauges import OperationGauges
from service.flows.operations.recovery import Reaper
from service.flows.policy_packs.flow import PolicyPackFlow
from service.flows.retention import RetentionFlow
from service.flows.runtime import Runtime
from service.flows.shadow_differences import ShadowDifferenceFlow
from service.flows.workflow_decisions import WorkflowFlow
from service.observability.instruments import NOOP_METRICS, RecoveryMetrics, RetentionMetrics
from service.observability.opentelemetry import Telemetry
from service.observability.server_metrics import ServerMetrics
from service.runtime.clock import Clock, NewId
from service.runtime.process_pool import Executor
from service.settings.environment import StoreBackend
from service.settings.policy_packs import CatalogBackend
from service.settings.process import ArtifactMode, ExecutionMode, Settings, UnknownFields
from service.storage.ports.operations import JobQueue
from service.storage.ports.store import Store
from service.web import app
from service.web.feature_flags import FeatureFlags, Flag
from service.web.flows import Flows
from service.web.requests import bodies, policy_pack_settings
from service.wiring.capacity import capacity_of
from service.wiring.proposals import proposal_flows_of, proposal_store_missing, works_of
from service.wiring.readers import LENIENT_READERS as LENIENT_READERS
from service.wiring.readers import bounds_of
from service.wiring.readers import readers_of as readers_of
from service.wiring.stores import Stores


def application_of(
    settings: Settings,
    flows: Flows,
    new_id: NewId,
    metrics: ServerMetrics | None = None,
    telemetry: Telemetry | None = None,
) -> web.Application:
    """The API over its flows."""
    return app.build(
        flows=flows,
        gates=gates_of(settings),
        new_id=new_id,
        body_bytes_max=settings.body_bytes_max,
        result_bytes_max=settings.engines.result_bytes_max,
        capacity=capacity_of(settings),
        refuse_unknown=settings.unknown_fields is UnknownFields.REJECT,
        bounds=bounds_of(settings),
        store_missing=store_missing(settings),
        proposal_store_missing=proposal_store_missing(settings),
        metrics=metrics,
        telemetry=telemetry,
        cors_origins=settings.serving.cors_origins,
        cors_credentials=settings.serving.cors_credentials,
        head_bytes_max=settings.serving.head_bytes_max,
    )


def flows_of(
    settings: Settings,
    stores: Stores,
    health: HealthFlow,
    runtime: Runtime,
    readers: Readers,
) -> Flows:
    store, proposal_store = stores.runs, stores.proposals
    persisted = artifacts_persisted(settings)
    artifacts = ArtifactFlow(store=store, runtime=runtime, persisted=persisted)
    return Flows(
        dpm_runs=dpm_runs_of(settings, store, runtime, readers),
        idempotency=IdempotencyFlow(store=store, runtime=runtime),
        lineage=LineageFlow(store=store, runtime=runtime),
        operations=operations_of(settings, store, runtime, readers),
        artifacts=artifacts,
        support_bundles=SupportBundleFlow(store=store, runtime=runtime, artifacts=artifacts),
        supportability=SupportabilityFlow(
            store=store, runtime=runtime, store_backend=settings.store_backend.value
        ),
        shadow_differences=ShadowDifferenceFlow(store=store, shadow=stores.shadow),
        workflow=WorkflowFlow(
            store=store, runtime=runtime, rule=ReviewRule(settings.workflow_review_statuses)
        ),
        replays=ReplayFlow(
            store=store, runtime=runtime, readers=LENIENT_READERS, artifacts_persisted=persisted
        ),
        policy_packs=policy_packs_of(settings, stores.policies, runtime),
        **proposal_flows_of(
            settings,
            proposal_store,
            runtime,
            runner_of(settings, proposal_store, runtime),
        ),
        health=health,
    )


def dpm_runs_of(settings: Settings, store: Store, runtime: Runtime, readers: Readers) -> DpmRunFlow:
    return DpmRunFlow(
        store=store,
        runtime=runtime,
        readers=readers,
        replay_enabled=settings.idempotency_replay_enabled,
        artifacts_persisted=artifacts_persisted(settings),
    )


def operations_of(settings: Settings, store: Store, runtime: Runtime, readers: Readers) -> OperationFlow:
    return OperationFlow(
        store=store,
        runtime=runtime,
        readers=readers,
        runner=runner_of(settings, store, runtime),
        inline=settings.execution_mode is ExecutionMode.INLINE,
        queued=settings.execution_mode is ExecutionMode.WORKER,
    )


def policy_packs_of(settings: Settings, store: Store, runtime: Runtime) -> PolicyPackFlow:
    chosen = settings.policy
    tenants = chosen.tenant_map_json if chosen.tenant_resolution_enabled else ""
    in_text = chosen.catalog_backend is CatalogBackend.ENV_JSON
    return PolicyPackFlow(
        store=store,
        runtime=runtime,
        read=partial(bodies.decode_policy_pack.strict, bounds=bounds_of(settings)),
        rules=SelectionRules(
            enabled=chosen.enabled,
            default_pack_id=chosen.default_pack_id,
            tenant_packs=policy_pack_settings.tenant_packs_of(tenants),
        ),
        shipped=policy_pack_settings.catalog_of(chosen.catalog_json) if in_text else {},
        strict=chosen.strict,
        catalog_seconds=chosen.catalog_seconds,
    )


def store_missing(settings: Settings) -> ServiceError | None:
    nowhere = settings.store_backend is StoreBackend.POSTGRES and not settings.postgres_dsn
    return PostgresDsnRequired() if nowhere else None


def gates_of(settings: Settings) -> FeatureFlags:
    """Each feature flag as its setting says."""
    return FeatureFlags(**{flag.value[0]: attrgetter(flag.value[2])(settings) for flag in Flag})


def retention_of(settings: Settings) -> Retention:
    return Retention(settings.retention_days, settings.operations_ttl_seconds)


def runtime_of(settings: Settings, clock: Clock, new_id: NewId, offload: Executor) -> Runtime:
    return Runtime(
        clock=clock,
        new_id=new_id,
        offload=offload,
        retention=retention_of(settings),
        result_bytes_max=settings.engines.result_bytes_max,
    )


def artifacts_persisted(settings: Settings) -> bool:
    return settings.artifact_mode is ArtifactMode.PERSISTED


def runner_of(settings: Settings, store: Store, runtime: Runtime) -> AttemptRunner:
    """Who does operations, the same in a server and in a worker."""
    return AttemptRunner(
        store=store,
        clock=runtime.clock,
        works=works_of(settings, store, runtime),
        lease_seconds=settings.lease_seconds,
        attempts_max=settings.attempts_max,
        owner=f"{platform.node()}:{os.getpid()}",
    )


def reapers_of(
    settings: Settings,
    store: Store,
    clock: Clock,
    queue: JobQueue | None,
    measures: RecoveryMetrics = NOOP_METRICS,
) -> Reaper:
    return Reaper(
        store=store,
        clock=clock,
        retention=retention_of(settings),
        attempts_max=settings.attempts_max,
        operation_seconds_max=settings.operation_seconds_max,
        queue=queue,
        lease_seconds=settings.lease_seconds,
        measures=measures,
    )


def purges_of(
    settings: Settings, store: Store, clock: Clock, new_id: NewId, measures: RetentionMetrics = NOOP_METRICS
) -> RetentionFlow:
    return RetentionFlow(
        store=store,
        clock=clock,
        new_id=new_id,
        retention=retention_of(settings),
        simulations_kept_seconds=settings.proposals.simulation_kept_seconds,
        measures=measures,
    )


def watches_of(
    settings: Settings, stores: Stores, clock: Clock, metrics: ServerMetrics
) -> tuple[OperationGauges, ...]:
    """One for each store that keeps operations."""
    watched = {"runs": stores.runs}
    if stores.proposals is not stores.runs:
        watched["proposals"] = stores.proposals
    return tuple(
        OperationGauges(
            name=name, store=store, clock=clock, retention=retention_of(settings), measures=metrics
        )
        for name, store in watched.items()
    )
