"""Applies migrations forward, one transaction each; the only code that imports yoyo.

yoyo brings the splitting of a file into statements, its directives and its books. What it lacks is added
here: a migration and its mark are one transaction, the digest of its text is kept, the lock dies with its
process, nothing is ever rolled back, and no global state of sqlite3 is touched.
"""

from __future__ import annotations

import fcntl
import os
import socket
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from yoyo.backends.base import DatabaseBackend
from yoyo.backends.core.sqlite3 import SQLiteBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration as Script
from yoyo.migrations import default_migration_table

from service.storage.queries import Query, load
from service.storage.schema import Migration, SchemaRefused, pending_of, read_applied

BUSY_SECONDS_MAX = 5.0
LOCK_POLL_SECONDS = 0.05


class ForwardOnly:
    """Mixed into the backend of a dialect, before yoyo's own."""

    books: dict[str, Query]

    def init_database(self: Any) -> None:
        self.ensure_internal_schema_updated()
        self.execute(self.books["create_checksums"].text)

    def apply_migration(self: Any, migration: Migration) -> None:
        """Apply one file and mark it, both or neither.

        A file that says `-- transactional: false` is applied before its mark and must bear being repeated.
        """
        script = Script(migration.migration_id, str(migration.path), str(migration.path.parent))
        script.load()
        if not script.use_transactions:
            script.process_steps(self, "apply")
        with self.transaction():
            if script.use_transactions:
                script.process_steps(self, "apply")
            self.log_migration(script, "apply")
            self.mark_one(script, log=False)
            self.execute(
                self.books["insert_checksum"].text,
                {"migration_id": migration.migration_id, "sha256": migration.sha256},
            )

    def rollback_one(self, *_: object, **__: object) -> NoReturn:
        raise SchemaRefused("migrations only go forward")

    unmark_one = rollback_one

    def get_log_data(self: Any, migration: Any = None, operation: str = "apply") -> dict[str, Any]:
        # yoyo asks the password file and the name server, and a container may have neither.
        data: dict[str, Any] = {
            "id": os.urandom(16).hex(),
            "migration_id": migration.id if migration else None,
            "migration_hash": migration.hash if migration else None,
            "username": os.environ.get("LOGNAME", str(os.getuid())),
            "hostname": socket.gethostname(),
            "created_at_utc": datetime.now(UTC).isoformat(),
            "operation": operation,
        }
        return data


class ForwardOnlySqlite(ForwardOnly, SQLiteBackend):  # type: ignore[misc]
    books = load("sqlite", "migrations")
    _in_transaction: bool

    def connect(self, dburi: DatabaseURI) -> sqlite3.Connection:
        conn = sqlite3.connect(dburi.database, isolation_level=None, timeout=BUSY_SECONDS_MAX)
        # Set once, here and under the lock: the file remembers it.
        conn.execute("PRAGMA journal_mode=WAL")
        conn.execute("PRAGMA synchronous=FULL")
        return conn

    def __enter__(self) -> ForwardOnlySqlite:
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

    @contextmanager
    def lock(self, timeout: float = 0) -> Iterator[None]:
        # yoyo asks for its lock again while it makes its own tables; the whole run holds the file lock.
        yield


@contextmanager
def file_lock(database: Path, seconds_max: float) -> Iterator[None]:
    """One migration runner at a time per database; the lock goes with its process, however that ends."""
    with database.with_name(database.name + ".migrate.lock").open("w") as held:
        give_up_at = time.monotonic() + seconds_max
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up_at:
                    raise SchemaRefused(f"another migration runner holds {held.name}") from None
                time.sleep(LOCK_POLL_SECONDS)
        yield


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


def backend_of(path: Path) -> ForwardOnlySqlite:
    address = DatabaseURI(
        scheme="sqlite", username=None, password=None, hostname=None, port=None, database=str(path), args={}
    )
    return ForwardOnlySqlite(address, default_migration_table)
