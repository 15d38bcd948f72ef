"""The stores the contract is held to; a backend that cannot run fails its tests."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from service.cli import migrate
from service.storage.memory.store import MemoryStore
from service.storage.port import Store
from service.storage.postgres.store import PostgresStore
from service.storage.sqlite.store import SqliteStore


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


async def memory(request: pytest.FixtureRequest) -> Store:
    return MemoryStore()


async def sqlite(request: pytest.FixtureRequest) -> Store:
    return await SqliteStore.open(request.getfixturevalue("sqlite_file"))


async def postgres(request: pytest.FixtureRequest) -> Store:
    return await PostgresStore.open(request.getfixturevalue("postgres_database"))


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
