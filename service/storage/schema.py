"""Which migrations this build ships, and whether a database is where the build expects it.

Migrations are only ever added: a file that was applied is never edited, removed or overtaken.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from service.storage.queries import MIGRATIONS_DIR, load

FILE_NAME = re.compile(r"(?P<number>(?!0000)[0-9]{4})\.[a-z0-9_]+\.sql")
# What tells the applied migrations, by the number of tables that its history has.
LISTS = ("", "list_applied_without_digests", "list_applied")


class SchemaRefused(Exception):
    """The shipped files, or a database next to them, are not in a state we go on from."""


class EditedSinceApplied(SchemaRefused):
    """A shipped file has another text than when it was applied."""

    def __init__(self, migration: Migration) -> None:
        super().__init__(f"{migration.migration_id} was edited after it was applied")
        self.number = migration.number


@dataclass(frozen=True, slots=True)
class Migration:
    migration_id: str
    number: int
    path: Path
    sha256: str


def list_shipped(folder: Path) -> tuple[Migration, ...]:
    """Every migration in a folder, by number. Raises SchemaRefused for a stray name, a double or a gap."""
    shipped = tuple(migration_at(path) for path in sorted(folder.iterdir()))
    for expected, migration in enumerate(shipped, start=1):
        if migration.number < expected:
            raise SchemaRefused(f"migration number {migration.number:04d} is used twice in {folder.name}/")
        if migration.number > expected:
            raise SchemaRefused(f"migration number {expected:04d} is missing from {folder.name}/")
    return shipped


def shipped_for(dialect: str) -> tuple[Migration, ...]:
    return list_shipped(MIGRATIONS_DIR / dialect)


def migration_at(path: Path) -> Migration:
    name = FILE_NAME.fullmatch(path.name)
    if name is None:
        raise SchemaRefused(f"{path.parent.name}/{path.name} is not named like a migration (0001.words.sql)")
    return Migration(path.stem, int(name["number"]), path, digest_of_text(path.read_bytes()))


def digest_of_text(text: bytes) -> str:
    """The digest of a migration's text, the same whatever line endings a checkout gave it."""
    return hashlib.sha256(text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")).hexdigest()


def pending_of(shipped: Sequence[Migration], applied: Mapping[str, str | None]) -> tuple[Migration, ...]:
    """The shipped migrations a database still lacks.

    Raises SchemaRefused when a migration was applied without its digest, when the database knows one this
    build does not ship, when an applied file was edited since, or when a pending file comes before an
    applied one.
    """
    if foreign := sorted(migration_id for migration_id, kept in applied.items() if kept is None):
        raise SchemaRefused(f"{foreign[0]} was applied without its digest, by another tool")
    if unknown := sorted(applied.keys() - {migration.migration_id for migration in shipped}):
        raise SchemaRefused(f"the database is ahead of this build: it has {', '.join(unknown)}")
    for migration in shipped:
        if applied.get(migration.migration_id, migration.sha256) != migration.sha256:
            raise EditedSinceApplied(migration)
    pending = tuple(migration for migration in shipped if migration.migration_id not in applied)
    last = max((migration.number for migration in shipped if migration.migration_id in applied), default=0)
    for migration in pending:
        if migration.number < last:
            raise SchemaRefused(
                f"{migration.migration_id} comes before {last:04d}, which was applied already"
            )
    return pending


def require_log(path: Path) -> None:
    """Raises SchemaRefused for a SQLite file that was in use when its write-ahead log was removed."""
    log, shared = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    if shared.exists() and not log.exists():
        raise SchemaRefused(
            f"{log} is missing, and {shared.name} says that it was in use: {path.name} lacks what it held; "
            f"put it back, or remove {shared.name} to go on without"
        )


class Readable(Protocol):
    """A connection of sqlite3 or psycopg."""

    def execute(self, query: str, /) -> Any: ...


def read_applied(conn: Readable, dialect: str = "sqlite") -> dict[str, str | None]:
    """The migrations a database has had, each with the digest of its text if one was kept."""
    queries = load(dialect, "migrations")
    (tables,) = conn.execute(queries["count_history_tables"].text).fetchone()
    return dict(conn.execute(queries[LISTS[tables]].text).fetchall()) if tables else {}
