"""The stores the contract is held to; a backend that cannot run fails its tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from service.cli import migrate
from service.storage.memory.store import MemoryStore
from service.storage.port import Store
from service.storage.sqlite.store import SqliteStore


@asynccontextmanager
async def memory(tmp_path: Path) -> AsyncIterator[Store]:
    store = MemoryStore()
    yield store
    await store.close()


@asynccontextmanager
async def sqlite(tmp_path: Path) -> AsyncIterator[Store]:
    path = tmp_path / "store.db"
    migrate.apply(path)
    store = await SqliteStore.open(path)
    try:
        yield store
    finally:
        await store.close()


BACKENDS: dict[str, Callable[[Path], AbstractAsyncContextManager[Store]]] = {
    "memory": memory,
    "sqlite": sqlite,
}


@pytest_asyncio.fixture(params=BACKENDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with BACKENDS[request.param](tmp_path) as opened:
        yield opened
