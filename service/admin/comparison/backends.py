"""The two places of a comparison: memory, a SQLite file, a PostgreSQL database; nothing is kept there yet."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from service.admin.migrations import migrate
from service.admin.migrations.databases import database_at
from service.settings.environment import StoreBackend
from service.settings.process import Settings
from service.storage.ports.store import Store
from service.storage.schema import SchemaRefused
from service.wiring import stores

if TYPE_CHECKING:
    from service.admin.copy.table_catalog import Tables

MEMORY = "memory:"
SQLITE = "sqlite:"
POSTGRES = ("postgresql://", "postgres://")
APPLICATION_NAME = "lotus-manage parity"


class BackendRefused(Exception):
    """An address says nothing, or what is there cannot be used or holds something already."""


@dataclass(frozen=True, slots=True)
class Backend:
    backend: StoreBackend
    # A path is a SQLite file, a text the address of a PostgreSQL database.
    target: Path | str | None = None

    @property
    def shown(self) -> str:
        """What a message calls it; never with a password."""
        return MEMORY.rstrip(":") if self.target is None else database_at(self.target).shown


def place_of(address: str) -> Backend:
    """Raises BackendRefused."""
    if address == MEMORY:
        return Backend(StoreBackend.IN_MEMORY)
    if address.startswith(SQLITE) and len(address) > len(SQLITE):
        return Backend(StoreBackend.SQL, Path(address.removeprefix(SQLITE)))
    if address.startswith(POSTGRES):
        try:
            database_at(address)
        except SchemaRefused as refusal:
            raise BackendRefused(str(refusal)) from None
        return Backend(StoreBackend.POSTGRES, address)
    raise BackendRefused("a place is memory:, sqlite:PATH or postgresql://…")


def prepare(place: Backend) -> None:
    """Makes a missing file. Raises BackendRefused unless it has the schema of this build and no row."""
    if place.target is None:
        return
    try:
        if isinstance(place.target, Path) and not place.target.exists():
            migrate.apply(place.target)
        if pending := migrate.check(place.target):
            raise BackendRefused(f"{place.shown} lacks {', '.join(pending)}; migrate it first")
        _require_empty(place)
    except SchemaRefused as refusal:
        raise BackendRefused(str(refusal)) from None


def _require_empty(place: Backend) -> None:
    import psycopg

    from service.admin.copy.table_catalog import TablesRefused
    from service.admin.migrations.postgres_state import one_line

    try:
        with closing(tables_at(place)) as opened:
            for name, table in opened.tables().items():
                if count := opened.count(table):
                    raise BackendRefused(
                        f"{place.shown} is not empty: {name} has rows ({count}); "
                        "requests are only replayed where nothing is kept"
                    )
    except TablesRefused as refusal:
        raise BackendRefused(str(refusal)) from None
    except sqlite3.Error as error:
        raise BackendRefused(f"{place.shown} cannot be used: {error}") from None
    except psycopg.Error as error:
        raise BackendRefused(f"{place.shown} cannot be used: {one_line(error)}") from None


def tables_at(place: Backend) -> Tables:
    """The tables of a place that has some."""
    from service.admin.copy.table_catalog_postgres import PostgresTables
    from service.admin.copy.table_catalog_sqlite import SqliteTables

    assert place.target is not None, "memory has no tables"
    if isinstance(place.target, Path):
        return SqliteTables(place.target)
    return PostgresTables(place.target, application_name=APPLICATION_NAME)


async def open_at(place: Backend, settings: Settings) -> Store:
    """Raises StoreUnavailable."""
    chosen = replace(settings, store_backend=place.backend)
    if isinstance(place.target, Path):
        chosen = replace(chosen, sql_path=place.target)
    elif place.target is not None:
        chosen = replace(chosen, postgres_dsn=place.target)
    return await stores.open_store(chosen)
