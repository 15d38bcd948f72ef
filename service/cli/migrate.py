"""Brings a database to the schema of this build: plan, apply, check."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TypeVar

import click
from click.core import ParameterSource

from service.cli.databases import Target, database_at
from service.storage.queries import MIGRATIONS_DIR
from service.storage.schema import Migration, SchemaRefused, list_shipped, pending_of

__all__ = ["Migration", "SchemaRefused", "apply", "check", "migrate", "plan"]

T = TypeVar("T")

LOCK_SECONDS_MAX = 60.0
# 1 is a refusal and 2 a wrong command line, so that a start script can tell "not yet" from "never".
EXIT_PENDING = 3


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


def on_a_database(command: Callable[[Target], None]) -> Callable[..., None]:
    """Gives a command the options that name its database."""

    @click.option(
        "--sqlite-path",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar=["DPM_SUPPORTABILITY_SQL_PATH", "DPM_SUPPORTABILITY_SQLITE_PATH"],
        default=Path(".data/dpm_supportability.db"),
        show_default=True,
        help="The SQLite file.",
    )
    @click.option(
        "--postgres-dsn",
        envvar="DPM_SUPPORTABILITY_POSTGRES_DSN",
        help="The address of the PostgreSQL database; one with a password is better left to the variable.",
    )
    @click.pass_context
    @wraps(command)
    def asked(context: click.Context, /, sqlite_path: Path, postgres_dsn: str | None) -> None:
        command(chosen(context, sqlite_path, postgres_dsn))

    return asked


def chosen(context: click.Context, sqlite_path: Path, postgres_dsn: str | None) -> Target:
    """The database of the command line, else the one the service would use."""
    sqlite, postgres = (
        context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        for name in ("sqlite_path", "postgres_dsn")
    )
    if sqlite and postgres:
        raise click.UsageError("--sqlite-path and --postgres-dsn name two databases; give one")
    serving = os.environ.get("DPM_SUPPORTABILITY_STORE_BACKEND", "").strip().upper()
    if not postgres and (sqlite or serving != "POSTGRES"):
        return sqlite_path
    if not postgres_dsn or not postgres_dsn.strip():
        raise click.UsageError("give --postgres-dsn or set DPM_SUPPORTABILITY_POSTGRES_DSN")
    return postgres_dsn.strip()


@click.group()
def migrate() -> None:
    """Bring a database to the schema of this build. There is no way back but a backup."""


@migrate.command("plan")
@on_a_database
def plan_command(target: Target) -> None:
    """Print the files that are still to be applied, with their text and, for PostgreSQL, their locks."""
    database = refusing(lambda: database_at(target))
    pending = refusing(lambda: plan(target))
    repairs = refusing(database.look).repairs
    for _, repair in repairs:
        click.echo(f"-- repairs an invalid index\n{repair};\n")
    for migration in pending:
        click.echo(f"-- {migration.migration_id} ({migration.path.name})")
        click.echo(refusing(lambda path=migration.path: database.explain(path)))  # type: ignore[misc]
    if not pending and not repairs:
        click.echo(f"{database.shown}: nothing to apply")


@migrate.command("apply")
@on_a_database
def apply_command(target: Target) -> None:
    """Apply every file that is still to be applied."""
    shown = refusing(lambda: database_at(target)).shown
    applied = refusing(lambda: apply(target))
    for migration_id in applied:
        click.echo(f"{shown}: applied {migration_id}")
    if not applied:
        click.echo(f"{shown}: nothing to apply")


@migrate.command("check")
@on_a_database
def check_command(target: Target) -> None:
    """Exit 0 if the database is as this build expects, 3 if files are to be applied, 1 if it is refused."""
    shown = refusing(lambda: database_at(target)).shown
    if pending := refusing(lambda: check(target)):
        click.echo(f"{shown}: to be applied: {', '.join(pending)}", err=True)
        raise SystemExit(EXIT_PENDING)
    click.echo(f"{shown}: up to date")


def refusing(work: Callable[[], T]) -> T:
    """A refusal is one line on the terminal and exit code 1."""
    try:
        return work()
    except SchemaRefused as refusal:
        raise click.ClickException(str(refusal)) from None
