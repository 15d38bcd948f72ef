"""The connections of one SQLite file: one that writes, a few that read beside it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TypeVar

from service.errors.storage import StoreBusy, StoreUnavailable
from service.errors.storage_causes import StoreCause
from service.storage.schema import SchemaRefused, pending_of, read_applied, require_log, shipped_for
from service.storage.sqlite.connection import Connection, connect
from service.storage.sqlite.group_commit import GroupCommit
from service.storage.sqlite.probing import write_nothing_new

T = TypeVar("T")

READERS = 2
# FULL makes a commit reach the disk before it is answered; WAL lets readers go on meanwhile. The pages that
# an act of a shared commit changed are kept in case it is refused: in memory, for a file took half of all
# writes.
WRITER_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY")
READER_PRAGMAS = ("query_only=ON",)
# Looking at every page of a larger file would hold the start up; two thirds of a second at most.
CHECKED_BYTES_MAX = 256 * 1024 * 1024
# A file that another process holds for longer takes no writes.
LOCKED_SECONDS_MAX = 1.0


class Database:
    def __init__(
        self, path: Path, writer: Connection, readers: list[Connection], closing: AsyncExitStack
    ) -> None:
        self.path = path
        # Once a page could not be read the file is not to be trusted; a restart looks at it anew.
        self.is_damaged = False
        self.writer = GroupCommit(writer)
        self.readers = cycle(readers)
        self.closing = closing
        self.shipped = shipped_for("sqlite")

    @classmethod
    async def open(cls, path: Path, *, busy_seconds_max: float) -> Database:
        """Raises StoreUnavailable unless the file is there, is whole and has this build's schema."""
        try:
            require_log(path)
        except SchemaRefused as refusal:
            raise StoreUnavailable(cause=StoreCause.DAMAGED) from refusal
        async with AsyncExitStack() as opened:
            writer = await connect(path, pragmas=WRITER_PRAGMAS, busy_seconds_max=busy_seconds_max)
            opened.push_async_callback(writer.close)
            readers = []
            for _ in range(READERS):
                reader = await connect(path, pragmas=READER_PRAGMAS, busy_seconds_max=busy_seconds_max)
                opened.push_async_callback(reader.close)
                readers.append(reader)
            database = cls(path, writer, readers, opened)
            await database.check()
            await database.read(database.require_sound)
            database.closing = opened.pop_all()
            return database

    async def write(self, act: Callable[[sqlite3.Connection], T]) -> T:
        return await self._noting_damage(self.writer.write(act))

    async def read(self, look: Callable[[sqlite3.Connection], T]) -> T:
        return await self._noting_damage(next(self.readers).run(look))

    async def read_snapshot(self, look: Callable[[sqlite3.Connection], T]) -> T:
        """For a look that takes more than one query and must see the same in all of them."""
        return await self._noting_damage(next(self.readers).run_in_snapshot(look))

    async def _noting_damage(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except StoreUnavailable as error:
            self.is_damaged = self.is_damaged or error.cause is StoreCause.DAMAGED
            raise

    async def check(self) -> None:
        try:
            await self.read(self.require_current_schema)
        except SchemaRefused as refusal:
            raise StoreUnavailable(cause=StoreCause.SCHEMA_MISMATCH) from refusal

    async def check_writable(self) -> None:
        """Raises StoreBusy when other acts of this process go on for too long, StoreUnavailable otherwise."""
        if self.is_damaged:
            raise StoreUnavailable(cause=StoreCause.DAMAGED)
        began = time.monotonic()
        try:
            async with asyncio.timeout(LOCKED_SECONDS_MAX):
                await self.write(
                    partial(write_nothing_new, path=self.path, check=self.require_current_schema)
                )
        except SchemaRefused as refusal:
            raise StoreUnavailable(cause=StoreCause.SCHEMA_MISMATCH) from refusal
        except TimeoutError as late:
            if self.writer.committed_at >= began:
                raise StoreBusy() from late
            raise StoreUnavailable(cause=StoreCause.LOCKED) from late

    def require_current_schema(self, conn: sqlite3.Connection) -> None:
        if pending := pending_of(self.shipped, read_applied(conn)):
            raise SchemaRefused(f"the database lacks {', '.join(one.migration_id for one in pending)}")

    def require_sound(self, conn: sqlite3.Connection) -> None:
        """Raises StoreUnavailable when pages do not fit together, as when the log of a file was removed."""
        if self.path.stat().st_size > CHECKED_BYTES_MAX:
            return
        (found,) = conn.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise StoreUnavailable(cause=StoreCause.DAMAGED) from SchemaRefused(found)

    async def close(self) -> None:
        # In reverse order of opening: the writer goes last, once what it was given is committed.
        await self.closing.aclose()
