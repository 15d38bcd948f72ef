"""Everything a process can be told from outside, read once at start."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from environs import Env, EnvError, EnvValidationError

from service.settings import engines as engine_settings
from service.settings import policy_packs, server
from service.settings import proposals as proposal_settings
from service.settings import shadow as shadow_settings
from service.settings.engines import EngineSettings
from service.settings.environment import (
    StoreBackend,
    read_backend,
    read_count,
    read_count_or_default,
    read_dsn,
    read_flag,
    read_known_or_default,
    read_one_of,
    read_text,
)
from service.settings.policy_packs import CatalogBackend, PolicySettings
from service.settings.proposals import Profile, ProposalSettings
from service.settings.server import ServingSettings
from service.settings.shadow import ShadowSettings

SQL_PATH_DEFAULT = Path(".data/dpm_supportability.db")
BODY_BYTES_MAX_DEFAULT = 8 * 1024 * 1024
IDEMPOTENCY_CACHE_SIZE_DEFAULT = 1000
STOP_SECONDS_MAX_DEFAULT = 20

CONNECTIONS_MAX_DEFAULT = 8
STATEMENT_CACHE_SIZE_DEFAULT = 200
OPERATIONS_TTL_SECONDS_DEFAULT = 86_400
PURGE_INTERVAL_SECONDS_DEFAULT = 10
MEMORY_RUNS_MAX_DEFAULT = 100_000
ATTEMPTS_MAX_DEFAULT = 3
OPERATION_SECONDS_MAX_DEFAULT = 3600
# A dead worker's operation is begun again this long after its last sign of life, and a little.
LEASE_SECONDS_DEFAULT = 8
REAPS_PER_LEASE = 4
WORKER_CONCURRENCY_MIN = 2
REVIEW_STATUSES_DEFAULT = frozenset({"PENDING_REVIEW"})


class ArtifactMode(Enum):
    """DERIVED builds artifacts when they are read, PERSISTED keeps them with their runs."""

    DERIVED = "DERIVED"
    PERSISTED = "PERSISTED"


class ExecutionMode(Enum):
    """Where accepted operations are executed: in the accepting process, on request, or by workers."""

    INLINE = "INLINE"
    ACCEPT_ONLY = "ACCEPT_ONLY"
    WORKER = "WORKER"


class UnknownFields(Enum):
    IGNORE = "IGNORE"
    REJECT = "REJECT"


class LogLevel(Enum):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class SettingsInvalid(Exception):
    """At least one variable cannot be used; the message names each, never a value."""


class WorkerRequiresPostgres(SettingsInvalid):
    """Workers are woken up by PostgreSQL; no other store can do that."""

    code = "DPM_ASYNC_WORKER_REQUIRES_POSTGRES"

    def __init__(self) -> None:
        super().__init__(f"{self.code}: DPM_SUPPORTABILITY_STORE_BACKEND must be POSTGRES")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One value for the life of a process; a restart applies a change (ruling 8)."""

    profile: Profile
    store_backend: StoreBackend
    sql_path: Path
    # Addresses carry passwords.
    postgres_dsn: str = field(repr=False)
    postgres_direct_dsn: str = field(repr=False)
    postgres_retention_dsn: str = field(repr=False)
    postgres_connections_max: int
    postgres_statement_cache_size: int
    retention_days: int
    operations_ttl_seconds: int
    purge_interval_seconds: int
    memory_runs_max: int
    execution_mode: ExecutionMode
    attempts_max: int
    lease_seconds: int
    operation_seconds_max: int
    worker_concurrency: int
    artifact_mode: ArtifactMode
    support_apis_enabled: bool
    summary_apis_enabled: bool
    bundle_apis_enabled: bool
    artifacts_enabled: bool
    lineage_apis_enabled: bool
    history_apis_enabled: bool
    workflow_enabled: bool
    async_operations_enabled: bool
    manual_execution_enabled: bool
    workflow_review_statuses: frozenset[str]
    idempotency_replay_enabled: bool
    idempotency_cache_size_max: int
    unknown_fields: UnknownFields
    body_bytes_max: int
    engine_processes: int
    engines: EngineSettings
    stop_seconds_max: int
    log_level: LogLevel
    proposals: ProposalSettings
    policy: PolicySettings
    serving: ServingSettings
    shadow: ShadowSettings

    @property
    def proposals_beside_runs(self) -> bool:
        """Whether proposals are kept in the store that keeps the runs."""
        if self.proposals.store_backend is not self.store_backend:
            return False
        match self.store_backend:
            case StoreBackend.IN_MEMORY:
                return True
            case StoreBackend.SQL:
                return self.proposals.sql_path == self.sql_path
            case StoreBackend.POSTGRES:
                return self.proposals.postgres_dsn == self.postgres_dsn

    @property
    def policies_beside_runs(self) -> bool:
        """Whether the catalog of policy packs is kept in the store that keeps the runs."""
        match self.policy.catalog_backend:
            case CatalogBackend.ENV_JSON:
                return True
            case CatalogBackend.SQL:
                return self.store_backend is StoreBackend.SQL and self.policy.sql_path == self.sql_path
            case CatalogBackend.POSTGRES:
                beside = self.policy.postgres_dsn == self.postgres_dsn
                return self.store_backend is StoreBackend.POSTGRES and beside

    @property
    def recovery_seconds(self) -> float:
        """How often somebody looks for operations whose holder has died."""
        return self.lease_seconds / REAPS_PER_LEASE

    def require_workable(self) -> None:
        """Raises WorkerRequiresPostgres when workers could not be woken up."""
        if self.store_backend is not StoreBackend.POSTGRES:
            raise WorkerRequiresPostgres()


def read() -> Settings:
    """What is given, where it can work. Raises SettingsInvalid, WorkerRequiresPostgres."""
    settings = read_given()
    if settings.execution_mode is ExecutionMode.WORKER:
        settings.require_workable()
    return settings


def read_given() -> Settings:
    """Reads the environment. Raises SettingsInvalid with every fault at once.

    Variables of the HTTP contract (section 11) fall back where its table says so; our own refuse.
    """
    env = Env(eager=False)
    sql_path, postgres = _sql_path(env), _postgres(env)
    settings = Settings(
        profile=read_known_or_default(env, "APP_PERSISTENCE_PROFILE", Profile.LOCAL),
        store_backend=read_backend(env, "DPM_SUPPORTABILITY_STORE_BACKEND"),
        sql_path=sql_path,
        **postgres,
        **_retention(env),
        **_operations(env),
        **_apis(env),
        artifact_mode=read_known_or_default(env, "DPM_ARTIFACT_STORE_MODE", ArtifactMode.DERIVED),
        workflow_review_statuses=_review_statuses(env),
        idempotency_replay_enabled=read_flag(env, "DPM_IDEMPOTENCY_REPLAY_ENABLED", default=True),
        idempotency_cache_size_max=read_count_or_default(
            env, "DPM_IDEMPOTENCY_CACHE_MAX_SIZE", IDEMPOTENCY_CACHE_SIZE_DEFAULT
        ),
        unknown_fields=read_one_of(env, "DPM_UNKNOWN_FIELDS", UnknownFields.IGNORE),
        body_bytes_max=read_count(env, "DPM_BODY_BYTES_MAX", BODY_BYTES_MAX_DEFAULT),
        engines=engine_settings.read(env),
        stop_seconds_max=read_count(env, "DPM_SHUTDOWN_TIMEOUT_SECONDS", STOP_SECONDS_MAX_DEFAULT),
        log_level=read_one_of(env, "DPM_LOG_LEVEL", LogLevel.INFO),
        proposals=proposal_settings.read(env),
        policy=policy_packs.read(env, sql_path=sql_path, postgres_dsn=postgres["postgres_dsn"]),
        serving=server.read(env),
        shadow=shadow_settings.read(env),
    )
    try:
        env.seal()
    except EnvError as error:
        faults = error.error_messages if isinstance(error, EnvValidationError) else {}
        raise SettingsInvalid("invalid settings: " + ", ".join(sorted(faults))) from None
    return settings


def _postgres(env: Env) -> dict[str, Any]:
    dsn = read_dsn(env, "DPM_SUPPORTABILITY_POSTGRES_DSN")
    return {
        "postgres_dsn": dsn,
        "postgres_direct_dsn": read_dsn(env, "DPM_SUPPORTABILITY_POSTGRES_DIRECT_DSN") or dsn,
        "postgres_retention_dsn": read_dsn(env, "DPM_RETENTION_POSTGRES_DSN") or dsn,
        "postgres_connections_max": read_count(env, "DPM_POSTGRES_CONNECTIONS_MAX", CONNECTIONS_MAX_DEFAULT),
        "postgres_statement_cache_size": read_count(
            env, "DPM_POSTGRES_STATEMENT_CACHE_SIZE", STATEMENT_CACHE_SIZE_DEFAULT, least=0
        ),
    }


def _retention(env: Env) -> dict[str, Any]:
    return {
        "retention_days": read_count_or_default(env, "DPM_SUPPORTABILITY_RETENTION_DAYS", 0, least=0),
        "operations_ttl_seconds": read_count_or_default(
            env, "DPM_ASYNC_OPERATIONS_TTL_SECONDS", OPERATIONS_TTL_SECONDS_DEFAULT
        ),
        "purge_interval_seconds": read_count(
            env, "DPM_PURGE_INTERVAL_SECONDS", PURGE_INTERVAL_SECONDS_DEFAULT
        ),
        "memory_runs_max": read_count(env, "DPM_MEMORY_RUNS_MAX", MEMORY_RUNS_MAX_DEFAULT),
    }


def _operations(env: Env) -> dict[str, Any]:
    engine_processes = read_count(env, "DPM_ENGINE_PROCESSES", max(1, (os.cpu_count() or 1) - 1))
    return {
        "execution_mode": read_known_or_default(env, "DPM_ASYNC_EXECUTION_MODE", ExecutionMode.INLINE),
        "attempts_max": read_count(env, "DPM_ASYNC_MAX_ATTEMPTS", ATTEMPTS_MAX_DEFAULT),
        "lease_seconds": read_count(env, "DPM_ASYNC_LEASE_SECONDS", LEASE_SECONDS_DEFAULT),
        "operation_seconds_max": read_count(
            env, "DPM_ASYNC_OPERATION_SECONDS_MAX", OPERATION_SECONDS_MAX_DEFAULT
        ),
        "engine_processes": engine_processes,
        # One more than can be computed at a time, so that no process waits for the database.
        "worker_concurrency": read_count(
            env,
            "DPM_WORKER_CONCURRENCY",
            max(WORKER_CONCURRENCY_MIN, engine_processes + 1),
            least=WORKER_CONCURRENCY_MIN,
        ),
    }


def _apis(env: Env) -> dict[str, Any]:
    return {
        "support_apis_enabled": read_flag(env, "DPM_SUPPORT_APIS_ENABLED", default=True),
        "summary_apis_enabled": read_flag(env, "DPM_SUPPORTABILITY_SUMMARY_APIS_ENABLED", default=True),
        "bundle_apis_enabled": read_flag(env, "DPM_SUPPORT_BUNDLE_APIS_ENABLED", default=True),
        "artifacts_enabled": read_flag(env, "DPM_ARTIFACTS_ENABLED", default=True),
        "lineage_apis_enabled": read_flag(env, "DPM_LINEAGE_APIS_ENABLED", default=False),
        "history_apis_enabled": read_flag(env, "DPM_IDEMPOTENCY_HISTORY_APIS_ENABLED", default=False),
        "workflow_enabled": read_flag(env, "DPM_WORKFLOW_ENABLED", default=False),
        "async_operations_enabled": read_flag(env, "DPM_ASYNC_OPERATIONS_ENABLED", default=True),
        "manual_execution_enabled": read_flag(env, "DPM_ASYNC_MANUAL_EXECUTION_ENABLED", default=True),
    }


def _review_statuses(env: Env) -> frozenset[str]:
    names = read_text(env, "DPM_WORKFLOW_REQUIRES_REVIEW_FOR_STATUSES").split(",")
    return frozenset(name.strip() for name in names if name.strip()) or REVIEW_STATUSES_DEFAULT


def _sql_path(env: Env) -> Path:
    older = read_text(env, "DPM_SUPPORTABILITY_SQLITE_PATH")
    chosen = read_text(env, "DPM_SUPPORTABILITY_SQL_PATH")
    return Path(chosen or older or SQL_PATH_DEFAULT)
