"""The queue that wakes workers up, in PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from service.errors.storage import PostgresDsnRequired
from service.storage.ports.operations import HandleJob
from service.storage.postgres.database import Database, PoolOptions
from service.storage.postgres.statements import every, one
from service.storage.queries import load

# The engine of the queue takes a quarter of a second to load, and most servers never need it.
if TYPE_CHECKING:
    from service.storage.postgres.jobs.sessions import JobSessions

SQL = load("postgres", "operations")


class PostgresJobQueue:
    """Works on a direct connection: notices belong to a session, and a transaction pooler has none."""

    def __init__(self, database: Database, sessions: JobSessions) -> None:
        self.database = database
        self.sessions = sessions

    @classmethod
    async def open(
        cls, dsn: str, *, concurrency: int, lease_seconds: float, options: PoolOptions
    ) -> PostgresJobQueue:
        """Open the queue of a database that may be away.

        `concurrency` offers are answered at once; one whose worker has been silent for `lease_seconds` is
        made to another.
        """
        from service.storage.postgres.jobs.sessions import JobSessions

        sessions = JobSessions(dsn, options, concurrency=concurrency, lease_seconds=lease_seconds)
        return cls(await Database.open(dsn, options), sessions)

    @property
    def is_connected(self) -> bool:
        """Whether offers come in at this moment."""
        return self.sessions.is_connected

    async def work(self, handle: HandleJob, *, stop: asyncio.Event, drain: bool) -> None:
        if not self.sessions.dsn:
            raise PostgresDsnRequired()
        await self.sessions.work(handle, stop=stop, drain=drain)

    async def refill(
        self, tenant_id: str, *, created_before: datetime, silent_seconds: float, limit: int
    ) -> int:
        from service.storage.postgres.jobs import engine

        async with self.database.act() as conn:
            revived = await every(
                conn, SQL["revive_jobs"], tenant_id=tenant_id, silent_seconds=silent_seconds
            )
            rows = await every(
                conn,
                SQL["list_not_enqueued"],
                tenant_id=tenant_id,
                created_before=created_before,
                limit=limit,
            )
            made = await engine.enqueue(conn, tenant_id, [row["operation_id"] for row in rows])
        return len(revived) + made

    async def count_waiting(self) -> int:
        async with self.database.look() as conn:
            row = await one(conn, SQL["count_waiting"])
        assert row is not None, "a count is a row"
        return int(row["waiting"])

    async def close(self) -> None:
        await self.database.close()
