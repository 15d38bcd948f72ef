"""The application over memory storage, with work done where it is asked for."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from scripts.harness.servers import ROOT
from service.flows.health import HealthFlow
from service.observability.opentelemetry import Telemetry
from service.observability.server_metrics import ServerMetrics
from service.runtime.clock import Clock, SystemClock, TimeOrderedIds
from service.settings.process import Settings, read
from service.storage.memory.store import MemoryStore
from service.storage.ports.store import Store
from service.storage.shadow.store import ShadowedStore
from service.wiring import flows as wiring_flows
from service.wiring import readers
from service.wiring.stores import Stores

DEMO = json.loads((ROOT / "scripts" / "demo" / "multi_currency.json").read_text(encoding="utf-8"))

Start = Callable[..., Awaitable[TestClient[Any, Any]]]


async def done_here(work: Any, *args: Any) -> Any:
    """Stands in for the engine processes."""
    return work(*args)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def start(store: Store, aiohttp_client: Any) -> Start:
    async def begin(
        *,
        clock: Clock | None = None,
        metrics: ServerMetrics | None = None,
        telemetry: Telemetry | None = None,
        **changes: Any,
    ) -> TestClient[Any, Any]:
        chosen: Settings = replace(read(), **changes)
        ids = TimeOrderedIds()
        # One store keeps everything, as it does where nothing else is told.
        flows = wiring_flows.flows_of(
            chosen,
            Stores.all_in(store, store if isinstance(store, ShadowedStore) else None),
            HealthFlow(store),
            wiring_flows.runtime_of(chosen, clock or SystemClock(), ids, done_here),
            readers.readers_of(chosen),
        )
        built = wiring_flows.application_of(chosen, flows, ids, metrics, telemetry)
        client: TestClient[Any, Any] = await aiohttp_client(built)
        return client

    return begin


@pytest.fixture
def demo() -> dict[str, Any]:
    """A fresh copy of the demo request."""
    copy: dict[str, Any] = json.loads(json.dumps(DEMO))
    return copy
