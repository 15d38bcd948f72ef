"""The databases that migrations are applied to, as the commands see them.

What only one of them needs is imported where it is used: it is half of the start-up time of the command
line.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from service.storage.schema import Migration, SchemaRefused, read_applied, require_log

T = TypeVar("T")

# A path is a SQLite file, a text the address of a PostgreSQL database.
Target = Path | str


@dataclass(frozen=True, slots=True)
class MigrationState:
    """The applied migrations with their digests; each invalid index with the statement that repairs it."""

    applied: Mapping[str, str | None]
    repairs: tuple[tuple[str, str], ...] = ()


class Database(Protocol):
    @property
    def dialect(self) -> str: ...

    @property
    def shown(self) -> str:
        """What a message calls it; never with a password."""

    def look(self) -> MigrationState:
        """Where it stands. Only reads. Raises SchemaRefused."""

    def apply(self, shipped: tuple[Migration, ...], lock_seconds_max: float) -> list[str]:
        """Applies what it lacks, and gives back the ids. Raises SchemaRefused."""

    def explain(self, path: Path) -> str:
        """The text of a file as a plan prints it."""


def database_at(target: Target) -> Database:
    """Raises SchemaRefused for an address that cannot be read."""
    if isinstance(target, Path):
        return SqliteFile(target)
    from service.admin.migrations.postgres_state import shown_of

    return PostgresDatabase(target, shown_of(target))


@dataclass(frozen=True, slots=True)
class SqliteFile:
    path: Path

    @property
    def dialect(self) -> str:
        return "sqlite"

    @property
    def shown(self) -> str:
        return str(self.path)

    def look(self) -> MigrationState:
        return self._reached(self._read) if self.path.exists() else MigrationState({})

    def apply(self, shipped: tuple[Migration, ...], lock_seconds_max: float) -> list[str]:
        from service.admin.migrations.runner_sqlite import apply_to_sqlite

        return self._reached(lambda: apply_to_sqlite(self.path, shipped, lock_seconds_max=lock_seconds_max))

    def explain(self, path: Path) -> str:
        return path.read_text(encoding="utf-8")

    def _read(self) -> MigrationState:
        # Not mode=ro, which would leave the files of the write-ahead log behind.
        conn = sqlite3.connect(self.path.absolute().as_uri() + "?mode=rw", uri=True)
        try:
            conn.execute("PRAGMA query_only=ON")
            return MigrationState(read_applied(conn))
        finally:
            conn.close()

    def _reached(self, work: Callable[[], T]) -> T:
        require_log(self.path)
        try:
            return work()
        except sqlite3.Error as error:
            raise SchemaRefused(f"{self.path} cannot be used: {error}") from error
        except OSError as error:
            raise SchemaRefused(f"{self.path} cannot be used: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    dsn: str
    shown: str

    @property
    def dialect(self) -> str:
        return "postgres"

    def look(self) -> MigrationState:
        from service.admin.migrations.postgres_state import read_standing

        applied, repairs = self._reached(lambda: read_standing(self.dsn))
        return MigrationState(applied, tuple(repairs))

    def apply(self, shipped: tuple[Migration, ...], lock_seconds_max: float) -> list[str]:
        from service.admin.migrations.runner_postgres import apply_to_postgres

        return self._reached(
            lambda: apply_to_postgres(self.dsn, shipped, self.shown, lock_seconds_max=lock_seconds_max)
        )

    def explain(self, path: Path) -> str:
        from service.admin.migrations.lock_plan import asked_by
        from service.admin.migrations.runner import read_text

        text = read_text(path)
        lines = ["-- all in one transaction" if text.transactional else "-- one by one, in no transaction"]
        for statement, asked in zip(text.statements, asked_by(text.statements), strict=True):
            lines += [f"-- {asked}", statement, ""]
        return "\n".join(lines)

    def _reached(self, work: Callable[[], T]) -> T:
        import psycopg

        from service.admin.migrations.postgres_state import one_line

        try:
            return work()
        except psycopg.Error as error:
            raise SchemaRefused(f"{self.shown} cannot be used: {one_line(error)}") from error
