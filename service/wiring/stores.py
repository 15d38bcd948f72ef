"""Opens the stores that the settings name; the only place of a server that names adapters."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import structlog

from service.observability.instruments import NOOP_METRICS, ShadowMetrics
from service.runtime.clock import Clock, NewId
from service.settings.environment import StoreBackend
from service.settings.policy_packs import CatalogBackend
from service.settings.process import Settings
from service.storage.memory.store import MemoryStore
from service.storage.ports.store import Store
from service.storage.shadow.factory import shadowed
from service.storage.shadow.store import ShadowedStore

if TYPE_CHECKING:
    from service.storage.postgres.database import PoolOptions

# Where the catalog is a text, the store of the runs keeps what was changed in it.
POLICY_BACKENDS = {
    CatalogBackend.SQL: StoreBackend.SQL,
    CatalogBackend.POSTGRES: StoreBackend.POSTGRES,
}

ADAPTERS = {
    StoreBackend.IN_MEMORY: "service.storage.memory.store",
    StoreBackend.SQL: "service.storage.sqlite.store",
    StoreBackend.POSTGRES: "service.storage.postgres.store",
}

# A shadow repeats a few writes at a time, and no caller waits for it.
SHADOW_CONNECTIONS_MAX = 4
# Somebody waits for the answer, and may ask another process instead.
POOL_WAIT_SECONDS_MAX = 1.0
# A purge is one act after the other.
PURGE_CONNECTIONS_MAX = 1
# A deletion may wait for the disk; no caller waits for it.
PURGE_STATEMENT_SECONDS_MAX = 60.0


logger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Where each kind of thing is kept; two of them may be the same store."""

    runs: Store
    proposals: Store
    policies: Store
    # That of the runs, where they have one.
    shadow: ShadowedStore | None = None

    @classmethod
    def all_in(cls, store: Store, shadow: ShadowedStore | None = None) -> Stores:
        """Everything in one store."""
        return cls(runs=store, proposals=store, policies=store, shadow=shadow)


async def open_store(settings: Settings) -> Store:
    match settings.store_backend:
        case StoreBackend.IN_MEMORY:
            return MemoryStore.open(settings.memory_runs_max)
        case StoreBackend.SQL:
            # A driver is imported only by those who use it: it is a tenth of the start-up time.
            from service.storage.sqlite.store import SqliteStore

            return await SqliteStore.open(settings.sql_path)
        case StoreBackend.POSTGRES:
            options = replace(pool_options_of(settings), wait_seconds_max=POOL_WAIT_SECONDS_MAX)
            return await _open_postgres(settings.postgres_dsn, options)


def pool_options_of(settings: Settings) -> PoolOptions:
    """How a process connects to the database that serves."""
    from service.storage.postgres.database import PoolOptions

    return PoolOptions(
        connections_max=settings.postgres_connections_max,
        statement_cache_size=settings.postgres_statement_cache_size,
        session_settings=settings.postgres_statement_cache_size > 0,
    )


async def open_proposal_store(settings: Settings, store: Store) -> Store:
    """The store of the runs, where proposals are kept in the same place; else one of their own."""
    if settings.proposals_beside_runs:
        return store
    return await open_store(as_of_proposals(settings))


async def open_policy_store(settings: Settings, store: Store) -> Store:
    """The store of the runs, where the catalog is kept in the same place; else one of its own."""
    if settings.policies_beside_runs:
        return store
    return await open_store(as_of_policies(settings))


def as_of_policies(settings: Settings) -> Settings:
    """The settings of a process whose store is that of the catalog."""
    chosen = settings.policy
    return replace(
        settings,
        store_backend=POLICY_BACKENDS[chosen.catalog_backend],
        sql_path=chosen.sql_path,
        postgres_dsn=chosen.postgres_dsn,
    )


def as_of_proposals(settings: Settings) -> Settings:
    """The settings of a process whose store is that of the proposals."""
    chosen = settings.proposals
    return replace(
        settings,
        store_backend=chosen.store_backend,
        sql_path=chosen.sql_path,
        postgres_dsn=chosen.postgres_dsn,
        postgres_retention_dsn=chosen.postgres_retention_dsn,
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


def shadow_of(
    settings: Settings, store: Store, clock: Clock, new_id: NewId, measures: ShadowMetrics = NOOP_METRICS
) -> ShadowedStore | None:
    """The store with the shadow that the settings name beside it; None where they name none.

    Proposals and catalogs that are kept in a place of their own have none: what sweeps and purges remove from
    two stores cannot be told apart in one.
    """
    chosen = as_of_shadow(settings)
    if chosen is None:
        return None
    if place_of(chosen) == place_of(settings) is not None:
        logger.error("shadow_is_the_primary", store=chosen.store_backend.value)
        return None
    # Loaded when there are no callers yet, who would wait for it.
    importlib.import_module(ADAPTERS[chosen.store_backend])
    return shadowed(
        store,
        partial(open_shadow, chosen),
        backend=chosen.store_backend.value,
        clock=clock,
        new_id=new_id,
        acts_waiting_max=settings.shadow.acts_waiting_max,
        measures=measures,
    )


def as_of_shadow(settings: Settings) -> Settings | None:
    """The settings of a process whose store is the shadow."""
    chosen = settings.shadow
    if chosen.store_backend is None:
        return None
    return replace(
        settings,
        store_backend=chosen.store_backend,
        sql_path=chosen.sql_path,
        postgres_dsn=chosen.postgres_dsn,
    )


def place_of(settings: Settings) -> tuple[StoreBackend, str] | None:
    """Where a store is, as it is written; a memory is nowhere else."""
    match settings.store_backend:
        case StoreBackend.IN_MEMORY:
            return None
        case StoreBackend.SQL:
            return StoreBackend.SQL, str(settings.sql_path.absolute())
        case StoreBackend.POSTGRES:
            return StoreBackend.POSTGRES, settings.postgres_dsn


async def open_shadow(settings: Settings) -> Store:
    if settings.store_backend is not StoreBackend.POSTGRES:
        return await open_store(settings)
    options = replace(
        pool_options_of(settings),
        connections_max=SHADOW_CONNECTIONS_MAX,
        application_name="lotus-manage shadow",
    )
    return await _open_postgres(settings.postgres_dsn, options)


async def _open_postgres(dsn: str, options: PoolOptions) -> Store:
    from service.storage.postgres.store import PostgresStore

    return await PostgresStore.open(dsn, options=options)
