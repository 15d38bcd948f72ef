"""Databases seen from beside the store: to look at rows, to break writes, to write past the store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from service.storage.ports.store import Store
from service.storage.postgres.store import PostgresStore
from service.storage.sqlite.store import SqliteStore

TABLES = (
    "dpm_run_requests",
    "dpm_runs",
    "dpm_run_idempotency",
    "dpm_run_idempotency_history",
    "dpm_lineage_edges",
    "dpm_run_artifacts",
    "dpm_workflow_decisions",
    "dpm_operations",
    "dpm_operation_scenarios",
    "dpm_idempotent_answers",
    "dpm_policy_pack_changes",
    "proposals",
    "proposal_versions",
    "proposal_events",
    "proposal_approvals",
    "proposal_keys",
    "proposal_simulations",
    "dpm_purges",
    "dpm_parity_differences",
    "dpm_tallies",
    "dpm_tally_changes",
)
REFUSED = (sqlite3.IntegrityError, psycopg.IntegrityError)


@dataclass(frozen=True, slots=True)
class SqliteFile:
    path: Path

    def break_write(self, statement: str, table: str) -> None:
        self.execute(
            f"CREATE TRIGGER broken BEFORE {statement} ON {table}"
            " BEGIN SELECT RAISE(ABORT, 'disk on fire'); END"
        )

    def mend(self, table: str) -> None:
        self.execute("DROP TRIGGER broken")

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        with closing(sqlite3.connect(self.path)) as conn:
            return {table: sorted(conn.execute(f"SELECT * FROM {table}"), key=repr) for table in TABLES}

    def execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as conn:
            conn.execute("PRAGMA foreign_keys=ON")
            conn.execute(statement)


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    dsn: str

    def break_write(self, statement: str, table: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            conn.execute(
                "CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql"
                " AS $$ BEGIN RAISE EXCEPTION 'disk on fire'; END $$"
            )
            conn.execute(
                sql.SQL(
                    "CREATE TRIGGER broken BEFORE {} ON {} FOR EACH ROW EXECUTE FUNCTION broken()"
                ).format(sql.SQL(statement), sql.Identifier(table))
            )

    def mend(self, table: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            conn.execute(sql.SQL("DROP TRIGGER broken ON {}").format(sql.Identifier(table)))

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            return {
                table: sorted(
                    conn.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))).fetchall(),
                    key=repr,
                )
                for table in TABLES
            }

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            conn.execute(statement)


@dataclass(frozen=True, slots=True)
class Beside:
    """A store and its database."""

    store: Store
    database: SqliteFile | PostgresDatabase


async def opened_beside(dialect: str, request: pytest.FixtureRequest) -> Beside:
    """A store without a row."""
    if dialect == "sqlite":
        path = request.getfixturevalue("sqlite_file")
        return Beside(await SqliteStore.open(path), SqliteFile(path))
    dsn = request.getfixturevalue("emptied_postgres")
    return Beside(await PostgresStore.open(dsn), PostgresDatabase(dsn))
