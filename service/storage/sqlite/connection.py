"""One SQLite connection whose thread runs a whole act at a time.

Each await of a plain aiosqlite call is a hop to its thread and back, and the way back waits for a turn of the
event loop. So what belongs together is one function of the sqlite3 connection, and one hop.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import aiosqlite

from service.errors.storage import StoreUnavailable
from service.storage.sqlite.faults import UNSTORABLE, error_of

T = TypeVar("T")


class Connection(aiosqlite.Connection):
    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run the function in the connection's thread and give back what it gives.

        A caller that is cancelled stops waiting; the function still runs to its end.
        """
        self.require_open()
        try:
            answer: T = await self._execute(function, self._conn)  # type: ignore[no-untyped-call]
        except (sqlite3.Error, *UNSTORABLE) as error:
            raise error_of(error) from error
        return answer

    async def run_in_snapshot(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """The same for a function that only reads: whatever it reads is of one instant."""
        return await self.run(partial(in_snapshot, function))

    def post(self, function: Callable[[sqlite3.Connection], None]) -> None:
        """Have the connection's thread run the function in its turn, without waiting for it."""
        self.require_open()
        conn = self._conn
        self._tx.put_nowait((None, lambda: function(conn)))

    def require_open(self) -> None:
        if not self._running or self._connection is None:
            raise StoreUnavailable()


async def connect(path: Path, *, pragmas: tuple[str, ...], busy_seconds_max: float) -> Connection:
    """Open an existing database; a missing file is refused, for only the migration runner makes one."""
    address = path.absolute().as_uri() + "?mode=rw"

    def connector() -> sqlite3.Connection:
        conn = sqlite3.connect(address, uri=True, isolation_level=None, timeout=busy_seconds_max)
        conn.row_factory = sqlite3.Row
        try:
            for pragma in pragmas:
                conn.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            conn.close()
            raise
        return conn

    connection = Connection(connector, iter_chunk_size=64)
    try:
        await connection
    except sqlite3.Error as error:
        raise error_of(error) from error
    return connection


@contextmanager
def transaction(conn: sqlite3.Connection) -> Iterator[None]:
    """All that is written inside is kept, or nothing is. Takes the write lock at once, or fails."""
    conn.execute("BEGIN IMMEDIATE")
    try:
        yield
        conn.execute("COMMIT")
    except BaseException:
        # A full disk or a broken file makes SQLite roll back by itself.
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise


@contextmanager
def savepoint(conn: sqlite3.Connection) -> Iterator[None]:
    """What is written inside is undone when it raises, and the rest of the transaction stays."""
    conn.execute("SAVEPOINT act")
    try:
        yield
    except BaseException:
        conn.execute("ROLLBACK TO act")
        conn.execute("RELEASE act")
        raise
    conn.execute("RELEASE act")


def in_snapshot(function: Callable[[sqlite3.Connection], T], conn: sqlite3.Connection) -> T:
    with snapshot(conn):
        return function(conn)


@contextmanager
def snapshot(conn: sqlite3.Connection) -> Iterator[None]:
    """Whatever is read inside is of the instant of the first read."""
    conn.execute("BEGIN DEFERRED")
    try:
        yield
    finally:
        # There is nothing to keep, and a broken file makes SQLite roll back by itself.
        if conn.in_transaction:
            conn.execute("ROLLBACK")
