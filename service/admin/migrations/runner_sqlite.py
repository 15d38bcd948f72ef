"""Applies migrations to a SQLite file; no global state of sqlite3 is touched."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from yoyo.backends.base import DatabaseBackend
from yoyo.backends.core.sqlite3 import SQLiteBackend
from yoyo.connections import DatabaseURI

from service.admin.migrations.runner import MIGRATION_TABLE, MigrationRunner, poll
from service.storage.queries import load
from service.storage.schema import Migration, SchemaRefused, pending_of, read_applied

BUSY_SECONDS_MAX = 5.0
LOCK_POLL_SECONDS = 0.05


class SqliteMigrationRunner(MigrationRunner, SQLiteBackend):  # type: ignore[misc]
    queries = load("sqlite", "migrations")
    _in_transaction: bool

    def connect(self, dburi: DatabaseURI) -> sqlite3.Connection:
        conn = sqlite3.connect(dburi.database, isolation_level=None, timeout=BUSY_SECONDS_MAX)
        try:
            # Set once, here and under the lock: the file remembers it.
            conn.execute("PRAGMA journal_mode=WAL")
            conn.execute("PRAGMA synchronous=FULL")
        except sqlite3.Error:
            conn.close()
            raise
        return conn

    def __enter__(self) -> SqliteMigrationRunner:
        # Not SQLiteBackend's, which registers converters for every connection of the process.
        return self

    def __exit__(self, *error: object) -> None:
        DatabaseBackend.__exit__(self, *error)

    def begin(self) -> None:
        assert not self._in_transaction
        self._in_transaction = True
        self.execute("BEGIN IMMEDIATE")

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> Any:
        spelled = {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in (params or {}).items()
        }
        cursor = self.cursor()
        cursor.execute(sql, spelled)
        return cursor


def apply_to_sqlite(path: Path, shipped: tuple[Migration, ...], *, lock_seconds_max: float) -> list[str]:
    """Apply what the database lacks and give back the ids of what was applied."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(path, lock_seconds_max), backend_of(path) as backend:
        pending = pending_of(shipped, read_applied(backend.connection))
        backend.init_database()
        for migration in pending:
            try:
                backend.apply_migration(migration)
            except sqlite3.Error as error:
                raise SchemaRefused(f"{migration.migration_id} could not be applied: {error}") from error
    return [migration.migration_id for migration in pending]


@contextmanager
def file_lock(database: Path, seconds_max: float) -> Iterator[None]:
    """One migration runner at a time per database; the lock goes with its process, however that ends."""
    with database.with_name(database.name + ".migrate.lock").open("w") as held:
        poll(lambda: taken(held), held.name, seconds_max=seconds_max, every_seconds=LOCK_POLL_SECONDS)
        yield


def taken(held: IO[str]) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def backend_of(path: Path) -> SqliteMigrationRunner:
    address = DatabaseURI(
        scheme="sqlite", username=None, password=None, hostname=None, port=None, database=str(path), args={}
    )
    return SqliteMigrationRunner(address, MIGRATION_TABLE)
