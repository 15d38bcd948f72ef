"""A store in one SQLite file."""

from __future__ import annotations

from pathlib import Path

from service.storage.sqlite.database import Database
from service.storage.sqlite.dpm_runs import SqliteDpmRuns
from service.storage.sqlite.idempotency import SqliteIdempotency
from service.storage.sqlite.lineage import SqliteLineage

BUSY_SECONDS_MAX = 5.0


class SqliteStore:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.dpm_runs = SqliteDpmRuns(database)
        self.idempotency = SqliteIdempotency(database)
        self.lineage = SqliteLineage(database)

    @classmethod
    async def open(cls, path: Path, *, busy_seconds_max: float = BUSY_SECONDS_MAX) -> SqliteStore:
        """Open a migrated file. Raises StoreUnavailable when it is missing, broken, or of another schema."""
        return cls(await Database.open(path, busy_seconds_max=busy_seconds_max))

    async def check(self) -> None:
        await self.database.check()

    async def close(self) -> None:
        await self.database.close()
