"""The application over memory storage, with work done where it is asked for."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from scripts.servers import ROOT
from service import wiring
from service.clock import SystemClock, TimeOrderedIds
from service.flows.dpm_runs import DpmRunFlow
from service.flows.health import HealthFlow
from service.flows.idempotency import IdempotencyFlow
from service.settings import Settings, read
from service.storage.memory.store import MemoryStore
from service.web import app
from service.web.gates import Gates

DEMO = json.loads((ROOT / "scripts" / "demo" / "multi_currency.json").read_text(encoding="utf-8"))

Start = Callable[..., Awaitable[TestClient[Any, Any]]]


async def done_here(work: Any, *args: Any) -> Any:
    """Stands in for the engine processes."""
    return work(*args)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def start(store: MemoryStore, aiohttp_client: Any) -> Start:
    async def begin(**changes: Any) -> TestClient[Any, Any]:
        chosen: Settings = replace(read(), **changes)
        ids = TimeOrderedIds()
        runs = DpmRunFlow(
            store=store,
            clock=SystemClock(),
            new_id=ids,
            offload=done_here,
            readers=wiring.readers_of(chosen),
            replay_enabled=chosen.idempotency_replay_enabled,
        )
        built = app.build(
            dpm_runs=runs,
            idempotency=IdempotencyFlow(store),
            health=HealthFlow(store),
            gates=Gates(support_apis_enabled=chosen.support_apis_enabled),
            new_id=ids,
            body_bytes_max=chosen.body_bytes_max,
        )
        client: TestClient[Any, Any] = await aiohttp_client(built)
        return client

    return begin


@pytest.fixture
def demo() -> dict[str, Any]:
    """A fresh copy of the demo request."""
    copy: dict[str, Any] = json.loads(json.dumps(DEMO))
    return copy
