"""Runs a copy from a SQLite file to a PostgreSQL database, and describes what it found."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.admin.migrations import migrate
from service.admin.migrations.databases import database_at
from service.storage.schema import SchemaRefused

if TYPE_CHECKING:
    from service.admin.copy.table_copy import Copied


# As much of a digest as tells two apart at a look; all of it is in the JSON.
SHOWN = 12


APPLICATION_NAME = "lotus-manage copy"


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
