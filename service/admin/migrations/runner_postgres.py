"""Applies migrations to a PostgreSQL database, and repairs the indexes an earlier run left invalid."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI

from service.admin.migrations.postgres_state import list_invalid_indexes, one_line
from service.admin.migrations.runner import MIGRATION_TABLE, MigrationRunner, poll
from service.storage.postgres.addresses import writable
from service.storage.queries import SQL_DIR, parse
from service.storage.schema import Migration, SchemaRefused, pending_of, read_applied

LOCK_POLL_SECONDS = 0.2
APPLICATION_NAME = "lotus-manage migrate"


class PostgresMigrationRunner(MigrationRunner, PostgresqlPsycopgBackend):  # type: ignore[misc]
    # yoyo numbers parameters by itself, in the way of the driver.
    queries = parse((SQL_DIR / "postgres" / "migrations.sql").read_text(encoding="utf-8"), numbered=False)
    connection: psycopg.Connection[Any]

    def connect(self, dburi: DatabaseURI) -> psycopg.Connection[Any]:
        # Not yoyo's, which takes an address apart and loses what it does not know. In autocommit, or the
        # lock would be asked for in a transaction, whose snapshot holds up the indexes of the one inside.
        return psycopg.connect(
            writable(dburi.args["dsn"]), autocommit=True, fallback_application_name=APPLICATION_NAME
        )

    def apply_alone(self, statements: tuple[str, ...]) -> None:
        # After a failure the session ends, and what it has set with it.
        self.run((*statements, self.queries["reset_session"].text))
        self.refuse_invalid_indexes()

    def rollback(self) -> None:
        # A connection that broke has nothing to take back, and the error that broke it says more.
        with suppress(psycopg.OperationalError):
            super().rollback()

    def take_lock(self) -> bool:
        (locked,) = self.execute(self.queries["try_lock"].text).fetchone()
        return bool(locked)

    def repair_indexes(self) -> None:
        for name, repair in list_invalid_indexes(self.connection):
            try:
                self.run((repair,))
            except psycopg.Error as error:
                raise SchemaRefused(
                    f"index {name} is invalid and could not be repaired: {one_line(error)}"
                ) from error

    def refuse_invalid_indexes(self) -> None:
        if invalid := list_invalid_indexes(self.connection):
            raise SchemaRefused(f"index {invalid[0][0]} is invalid")


def apply_to_postgres(
    dsn: str, shipped: tuple[Migration, ...], shown: str, *, lock_seconds_max: float
) -> list[str]:
    """Apply what the database lacks and give back the ids of what was applied."""
    with backend_of(dsn) as backend:
        # Kept until the session ends, however it ends.
        holder = f"the lock of {shown}"
        poll(backend.take_lock, holder, seconds_max=lock_seconds_max, every_seconds=LOCK_POLL_SECONDS)
        pending = pending_of(shipped, read_applied(backend.connection, "postgres"))
        backend.repair_indexes()
        backend.init_database()
        for migration in pending:
            try:
                backend.apply_migration(migration)
            except psycopg.Error as error:
                raise SchemaRefused(
                    f"{migration.migration_id} could not be applied: {one_line(error)}"
                ) from error
        backend.refuse_invalid_indexes()
    return [migration.migration_id for migration in pending]


def backend_of(dsn: str) -> PostgresMigrationRunner:
    address = DatabaseURI(
        scheme="postgresql",
        username=None,
        password=None,
        hostname=None,
        port=None,
        database="",
        args={"dsn": dsn},
    )
    return PostgresMigrationRunner(address, MIGRATION_TABLE)
