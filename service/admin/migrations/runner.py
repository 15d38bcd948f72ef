"""Applies migrations forward, one transaction each; with its two dialects the only code that imports yoyo.

yoyo brings the splitting of a file into statements, its directives and its history. What it lacks is added
here: a migration and its mark are one transaction, the digest of its text is kept, the lock dies with its
process, and nothing is ever rolled back.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from yoyo.migrations import Migration as Script
from yoyo.migrations import default_migration_table, read_sql_migration

from service.storage.queries import Query
from service.storage.schema import Migration, SchemaRefused

__all__ = ["MIGRATION_TABLE", "MigrationRunner", "Text", "poll", "read_text"]

MIGRATION_TABLE = default_migration_table


@dataclass(frozen=True, slots=True)
class Text:
    """The statements of a file, and whether they are one transaction."""

    statements: tuple[str, ...]
    transactional: bool


def read_text(path: Path) -> Text:
    """What a file says. Raises SchemaRefused for a directive that says neither true nor false."""
    directives, _, statements = read_sql_migration(str(path))
    said = directives.get("transactional", "true").strip().lower()
    if said not in {"true", "false"}:
        raise SchemaRefused(f"{path.name} says transactional: {said}, which is neither true nor false")
    return Text(tuple(statements), said == "true")


class MigrationRunner:
    """Mixed into the backend of a dialect, before yoyo's own."""

    queries: dict[str, Query]

    def init_database(self: Any) -> None:
        self.ensure_internal_schema_updated()
        self.execute(self.queries["create_checksums"].text)

    def apply_migration(self: Any, migration: Migration) -> None:
        """Apply one file and mark it, both or neither.

        A file that says `-- transactional: false` is applied before its mark and must bear being repeated.
        """
        text = read_text(migration.path)
        if not text.transactional:
            self.apply_alone(text.statements)
        with self.transaction():
            if text.transactional:
                self.run(text.statements)
            script = Script(migration.migration_id, str(migration.path), str(migration.path.parent))
            self.log_migration(script, "apply")
            self.mark_one(script, log=False)
            self.execute(
                self.queries["insert_checksum"].text,
                {"migration_id": migration.migration_id, "sha256": migration.sha256},
            )

    def apply_alone(self, statements: tuple[str, ...]) -> None:
        """Run statements that cannot be in a transaction."""
        self.run(statements)

    def run(self: Any, statements: tuple[str, ...]) -> None:
        for statement in statements:
            cursor = self.cursor()
            cursor.execute(statement)
            cursor.close()

    @contextmanager
    def lock(self, timeout: float = 0) -> Iterator[None]:
        # yoyo asks for its lock again while it makes its own tables; the whole run holds ours.
        yield

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


def poll(take: Callable[[], bool], holder: str, *, seconds_max: float, every_seconds: float) -> None:
    """Try to take a lock until it is ours. Raises SchemaRefused when another runner keeps it too long."""
    give_up_at = time.monotonic() + seconds_max
    while not take():
        if time.monotonic() > give_up_at:
            raise SchemaRefused(f"another migration runner holds {holder}")
        time.sleep(every_seconds)
