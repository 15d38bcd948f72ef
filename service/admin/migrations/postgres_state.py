"""Where a PostgreSQL database stands, by its address; only reads, and never says a password."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from service.storage.queries import load
from service.storage.schema import SchemaRefused, read_applied

UNREADABLE = "the address of the PostgreSQL database cannot be read"


def shown_of(dsn: str) -> str:
    """A database's name and place. Raises SchemaRefused for an address that says neither or unclearly."""
    try:
        said = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        # The driver would quote the text it stumbled over, which may be a password.
        raise SchemaRefused(UNREADABLE) from None
    place = [str(said.get(part) or "") for part in ("dbname", "host", "port")]
    if any("@" in part for part in place):
        raise SchemaRefused(f"{UNREADABLE}: spell the / of a password %2F and its @ %40")
    name, host, port = place
    return f"database {name or said.get('user') or 'of this user'} on {host or 'this machine'}" + (
        f":{port}" if port else ""
    )


def read_standing(dsn: str) -> tuple[dict[str, str | None], list[tuple[str, str]]]:
    """The applied migrations with their digests, and the invalid indexes with their repairs."""
    with psycopg.connect(dsn) as conn:
        conn.read_only = True
        return read_applied(conn, "postgres"), list_invalid_indexes(conn)


def list_invalid_indexes(conn: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """The name of each index that is left invalid, with the statement that repairs it."""
    return conn.execute(load("postgres", "migrations")["list_invalid_indexes"].text).fetchall()


def one_line(error: psycopg.Error) -> str:
    """What went wrong, without the excerpt of the statement."""
    return error.diag.message_primary or " ".join(str(error).split())
