"""Moves what is in a SQLite file to a PostgreSQL database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from service.admin.migrations import migrate
from service.admin.migrations.databases import database_at
from service.storage.schema import SchemaRefused
from service.wiring.exit_codes import EXIT_REFUSED, refused

if TYPE_CHECKING:
    from service.admin.copy.table_copy import Copied

EXIT_DIFFERENT = 1
BATCH_DEFAULT = 200
BATCH_MAX = 5000
# As much of a digest as tells two apart at a look; all of it is in the JSON.
SHOWN = 12
APPLICATION_NAME = "lotus-manage copy"


@click.command()
@click.option(
    "--from-sqlite",
    "source",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The SQLite file; nobody may write to it meanwhile.",
)
@click.option(
    "--to-dsn",
    "dsn",
    required=True,
    envvar="DPM_SUPPORTABILITY_POSTGRES_DSN",
    help="The migrated PostgreSQL database, by a login that owns its tables and past any pooler.",
)
@click.option(
    "--batch",
    default=BATCH_DEFAULT,
    show_default=True,
    type=click.IntRange(1, BATCH_MAX),
    help="How many rows of a table make one transaction.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts and digests as JSON.")
def copy(source: Path, dsn: str, batch: int, as_json: bool) -> None:
    """Copy a store from SQLite to PostgreSQL, and compare counts and digests of every table.

    A copy that was cut off is begun again in the same words, and goes on where it ended. Nothing that is in
    the database is ever overwritten: a row that is not in the file, or is another one there, is a refusal.

    Exit 0 if both hold the same, 1 if they do not, 3 if one of them cannot be used.
    """
    with refusing():
        require_current(source)
        require_current(dsn)
        copied = copied_between(source, dsn, batch)
    if as_json:
        click.echo(json.dumps(described(copied), indent=2))
    else:
        click.echo(table_of(copied))
    if different := [one.table for one in copied if not one.equal]:
        click.echo(
            f"different: {', '.join(different)}; if the file was written to meanwhile, run this again, "
            "and into an empty database where a row has changed",
            err=True,
        )
        raise SystemExit(EXIT_DIFFERENT)


def require_current(target: Path | str) -> None:
    """Raises SchemaRefused unless a database has the schema of this build."""
    if pending := migrate.check(target):
        raise SchemaRefused(f"{database_at(target).shown} lacks {', '.join(pending)}; migrate it first")


def copied_between(source: Path, dsn: str, batch: int) -> tuple[Copied, ...]:
    # The driver is half of the start-up time of the command line.
    from service.admin.copy.table_catalog_postgres import PostgresTables
    from service.admin.copy.table_catalog_sqlite import SqliteTables
    from service.admin.copy.table_copy import Copying

    with (
        closing(SqliteTables(source)) as read,
        closing(PostgresTables(dsn, application_name=APPLICATION_NAME)) as written,
    ):
        return Copying(read, written, batch=batch).run()


@contextmanager
def refusing() -> Iterator[None]:
    """What cannot be used is one line on the terminal and exit code 3; a row that is in the way is 1."""
    import psycopg

    from service.admin.copy.table_catalog import TablesRefused
    from service.admin.copy.table_copy import CopyRefused
    from service.admin.migrations.postgres_state import one_line

    try:
        yield
    except CopyRefused as reason:
        click.echo(str(reason), err=True)
        raise SystemExit(EXIT_DIFFERENT) from None
    except (SchemaRefused, TablesRefused) as reason:
        raise refused(reason) from None
    except psycopg.Error as error:
        click.echo(f"the database cannot be used: {one_line(error)}", err=True)
        raise SystemExit(EXIT_REFUSED) from None
    except sqlite3.Error as error:
        click.echo(f"the file cannot be used: {error}", err=True)
        raise SystemExit(EXIT_REFUSED) from None


def described(copied: tuple[Copied, ...]) -> dict[str, Any]:
    return {
        "equal": all(one.equal for one in copied),
        "tables": [
            {
                "table": one.table,
                "equal": one.equal,
                "added": one.added,
                "source": {"rows": one.source.rows, "sha256": one.source.sha256},
                "target": {"rows": one.target.rows, "sha256": one.target.sha256},
            }
            for one in copied
        ],
    }


def table_of(copied: tuple[Copied, ...]) -> str:
    """One line for each table, with counts and the heads of the digests."""
    wide = max(len(one.table) for one in copied)
    head = f"{'table':{wide}} {'source':>9} {'target':>9} {'added':>9}  {'digests':{2 * SHOWN + 1}}"
    lines = [
        f"{one.table:{wide}} {one.source.rows:9} {one.target.rows:9} {one.added:9}"
        f"  {one.source.sha256[:SHOWN]} {one.target.sha256[:SHOWN]}  {'equal' if one.equal else 'DIFFERENT'}"
        for one in copied
    ]
    return "\n".join([head, *lines])
