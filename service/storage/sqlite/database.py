"""The connections of one SQLite file: one that writes, a few that read beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path
from typing import TypeVar

from service.errors import StoreUnavailable
from service.storage.schema import SchemaRefused, pending_of, read_applied, shipped_for
from service.storage.sqlite.connection import Connection, connect
from service.storage.sqlite.writer import Writer

T = TypeVar("T")

READERS = 2
# FULL makes a commit reach the disk before it is answered; WAL lets readers go on meanwhile.
WRITER_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
READER_PRAGMAS = ("query_only=ON",)


class Database:
    def __init__(self, writer: Connection, readers: list[Connection], closing: AsyncExitStack) -> None:
        self.writer = Writer(writer)
        self.readers = cycle(readers)
        self.closing = closing
        self.shipped = shipped_for("sqlite")

    @classmethod
    async def open(cls, path: Path, *, busy_seconds_max: float) -> Database:
        """Raises StoreUnavailable unless the file is there, can be read and has this build's schema."""
        async with AsyncExitStack() as opened:
            writer = await connect(path, pragmas=WRITER_PRAGMAS, busy_seconds_max=busy_seconds_max)
            opened.push_async_callback(writer.close)
            readers = []
            for _ in range(READERS):
                reader = await connect(path, pragmas=READER_PRAGMAS, busy_seconds_max=busy_seconds_max)
                opened.push_async_callback(reader.close)
                readers.append(reader)
            database = cls(writer, readers, opened)
            await database.check()
            database.closing = opened.pop_all()
            return database

    async def write(self, act: Callable[[sqlite3.Connection], T]) -> T:
        return await self.writer.write(act)

    async def read(self, look: Callable[[sqlite3.Connection], T]) -> T:
        return await next(self.readers).run(look)

    async def read_snapshot(self, look: Callable[[sqlite3.Connection], T]) -> T:
        """For a look that takes more than one query and must see the same in all of them."""
        return await next(self.readers).run_in_snapshot(look)

    async def check(self) -> None:
        try:
            await self.read(self.require_current_schema)
        except SchemaRefused as refusal:
            raise StoreUnavailable() from refusal

    def require_current_schema(self, conn: sqlite3.Connection) -> None:
        if pending := pending_of(self.shipped, read_applied(conn)):
            raise SchemaRefused(f"the database lacks {', '.join(one.migration_id for one in pending)}")

    async def close(self) -> None:
        # In reverse order of opening: the writer goes last, once what it was given is committed.
        await self.closing.aclose()
