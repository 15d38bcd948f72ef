"""Brings a database to the schema of this build: plan, apply, check."""

from __future__ import annotations

from collections.abc import Callable

import click

from service.admin.migrations.databases import Target, database_at
from service.admin.migrations.migrate import T, apply, check, plan
from service.cli.migration_options import MigrationTarget, on_databases
from service.storage.schema import (
    EditedSinceApplied,
    Migration,
    SchemaRefused,
)

__all__ = ["Migration", "SchemaRefused", "apply", "check", "migrate", "plan"]


# 1 is a refusal and 2 a wrong command line, so that a start script can tell "not yet" from "never".
EXIT_PENDING = 3


@click.group()
def migrate() -> None:
    """Bring a database to the schema of this build. There is no way back but a backup."""


@migrate.command("plan")
@on_databases
def plan_command(aims: tuple[MigrationTarget, ...]) -> None:
    """Print the files that are still to be applied, with their text and, for PostgreSQL, their locks."""
    for aim in aims:
        for text in refusing(aim, planned):
            click.echo(text)


@migrate.command("apply")
@on_databases
def apply_command(aims: tuple[MigrationTarget, ...]) -> None:
    """Apply every file that is still to be applied."""
    for aim in aims:
        shown = refusing(aim, database_at).shown
        applied = refusing(aim, apply)
        for migration_id in applied:
            click.echo(f"{shown}: applied {migration_id}")
        if not applied:
            click.echo(f"{shown}: nothing to apply")


@migrate.command("check")
@on_databases
def check_command(aims: tuple[MigrationTarget, ...]) -> None:
    """Exit 0 if the database is as this build expects, 3 if files are to be applied, 1 if it is refused."""
    is_pending = False
    for aim in aims:
        shown = refusing(aim, database_at).shown
        if pending := refusing(aim, check):
            click.echo(f"{shown}: to be applied: {', '.join(pending)}", err=True)
            is_pending = True
        else:
            click.echo(f"{shown}: up to date")
    if is_pending:
        raise SystemExit(EXIT_PENDING)


def planned(target: Target) -> list[str]:
    """What `apply` would run, as it is shown. Raises SchemaRefused."""
    database = database_at(target)
    pending = plan(target)
    texts = [f"-- repairs an invalid index\n{repair};\n" for _, repair in database.look().repairs]
    for migration in pending:
        texts += [
            f"-- {migration.migration_id} ({migration.path.name})",
            database.explain(migration.path),
        ]
    return texts or [f"{database.shown}: nothing to apply"]


def refusing(aim: MigrationTarget, work: Callable[[Target], T]) -> T:
    """A refusal is one line on the terminal and exit code 1."""
    try:
        return work(aim.target)
    except EditedSinceApplied as refusal:
        code = f"POSTGRES_MIGRATION_CHECKSUM_MISMATCH:{aim.namespace}:{refusal.number:04d}: "
        raise click.ClickException((code if aim.namespace else "") + str(refusal)) from None
    except SchemaRefused as refusal:
        raise click.ClickException(str(refusal)) from None
