"""An application on each of two stores, with counted instants and ids, so that equal stores answer alike."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar, TypeVarTuple, Unpack

from aiohttp import ClientSession, ClientTimeout, UnixConnector, web
from yarl import URL

from service.admin.comparison.backends import Backend, open_at
from service.admin.comparison.recorded_requests import RecordedAnswer, RecordedRequest, json_of
from service.domains.dpm_runs.values import RunStatus
from service.flows.health import HealthFlow
from service.settings.environment import StoreBackend
from service.settings.policy_packs import CatalogBackend
from service.settings.process import ExecutionMode, Settings
from service.storage.ports.store import Store
from service.wiring import flows as wiring_flows
from service.wiring import readers
from service.wiring.stores import Stores

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

FIRST_INSTANT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
STEP = timedelta(milliseconds=7)
# What two answers never share.
UNSHARED = {"date", "server"}
ANSWER_SECONDS_MAX = 60.0
ENDED_SECONDS_MAX = 30.0
POLL_SECONDS = 0.005
# The host is never dialled: a side listens on its socket.
HOST = "http://parity"
PROPOSALS = "/rebalance/proposals"


class CountedClock:
    """Stands still until it is set on."""

    def __init__(self) -> None:
        self._now = FIRST_INSTANT

    def now(self) -> datetime:
        return self._now

    def step(self) -> None:
        self._now += STEP


class CountedIds:
    """Each kind is counted by itself, so that ids of one kind do not depend on how many others are drawn."""

    def __init__(self) -> None:
        self._numbers: dict[str, Iterator[int]] = defaultdict(lambda: count(1))

    def __call__(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers[prefix]):032x}"


async def done_here(work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
    """Stands in for the engine processes, since no other request waits for this process."""
    return work(*args)


def settings_of_sides(settings: Settings) -> Settings:
    """Everything is open, nothing is done by itself, and what tells a store's name tells the same of both."""
    return replace(
        settings,
        store_backend=StoreBackend.IN_MEMORY,
        execution_mode=ExecutionMode.ACCEPT_ONLY,
        support_apis_enabled=True,
        summary_apis_enabled=True,
        bundle_apis_enabled=True,
        artifacts_enabled=True,
        lineage_apis_enabled=True,
        history_apis_enabled=True,
        workflow_enabled=True,
        workflow_review_statuses=frozenset(status.value for status in RunStatus),
        async_operations_enabled=True,
        manual_execution_enabled=True,
        proposals=replace(settings.proposals, store_backend=StoreBackend.IN_MEMORY),
        policy=replace(
            settings.policy,
            enabled=True,
            admin_apis_enabled=True,
            catalog_backend=CatalogBackend.ENV_JSON,
            catalog_seconds=0,
        ),
    )


@dataclass(frozen=True, slots=True)
class Side:
    """A store with an application on it that answers on a socket of its own."""

    name: str
    place: Backend
    store: Store
    session: ClientSession

    async def ask(self, asked: RecordedRequest) -> RecordedAnswer:
        async with self.session.request(
            asked.method,
            URL(HOST + asked.path, encoded=True),
            headers=asked.headers,
            data=asked.body or None,
            allow_redirects=False,
            skip_auto_headers=("Content-Type",),
        ) as answer:
            headers = {
                name.lower(): value for name, value in answer.headers.items() if name.lower() not in UNSHARED
            }
            return RecordedAnswer(answer.status, headers, await answer.read())

    async def end(self, asked: RecordedRequest, answer: RecordedAnswer) -> None:
        """Waits for what an accepted operation of a proposal comes to; it goes on beside everything else."""
        if answer.status != HTTPStatus.ACCEPTED or not asked.path.startswith(PROPOSALS):
            return
        looked = RecordedRequest("GET", json_of(answer)["status_url"], {"X-Correlation-Id": "parity"})
        async with asyncio.timeout(ENDED_SECONDS_MAX):
            while json_of(await self.ask(looked))["status"] not in ("SUCCEEDED", "FAILED"):
                await asyncio.sleep(POLL_SECONDS)


@dataclass(frozen=True, slots=True)
class Sides:
    left: Side
    right: Side
    clock: CountedClock

    async def ask(self, asked: RecordedRequest) -> tuple[RecordedAnswer, RecordedAnswer]:
        """Asks the one and then the other, at one instant."""
        self.clock.step()
        answers = []
        for side in (self.left, self.right):
            answer = await side.ask(asked)
            await side.end(asked, answer)
            answers.append(answer)
        return answers[0], answers[1]


@asynccontextmanager
async def opened_sides(left: Backend, right: Backend, settings: Settings) -> AsyncIterator[Sides]:
    """Raises StoreUnavailable."""
    clock = CountedClock()
    async with AsyncExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="parity-")))
        sides = [
            await opened.enter_async_context(opened_side(name, place, settings, clock, folder))
            for name, place in (("left", left), ("right", right))
        ]
        yield Sides(sides[0], sides[1], clock)


@asynccontextmanager
async def opened_side(
    name: str, place: Backend, settings: Settings, clock: CountedClock, folder: Path
) -> AsyncIterator[Side]:
    chosen, ids = settings_of_sides(settings), CountedIds()
    async with AsyncExitStack() as opened:
        store = await open_at(place, settings)
        opened.push_async_callback(store.close)
        await store.check()
        flows = wiring_flows.flows_of(
            chosen,
            Stores.all_in(store),
            HealthFlow(store),
            wiring_flows.runtime_of(chosen, clock, ids, done_here),
            readers.readers_of(chosen),
        )
        opened.push_async_callback(flows.operations.close)
        opened.push_async_callback(flows.proposal_operations.close)
        runner = web.AppRunner(wiring_flows.application_of(chosen, flows, ids), access_log=None)
        opened.push_async_callback(runner.cleanup)
        await runner.setup()
        socket = str(folder / name)
        await web.UnixSite(runner, socket).start()
        session = ClientSession(
            connector=UnixConnector(socket), timeout=ClientTimeout(total=ANSWER_SECONDS_MAX)
        )
        yield Side(name, place, store, await opened.enter_async_context(session))
