"""Compacting counts on PostgreSQL takes one snapshot."""

from __future__ import annotations

import asyncpg

from service.errors.storage import StoreBusy
from service.storage.postgres.performing import PostgresActs, perform
from service.storage.sql.dpm_runs.supportability import SqlSupportability, compact_counters


class PostgresSupportability(SqlSupportability):
    def __init__(self, acts: PostgresActs) -> None:
        super().__init__(acts)
        self.acts = acts

    async def compact(self) -> None:
        try:
            # The one snapshot is what keeps a change from being forgotten that was not added up.
            async with self.acts.database.act(isolation="repeatable_read") as conn:
                await perform(conn, compact_counters)
        except StoreBusy as refused:
            # Another instance compacted between our snapshot and our lock, so there is nothing left to do.
            if not isinstance(refused.__cause__, asyncpg.SerializationError):
                raise
