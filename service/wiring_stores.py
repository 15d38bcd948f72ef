"""Opens the stores that the settings name; the only place of a server that names adapters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from service.policy_settings import CatalogBackend
from service.setting_values import StoreBackend
from service.settings import Settings
from service.storage.memory.store import MemoryStore
from service.storage.port import Store

if TYPE_CHECKING:
    from service.storage.postgres.database import PoolOptions

# Where the catalog is a text, the store of the runs keeps what was changed in it.
POLICY_BACKENDS = {
    CatalogBackend.SQL: StoreBackend.SQL,
    CatalogBackend.POSTGRES: StoreBackend.POSTGRES,
}

# A purge is one act after the other.
PURGE_CONNECTIONS_MAX = 1
# A removal may wait for its turn at the disk; nobody waits for it.
PURGE_STATEMENT_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Where each kind of thing is kept; two of them may be the same store."""

    runs: Store
    proposals: Store
    policies: Store

    @classmethod
    def all_in(cls, store: Store) -> Stores:
        """Everything in one store."""
        return cls(runs=store, proposals=store, policies=store)


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


async def _open_postgres(dsn: str, options: PoolOptions) -> Store:
    from service.storage.postgres.store import PostgresStore

    return await PostgresStore.open(dsn, options=options)
