"""The application in this process, with a store, a clock and ids of the test's choosing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

from aiohttp import web

from service.flows.health import HealthFlow
from service.runtime.clock import Clock, NewId
from service.settings.process import Settings, read
from service.storage.ports.store import Store
from service.web.flows import Flows
from service.wiring import flows
from service.wiring import readers as wiring_readers
from service.wiring.stores import Stores

FIRST_INSTANT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


class SetClock:
    """Stands still until it is set on."""

    def __init__(self, instant: datetime = FIRST_INSTANT) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant


class CountedIds:
    def __init__(self) -> None:
        self._numbers = count(1)

    def __call__(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers):032x}"


class CountedIdsOfAKind:
    """Each kind is counted by itself, so that ids of one kind do not depend on how many others are drawn."""

    def __init__(self) -> None:
        self._numbers: dict[str, Iterator[int]] = defaultdict(lambda: count(1))

    def __call__(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers[prefix]):032x}"


async def done_here(work: Callable[..., Any], *args: Any) -> Any:
    """Stands in for the engine processes."""
    return work(*args)


def flows_on(store: Store, settings: Settings, clock: Clock, new_id: NewId) -> Flows:
    readers = wiring_readers.readers_of(settings)
    return flows.flows_of(
        settings,
        Stores.all_in(store),
        HealthFlow(store),
        flows.runtime_of(settings, clock, new_id, done_here),
        readers,
    )


def application_on(
    store: Store, clock: Clock, *, new_id: NewId | None = None, **chosen: Any
) -> web.Application:
    """Equal requests in equal order meet equal instants and ids, whatever the store is."""
    settings, ids = replace(read(), **chosen), new_id or CountedIds()
    return flows.application_of(settings, flows_on(store, settings, clock, ids), ids)
