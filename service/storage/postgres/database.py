"""The pool of connections to one PostgreSQL database, and where its transactions begin and end."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from service.errors.storage import PostgresDsnRequired, PostgresUnavailable, StoreBusy, StoreUnavailable
from service.errors.storage_causes import StoreCause
from service.observability.instruments import PoolUse
from service.storage.postgres.addresses import writable
from service.storage.postgres.faults import FAULTS, READ_ONLY_TRANSACTION, error_of
from service.storage.postgres.statements import Connection, every, one
from service.storage.queries import load
from service.storage.schema import LISTS, SchemaRefused, pending_of, shipped_for

MIGRATION_QUERIES = load("postgres", "migrations")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """How the pool behaves; all times in seconds.

    Behind a transaction pooler (PgBouncer), `statement_cache_size` must be 0 and `session_settings` off: it
    hands every transaction to another session.
    """

    connections_max: int = 8
    acquire_seconds_max: float = 3.0
    # For a connection that others use; as long as for one that has to be made, when it is none.
    wait_seconds_max: float | None = None
    # More than these are not let wait, for each connection.
    waiters_max: int = 32
    statement_seconds_max: float = 10.0
    lock_seconds_max: float = 5.0
    act_seconds_max: float = 10.0
    statement_cache_size: int = 200
    session_settings: bool = True
    application_name: str = "lotus-manage"

    @property
    def server_settings(self) -> dict[str, str]:
        if not self.session_settings:
            return {}
        return {
            "application_name": self.application_name,
            # The server gives up a little before we do, so that its word is the one we hear.
            "statement_timeout": f"{self.statement_seconds_max * 900:.0f}",
            "lock_timeout": f"{self.lock_seconds_max * 1000:.0f}",
            "idle_in_transaction_session_timeout": f"{self.act_seconds_max * 1000:.0f}",
            "jit": "off",
        }


# The first server that can bound an act as a whole.
BOUNDED_ACTS_SINCE = 17


class PooledConnection(asyncpg.Connection):  # type: ignore[misc]
    """Nothing of a session outlives a transaction here, so there is nothing to reset between two callers."""

    __slots__ = ()

    def get_reset_query(self) -> str:
        return ""


class Database:
    """Connects when somebody asks; so it opens while the server is away, and finds it again by itself."""

    def __init__(self, pool: Any, options: PoolOptions) -> None:
        self.pool = pool
        self.options = options
        self.shipped = shipped_for("postgres")
        self.callers = 0
        self.closing = False
        self.idle = asyncio.Event()
        # When a caller last was done; a pool that is busy has been of use a moment ago.
        self.used_at = -math.inf
        wait_max = options.wait_seconds_max
        self.wait_seconds_max = options.acquire_seconds_max if wait_max is None else wait_max

    @classmethod
    async def open(cls, dsn: str, options: PoolOptions) -> Database:
        """An empty DSN opens a database that refuses everything with PostgresDsnRequired."""
        if not dsn:
            return cls(None, options)

        async def bound_acts(conn: Any) -> None:
            # A client that is frozen between the statements it sends at one go is neither idle nor running
            # one, and would keep its locks for as long as it is frozen.
            if options.session_settings and conn.get_server_version().major >= BOUNDED_ACTS_SINCE:
                await conn.execute(f"SET transaction_timeout = {options.act_seconds_max * 1000:.0f}")

        pool = asyncpg.create_pool(
            writable(dsn),
            min_size=0,
            max_size=options.connections_max,
            connection_class=PooledConnection,
            timeout=options.acquire_seconds_max,
            command_timeout=options.statement_seconds_max,
            statement_cache_size=options.statement_cache_size,
            server_settings=options.server_settings,
            init=bound_acts,
        )
        await pool
        return cls(pool, options)

    @asynccontextmanager
    async def act(self, isolation: str | None = None) -> AsyncIterator[Connection]:
        """A transaction: all that is written inside is kept, or nothing is.

        Raises PostgresUnavailable when the server cannot be reached or is lost, StoreBusy when others keep
        what the act needs, StoreRefused when the server does not take a statement. If it is lost in the midst
        of the commit, it is unknown whether the act was kept; a repeated act finds out.
        """
        async with self.connection() as conn, conn.transaction(isolation=isolation):
            yield conn

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """Everything that is read inside is of one instant."""
        async with (
            self.connection() as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield conn

    @asynccontextmanager
    async def look(self) -> AsyncIterator[Connection]:
        """Each query inside is of its own instant."""
        async with self.connection() as conn:
            yield conn

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        if self.pool is None:
            raise PostgresDsnRequired()
        if self.closing:
            raise PostgresUnavailable()
        if self.callers >= self.options.connections_max * (1 + self.options.waiters_max):
            raise self.exhausted()
        self.callers += 1
        # Watching the time is dear, and where a connection is free there is nothing to wait for.
        waits = self.callers > self.options.connections_max
        is_connected = False
        try:
            async with self.pool.acquire(timeout=self.wait_seconds_max if waits else None) as conn:
                waits = False
                try:
                    yield conn
                except FAULTS as error:
                    is_connected = not conn.is_closed()
                    if getattr(error, "sqlstate", None) == READ_ONLY_TRANSACTION:
                        await self.reconnect()
                    raise
                self.used_at = time.monotonic()
        except FAULTS as error:
            if waits and isinstance(error, TimeoutError):
                raise self.exhausted() from error
            raise error_of(error, is_connected=is_connected) from error
        finally:
            self.callers -= 1
            if not self.callers:
                self.idle.set()

    async def reconnect(self) -> None:
        """Connects anew from now on: another server may be the primary by now."""
        await self.pool.expire_connections()

    def exhausted(self) -> StoreUnavailable:
        """The error of a caller who gets no connection: busy where other callers get on, else unavailable."""
        idle_seconds = time.monotonic() - self.used_at
        return StoreBusy() if idle_seconds < self.wait_seconds_max / 2 else PostgresUnavailable()

    def use(self) -> PoolUse:
        """How the connections are used at the moment."""
        if self.pool is None:
            return PoolUse(0, 0, 0, 0)
        connected, idle = self.pool.get_size(), self.pool.get_idle_size()
        waiting = max(0, self.callers - self.options.connections_max)
        return PoolUse(connected, min(idle, connected), waiting, self.options.connections_max)

    async def check(self) -> None:
        """Raises StoreUnavailable unless the server answers and has the schema this build was made for."""
        try:
            async with self.look() as conn:
                await self.require_current_schema(conn)
        except SchemaRefused as refusal:
            raise PostgresUnavailable(cause=StoreCause.SCHEMA_MISMATCH) from refusal

    async def check_writable(self) -> None:
        """The same, and the server takes writes."""
        try:
            async with self.look() as conn:
                await self.require_writable(conn)
                await self.require_current_schema(conn)
        except SchemaRefused as refusal:
            raise PostgresUnavailable(cause=StoreCause.SCHEMA_MISMATCH) from refusal

    async def require_writable(self, conn: Connection) -> None:
        state = await one(conn, MIGRATION_QUERIES["get_write_state"])
        assert state is not None, "a state is a row"
        if state["in_recovery"] or state["read_only"]:
            await self.reconnect()
            cause = StoreCause.IN_RECOVERY if state["in_recovery"] else StoreCause.READ_ONLY
            raise PostgresUnavailable(cause=cause)

    async def require_current_schema(self, conn: Connection) -> None:
        found = await one(conn, MIGRATION_QUERIES["count_history_tables"])
        assert found is not None, "a count is a row"
        listing = LISTS[found["tables"]]
        rows = await every(conn, MIGRATION_QUERIES[listing]) if listing else []
        applied = {row["migration_id"]: row["sha256"] for row in rows}
        if pending := pending_of(self.shipped, applied):
            raise SchemaRefused(f"the database lacks {', '.join(one.migration_id for one in pending)}")

    async def close(self) -> None:
        """Lets everybody finish who has begun, also those who wait for a connection."""
        self.closing = True
        while self.callers:
            self.idle.clear()
            await self.idle.wait()
        if self.pool is not None:
            await self.pool.close()
