"""The stores the contract is held to; a backend that cannot run fails its tests."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

import scripts.postgres
from service.cli import migrate
from service.storage.memory.store import MemoryStore
from service.storage.port import Store
from service.storage.postgres.store import PostgresStore
from service.storage.sqlite.store import SqliteStore
from tests.conftest import OURS


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that has every migration, to be copied; that is quicker than to apply them again."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate.apply(path)
    return path


@pytest.fixture
def sqlite_file(sqlite_template: Path, tmp_path: Path) -> Path:
    """A file of the test's own, which has every migration."""
    return Path(shutil.copyfile(sqlite_template, tmp_path / "store.db"))


@pytest.fixture(scope="session")
def shared_postgres(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """The address of a database that all tests of the contract use in turn."""
    name = f"{OURS}_contract"
    try:
        yield scripts.postgres.create_database(postgres_server, name, postgres_template)
    finally:
        scripts.postgres.drop_database(postgres_server, name)


@pytest.fixture
def emptied_postgres(shared_postgres: str) -> str:
    """That database without a row; emptying it takes a twentieth of the time of making one."""
    with psycopg.connect(shared_postgres, autocommit=True) as conn:
        tables = conn.execute(
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE tablename LIKE ANY (ARRAY['dpm\\_%', 'proposal%']) OR schemaname = 'queue'"
        ).fetchall()
        # Neither the triggers that refuse removal nor those that count it run for a replica.
        conn.execute("SET session_replication_role = replica")
        for table in tables:
            conn.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(*table)))
    return shared_postgres


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
