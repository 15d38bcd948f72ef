"""Brings a database to the schema of this build: plan, apply, check."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from service.admin.migrations.databases import Target, database_at
from service.storage.queries import MIGRATIONS_DIR
from service.storage.schema import (
    Migration,
    SchemaRefused,
    list_shipped,
    pending_of,
)

T = TypeVar("T")


LOCK_SECONDS_MAX = 60.0


def apply(
    target: Target, *, folder: Path | None = None, lock_seconds_max: float = LOCK_SECONDS_MAX
) -> list[str]:
    """Apply every migration a database lacks, making a SQLite file if need be; the ids of what was applied.

    Raises SchemaRefused; then each file is applied and remembered whole, or not at all. On PostgreSQL a
    file that cannot be in a transaction may be applied in part, and is applied from its start the next time.
    """
    database = database_at(target)
    return database.apply(list_shipped(folder or MIGRATIONS_DIR / database.dialect), lock_seconds_max)


def plan(target: Target, *, folder: Path | None = None) -> tuple[Migration, ...]:
    """The migrations `apply` would apply. Only reads. Raises SchemaRefused when `apply` would refuse."""
    database = database_at(target)
    shipped = list_shipped(folder or MIGRATIONS_DIR / database.dialect)
    return pending_of(shipped, database.look().applied)


def check(target: Target, *, folder: Path | None = None) -> tuple[str, ...]:
    """The ids of what `plan` gives; empty when the database is as this build expects.

    Raises SchemaRefused also for an index that `apply` would repair: until then no query uses it.
    """
    database = database_at(target)
    shipped = list_shipped(folder or MIGRATIONS_DIR / database.dialect)
    standing = database.look()
    pending = pending_of(shipped, standing.applied)
    if standing.repairs:
        raise SchemaRefused(f"index {standing.repairs[0][0]} is invalid; apply repairs it")
    return tuple(migration.migration_id for migration in pending)
