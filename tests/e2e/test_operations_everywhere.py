"""A batch comes to the same, to the byte, whoever analyses it, whenever, and on whatever store."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from scripts.harness.sample_requests import a_batch_body
from service.admin.migrations import migrate
from service.flows.operations.dispatch import JobHandler
from service.observability.worker_metrics import WorkerMetrics
from service.runtime.clock import TimeOrderedIds
from service.settings.process import ExecutionMode, read
from service.storage.memory.store import MemoryStore
from service.storage.ports.store import Store
from service.storage.postgres.database import PoolOptions
from service.storage.postgres.jobs.queue import PostgresJobQueue
from service.storage.postgres.store import PostgresStore
from service.storage.sqlite.store import SqliteStore
from service.wiring import flows
from tests.e2e.databases import PostgresDatabase
from tests.e2e.local_application import CountedIdsOfAKind, SetClock, application_on, done_here
from tests.e2e.submissions import a_batch

STEP = timedelta(seconds=1)
# All in the full form; enough to meet every kind of them otherwise.
STRIDE_IN_SMALL = 3
JSON = {"Content-Type": "application/json"}
MODES = (ExecutionMode.INLINE, ExecutionMode.ACCEPT_ONLY)

OWN = {
    "some": a_batch(scenarios=5, positions=25, seed=1),
    "one": a_batch_body({"alone": {}}, positions=10, seed=2),
    # Refused options only, so that no run comes of it.
    "none": a_batch_body({"bad": {"target_method": 3}, "worse": {"target_method": []}}, positions=5),
    "no_batch": a_batch_body({}, positions=5),
    "no_json": b"{",
}


@dataclass(frozen=True, slots=True)
class Side:
    """One application on a store of its own; `carry_out` does what it accepted."""

    name: str
    client: TestClient[Any, Any]
    carry_out: Callable[[str], Any] = field(repr=False)

    async def ask(self, method: str, path: str, **sent: Any) -> tuple[int, bytes]:
        async with self.client.request(method, path, **sent) as answer:
            return answer.status, await answer.read()

    async def analysed(self, body: bytes, correlation_id: str) -> tuple[int, bytes]:
        """The status and the bytes of the result, or of the refusal."""
        headers = JSON | {"X-Correlation-Id": correlation_id}
        status, accepted = await self.ask("POST", "/rebalance/analyze/async", data=body, headers=headers)
        if status != 202:
            return status, accepted.replace(b"/rebalance/analyze/async", b"/rebalance/analyze")
        path = json.loads(accepted)["status_url"]
        await self.carry_out(path)
        status, found = await self.ask("GET", path)
        assert (status, json.loads(found)["status"]) == (200, "SUCCEEDED"), found
        # The bytes between what comes before the result and what comes after it.
        return 200, found.partition(b'"result":')[2].rpartition(b',"error":null')[0]


@pytest.mark.slow
async def test_own_batches_come_to_the_same_everywhere(tmp_path, new_durable_database):
    assert await compared(OWN, tmp_path, new_durable_database) == {200: 3, 422: 2}


@pytest.mark.slow
@pytest.mark.faults
async def test_recorded_batches_come_to_the_same_everywhere(
    conformance, tmp_path, new_durable_database, faults_in_full
):
    cases = cases_of(conformance)
    if not faults_in_full:
        cases = dict(list(cases.items())[::STRIDE_IN_SMALL])

    statuses = await compared(cases, tmp_path, new_durable_database)

    print(f"{len(cases)} recorded batches: {statuses}")
    assert statuses[200] > len(cases) / 2


async def compared(
    bodies: dict[str, bytes], folder: Path, new_database: Callable[[], PostgresDatabase]
) -> dict[int, int]:
    """Has every batch analysed on all sides; how many were answered how."""
    clock = SetClock()
    statuses: dict[int, int] = {}
    async with sides(clock, folder, new_database) as (at_once, others):
        for name, body in bodies.items():
            clock.instant += STEP
            headers = JSON | {"X-Correlation-Id": name}
            expected = await at_once.ask("POST", "/rebalance/analyze", data=body, headers=headers)
            statuses[expected[0]] = statuses.get(expected[0], 0) + 1
            for side in others:
                assert await side.analysed(body, name) == expected, (side.name, name)
            await require_same_runs(at_once, others, expected)
    return statuses


async def require_same_runs(at_once: Side, others: list[Side], expected: tuple[int, bytes]) -> None:
    for run in json.loads(expected[1]).get("results", {}).values():
        for part in ("", "/artifact"):
            path = f"/rebalance/runs/{run['rebalance_run_id']}{part}"
            kept = await at_once.ask("GET", path)
            assert kept[0] == 200
            for side in others:
                assert await side.ask("GET", path) == kept, (side.name, path)


@asynccontextmanager
async def sides(
    clock: SetClock, folder: Path, new_database: Callable[[], PostgresDatabase]
) -> AsyncIterator[tuple[Side, list[Side]]]:
    """Who analyses at once, and everybody who does it as an operation."""
    async with AsyncExitStack() as opened:

        async def side(name: str, store: Store, mode: ExecutionMode, carry_out: Any = None) -> Side:
            opened.push_async_callback(store.close)
            application = application_on(store, clock, new_id=CountedIdsOfAKind(), execution_mode=mode)
            client = await opened.enter_async_context(TestClient(TestServer(application)))

            async def execute(path: str) -> None:
                async with client.post(f"{path}/execute") as answer:
                    assert answer.status == 200, await answer.read()

            async def nothing(_: str) -> None:
                """It has been done when it is accepted."""

            by_mode = {ExecutionMode.INLINE: nothing, ExecutionMode.ACCEPT_ONLY: execute}
            return Side(f"{name} {mode.value}", client, carry_out or by_mode[mode])

        at_once = await side("memory", MemoryStore(), ExecutionMode.INLINE)
        others = []
        for mode in MODES:
            file = folder / f"{mode.value}.db"
            migrate.apply(file)
            others += [
                await side("memory", MemoryStore(), mode),
                await side("sqlite", await SqliteStore.open(file), mode),
                await side("postgres", await PostgresStore.open(new_database().dsn), mode),
            ]
        dsn = new_database().dsn
        store = await PostgresStore.open(dsn)
        worker = await opened.enter_async_context(worker_on(dsn, store, clock))
        others.append(await side("postgres", store, ExecutionMode.WORKER, worker))
        yield at_once, others


@asynccontextmanager
async def worker_on(dsn: str, store: Store, clock: SetClock) -> AsyncIterator[Callable[[str], Any]]:
    """Does whatever is on offer."""
    settings = replace(read(), postgres_dsn=dsn)
    offers = JobHandler(
        store=store,
        clock=clock,
        runner=flows.runner_of(
            settings, store, flows.runtime_of(settings, clock, TimeOrderedIds(), done_here)
        ),
        metrics=WorkerMetrics(),
    )
    queue = await PostgresJobQueue.open(dsn, concurrency=2, lease_seconds=8.0, options=PoolOptions())

    async def work(_: str) -> None:
        await queue.work(offers.handle, stop=asyncio.Event(), drain=True)

    try:
        yield work
    finally:
        await queue.close()


def cases_of(conformance: Path) -> dict[str, bytes]:
    with gzip.open(conformance / "batch-generated.jsonl.gz", "rt", encoding="utf-8") as lines:
        cases = [json.loads(line) for line in lines]
    return {case["id"]: json.dumps(case["request"]).encode() for case in cases}
