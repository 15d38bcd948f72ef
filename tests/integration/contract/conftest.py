"""The stores the contract is held to; a backend that cannot run fails its tests."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql
from psycopg.rows import TupleRow

import scripts.harness.postgres
from service.storage.memory.store import MemoryStore
from service.storage.ports.store import Store
from service.storage.postgres.store import PostgresStore
from service.storage.sqlite.store import SqliteStore
from tests.conftest import OURS

TABLES = (
    "SELECT schemaname, tablename FROM pg_tables"
    " WHERE tablename LIKE ANY (ARRAY['dpm\\_%', 'proposal%']) OR schemaname = 'queue'"
)


@pytest.fixture
def sqlite_file(sqlite_template: Path, tmp_path: Path) -> Path:
    """A file of the test's own, which has every migration."""
    return Path(shutil.copyfile(sqlite_template, tmp_path / "store.db"))


@pytest.fixture(scope="session")
def shared_postgres(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """The address of a database that all tests of the contract use in turn."""
    name = f"{OURS}_contract"
    try:
        yield scripts.harness.postgres.create_database(postgres_server, name, postgres_template)
    finally:
        scripts.harness.postgres.drop_database(postgres_server, name)


class Emptier:
    """Removes every row of a database, by a connection that is kept from one test to the next."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.conn: psycopg.Connection[TupleRow] | None = None

    def empty(self) -> None:
        try:
            self._connection().execute(self.statement)
        except psycopg.OperationalError:
            # A test has cut every session of the database, this one too.
            self.close()
            self._connection().execute(self.statement)

    def close(self) -> None:
        if self.conn is not None:
            self.conn.close()
        self.conn = None

    def _connection(self) -> psycopg.Connection[TupleRow]:
        if self.conn is None:
            self.conn = psycopg.connect(self.dsn, autocommit=True)
            # Neither the triggers that refuse removal nor those that count it run for a replica.
            self.conn.execute("SET session_replication_role = replica")
            tables = self.conn.execute(TABLES).fetchall()
            deletions = [sql.SQL("DELETE FROM {}").format(sql.Identifier(*table)) for table in tables]
            self.statement = sql.SQL(";").join(deletions)
        return self.conn


@pytest.fixture(scope="session")
def emptier(shared_postgres: str) -> Iterator[Emptier]:
    with closing(Emptier(shared_postgres)) as kept:
        yield kept


@pytest.fixture
def emptied_postgres(emptier: Emptier) -> str:
    """That database without a row; emptying it takes a fiftieth of the time of making one."""
    emptier.empty()
    return emptier.dsn


async def memory(request: pytest.FixtureRequest) -> Store:
    return MemoryStore()


async def sqlite(request: pytest.FixtureRequest) -> Store:
    return await SqliteStore.open(request.getfixturevalue("sqlite_file"))


async def postgres(request: pytest.FixtureRequest) -> Store:
    return await PostgresStore.open(request.getfixturevalue("emptied_postgres"))


BACKENDS: dict[str, Callable[[pytest.FixtureRequest], Awaitable[Store]]] = {
    "memory": memory,
    "sqlite": sqlite,
    "postgres": postgres,
}


@pytest_asyncio.fixture(params=BACKENDS)
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    opened = await BACKENDS[request.param](request)
    try:
        yield opened
    finally:
        await opened.close()
