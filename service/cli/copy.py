"""Moves what is in a SQLite file to a PostgreSQL database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.admin.copy.run import copied_between, described, require_current, table_of
from service.storage.schema import SchemaRefused
from service.wiring.exit_codes import EXIT_REFUSED, refused

if TYPE_CHECKING:
    pass

EXIT_DIFFERENT = 1
BATCH_DEFAULT = 200
BATCH_MAX = 5000


@click.command()
@click.option(
    "--from-sqlite",
    "source",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The SQLite file; no process may write to it meanwhile.",
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
