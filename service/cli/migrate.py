"""Brings a database to the schema of this build: plan, apply, check."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from service.storage.queries import MIGRATIONS_DIR
from service.storage.schema import Migration, SchemaRefused, list_shipped, pending_of, read_applied

T = TypeVar("T")

SQLITE_MIGRATIONS = MIGRATIONS_DIR / "sqlite"
LOCK_SECONDS_MAX = 60.0
# 1 is a refusal and 2 a wrong command line, so that a start script can tell "not yet" from "never".
EXIT_PENDING = 3


def apply(
    path: Path, *, folder: Path = SQLITE_MIGRATIONS, lock_seconds_max: float = LOCK_SECONDS_MAX
) -> list[str]:
    """Apply every migration the SQLite file lacks, making the file if need be; the ids of what was applied.

    Raises SchemaRefused; then each file is applied and remembered whole, or not at all.
    """
    # Half of the start-up time of the command line, and only this needs it.
    from service.cli.forward_only import apply_to_sqlite

    shipped = list_shipped(folder)
    return readable(path, lambda: apply_to_sqlite(path, shipped, lock_seconds_max=lock_seconds_max))


def plan(path: Path, *, folder: Path = SQLITE_MIGRATIONS) -> tuple[Migration, ...]:
    """The migrations `apply` would apply. Only reads. Raises SchemaRefused when `apply` would refuse."""
    shipped = list_shipped(folder)
    if not path.exists():
        return shipped
    return readable(path, lambda: pending_in(path, shipped))


def check(path: Path, *, folder: Path = SQLITE_MIGRATIONS) -> tuple[str, ...]:
    """The ids of what `plan` gives; empty when the file is as this build expects."""
    return tuple(migration.migration_id for migration in plan(path, folder=folder))


def pending_in(path: Path, shipped: tuple[Migration, ...]) -> tuple[Migration, ...]:
    # Not mode=ro, which would leave the files of the write-ahead log behind.
    conn = sqlite3.connect(path.absolute().as_uri() + "?mode=rw", uri=True)
    try:
        conn.execute("PRAGMA query_only=ON")
        return pending_of(shipped, read_applied(conn))
    finally:
        conn.close()


def readable(path: Path, work: Callable[[], T]) -> T:
    try:
        return work()
    except sqlite3.Error as error:
        raise SchemaRefused(f"{path} cannot be used: {error}") from error
    except OSError as error:
        raise SchemaRefused(f"{path} cannot be used: {error.strerror}") from error


sqlite_path = click.option(
    "--sqlite-path",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar=["DPM_SUPPORTABILITY_SQL_PATH", "DPM_SUPPORTABILITY_SQLITE_PATH"],
    default=Path(".data/dpm_supportability.db"),
    show_default=True,
    help="The SQLite file.",
)


@click.group()
def migrate() -> None:
    """Bring a database to the schema of this build. There is no way back but a backup."""


@migrate.command("plan")
@sqlite_path
def plan_command(sqlite_path: Path) -> None:
    """Print the files that are still to be applied, with their text."""
    pending = refusing(lambda: plan(sqlite_path))
    for migration in pending:
        click.echo(f"-- {migration.migration_id} ({migration.path.name})")
        click.echo(migration.path.read_text(encoding="utf-8"))
    if not pending:
        click.echo(f"{sqlite_path}: nothing to apply")


@migrate.command("apply")
@sqlite_path
def apply_command(sqlite_path: Path) -> None:
    """Apply every file that is still to be applied."""
    applied = refusing(lambda: apply(sqlite_path))
    for migration_id in applied:
        click.echo(f"{sqlite_path}: applied {migration_id}")
    if not applied:
        click.echo(f"{sqlite_path}: nothing to apply")


@migrate.command("check")
@sqlite_path
def check_command(sqlite_path: Path) -> None:
    """Exit 0 if the database is as this build expects, 3 if files are to be applied, 1 if it is refused."""
    if pending := refusing(lambda: check(sqlite_path)):
        click.echo(f"{sqlite_path}: to be applied: {', '.join(pending)}", err=True)
        raise SystemExit(EXIT_PENDING)
    click.echo(f"{sqlite_path}: up to date")


def refusing(work: Callable[[], T]) -> T:
    """A refusal is one line on the terminal and exit code 1."""
    try:
        return work()
    except SchemaRefused as refusal:
        raise click.ClickException(str(refusal)) from None
