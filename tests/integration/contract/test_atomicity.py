"""An act that fails at any of its writes keeps nothing; for the backends whose writes can fail."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

from service.domains.dpm_runs import RunStatus
from service.domains.retention import KEEP_ALL, Horizon
from service.domains.workflow_decisions import WorkflowAction
from service.errors import StoreUnavailable
from service.storage.port import Store
from service.storage.postgres.store import PostgresStore
from service.storage.sqlite.store import SqliteStore
from tests.integration.contract.builders import (
    OTHER_HASH,
    REVIEWED,
    a_batch,
    a_purge,
    a_replay,
    a_run,
    a_verdict,
    after,
    an_admission,
    an_artifact,
    an_operation,
    started,
    succeeded,
)

TABLES = (
    "dpm_run_requests",
    "dpm_runs",
    "dpm_run_idempotency",
    "dpm_run_idempotency_history",
    "dpm_lineage_edges",
    "dpm_run_artifacts",
    "dpm_workflow_decisions",
    "dpm_operations",
    "dpm_purges",
    "dpm_tallies",
    "dpm_tally_changes",
)
RUN = a_run(rebalance_run_id="rr_held", status=RunStatus.PENDING_REVIEW, created_at=after(1))
BATCH = a_batch("a", "b", "c", artifacts=True, sent_as="corr", created_at=after(2))
OPERATION = an_operation(operation_id="dop_held")
REPLAY = a_replay(RUN, artifact=True)
VERDICT = a_verdict(RUN, WorkflowAction.REJECT)
PURGE = a_purge(Horizon(after(50), after(50)))
ADMISSION = an_admission(idempotency_key="key-2", artifact=True)
MOVE = an_admission(replay=False, request_hash=OTHER_HASH, artifact=True)
RENEWAL = an_admission(request_hash=OTHER_HASH, artifact=True, created_at=after(9))

OF_A_RUN = {"dpm_runs", "dpm_lineage_edges", "dpm_run_artifacts", "dpm_tally_changes"}
OF_A_KEY = {"dpm_run_requests", "dpm_run_idempotency", "dpm_run_idempotency_history"}
OF_WHAT_GOES = {
    "dpm_run_requests",
    "dpm_runs",
    "dpm_run_idempotency",
    "dpm_run_idempotency_history",
    "dpm_lineage_edges",
    "dpm_run_artifacts",
    "dpm_workflow_decisions",
    "dpm_operations",
}
# What each act does, and the statement and table of every write it makes.
ACTS = {
    "admit": (
        lambda store: store.dpm_runs.admit(ADMISSION, KEEP_ALL),
        [("INSERT", table) for table in OF_A_RUN | OF_A_KEY],
    ),
    "admit without replay": (
        lambda store: store.dpm_runs.admit(MOVE, KEEP_ALL),
        [("INSERT", table) for table in (OF_A_RUN | OF_A_KEY) - {"dpm_run_idempotency"}]
        + [("UPDATE", "dpm_run_idempotency")],
    ),
    "admit with an expired key": (
        lambda store: store.dpm_runs.admit(RENEWAL, Horizon(after(5), after(5))),
        [("INSERT", table) for table in (OF_A_RUN | OF_A_KEY) - {"dpm_run_idempotency"}]
        + [("UPDATE", "dpm_run_idempotency")],
    ),
    "admit_batch": (
        lambda store: store.dpm_runs.admit_batch(BATCH),
        [("INSERT", table) for table in OF_A_RUN | {"dpm_run_requests"}],
    ),
    "admit_replay": (
        lambda store: store.dpm_runs.admit_replay(REPLAY, KEEP_ALL),
        [("INSERT", table) for table in OF_A_RUN],
    ),
    "keep": (
        lambda store: store.artifacts.keep(an_artifact(RUN)),
        [("INSERT", table) for table in OF_A_RUN - {"dpm_runs"}],
    ),
    "decide": (
        lambda store: store.workflow_decisions.decide(VERDICT, REVIEWED, KEEP_ALL),
        [("INSERT", "dpm_workflow_decisions"), ("INSERT", "dpm_tally_changes")],
    ),
    "submit": (
        lambda store: store.operations.submit(an_operation(operation_id="dop_new")),
        [("INSERT", table) for table in ("dpm_operations", "dpm_lineage_edges", "dpm_tally_changes")],
    ),
    "advance": (
        lambda store: store.operations.advance(started(OPERATION)),
        [("UPDATE", "dpm_operations"), ("INSERT", "dpm_tally_changes")],
    ),
    "fold": (
        lambda store: store.supportability.fold(),
        [("INSERT", "dpm_tallies"), ("DELETE", "dpm_tally_changes")],
    ),
    "remove": (
        lambda store: store.purges.remove(PURGE),
        [("DELETE", table) for table in OF_WHAT_GOES]
        + [("INSERT", "dpm_purges"), ("INSERT", "dpm_tally_changes")],
    ),
}
WRITES = [
    pytest.param(act, statement, table, id=f"{name}: {statement} {table}")
    for name, (act, writes) in ACTS.items()
    for statement, table in sorted(writes)
]


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A file seen from beside the store."""

    path: Path

    def break_write(self, statement: str, table: str) -> None:
        self._execute(
            f"CREATE TRIGGER broken BEFORE {statement} ON {table}"
            " BEGIN SELECT RAISE(ABORT, 'disk on fire'); END"
        )

    def mend(self, table: str) -> None:
        self._execute("DROP TRIGGER broken")

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        with closing(sqlite3.connect(self.path)) as conn:
            return {table: sorted(conn.execute(f"SELECT * FROM {table}"), key=repr) for table in TABLES}

    def _execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as conn:
            conn.execute(statement)


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    """A database seen from beside the store."""

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


@dataclass(frozen=True, slots=True)
class Breakable:
    store: Store
    database: SqliteFile | PostgresDatabase


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def breakable(request: pytest.FixtureRequest) -> AsyncIterator[Breakable]:
    """A store that holds one of everything, and its database to break."""
    database: SqliteFile | PostgresDatabase
    if request.param == "sqlite":
        database = SqliteFile(request.getfixturevalue("sqlite_file"))
        store: Store = await SqliteStore.open(database.path)
    else:
        database = PostgresDatabase(request.getfixturevalue("emptied_postgres"))
        store = await PostgresStore.open(database.dsn)
    try:
        await fill(store)
        yield Breakable(store, database)
    finally:
        await store.close()


async def fill(store: Store) -> None:
    held = an_admission(
        rebalance_run_id="rr_held", status=RunStatus.PENDING_REVIEW, created_at=after(1), replay=False
    )
    with_artifact = an_admission(idempotency_key="key-3", artifact=True, created_at=after(1))
    ended = an_operation()
    await store.dpm_runs.admit(with_artifact, KEEP_ALL)
    await store.supportability.fold()
    await store.dpm_runs.admit(held, KEEP_ALL)
    await store.workflow_decisions.decide(a_verdict(RUN), REVIEWED, KEEP_ALL)
    await store.operations.submit(OPERATION)
    await store.operations.submit(ended)
    await store.operations.advance(started(ended))
    await store.operations.advance(succeeded(started(ended)))


@pytest.mark.parametrize(("act", "statement", "table"), WRITES)
async def test_an_act_that_fails_at_any_write_keeps_nothing_and_can_be_repeated(
    breakable, act, statement, table
):
    before = breakable.database.rows()
    breakable.database.break_write(statement, table)

    try:
        with pytest.raises(StoreUnavailable):
            await act(breakable.store)

        assert breakable.database.rows() == before
    finally:
        breakable.database.mend(table)
    await act(breakable.store)
    assert breakable.database.rows()[table] != before[table]
