"""The same requests get the same bytes from every store: results, artifacts, hashes, bundles, lists."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from service.admin.migrations import migrate
from service.domains.values.canonical import canonical_json, digest_of
from service.settings.process import ArtifactMode
from service.storage.memory.store import MemoryStore
from service.storage.postgres.store import PostgresStore
from service.storage.sqlite.store import SqliteStore
from tests.e2e.local_application import SetClock, application_on

PACKS = ("goldens", "dpm-generated", "batch-generated")
# All in the full form; enough to meet every kind of them otherwise.
STRIDE_IN_SMALL = 24
STEP = timedelta(milliseconds=7)

ALL_OPEN = {
    "lineage_apis_enabled": True,
    "history_apis_enabled": True,
    "workflow_enabled": True,
    "workflow_review_statuses": frozenset({"READY", "PENDING_REVIEW", "BLOCKED"}),
}
APPROVAL = {"action": "APPROVE", "reason_code": "LOOKS_RIGHT", "comment": "Zürich · 日本", "actor_id": "rm-1"}


class Sides:
    """One application on each store; what is asked of one is asked of all, and all answer alike."""

    def __init__(self, clients: Mapping[str, TestClient[Any, Any]], clock: SetClock) -> None:
        self.clients = clients
        self.clock = clock

    async def ask(self, method: str, path: str, **sent: Any) -> bytes:
        """The one answer of all stores."""
        self.clock.instant += STEP
        answers = {}
        for store, client in self.clients.items():
            async with client.request(method, path, **sent) as answer:
                answers[store] = (answer.status, answer.content_type, await answer.read())
        first = answers["memory"]
        assert first[0] < 500, (path, first)
        for store, answer in answers.items():
            assert answer == first, f"{store} answers {method} {path} otherwise than memory"
        return first[2]

    async def get(self, path: str) -> Any:
        return json.loads(await self.ask("GET", path))


@pytest.mark.slow
@pytest.mark.faults
async def test_every_store_answers_the_same_bytes(
    conformance, tmp_path, new_durable_database, faults_in_full
):
    cases = cases_of(conformance)[:: 1 if faults_in_full else STRIDE_IN_SMALL]
    artifacts = {
        mode: await answered_alike(cases, mode, tmp_path / f"{mode.value}.db", new_durable_database().dsn)
        for mode in ArtifactMode
    }

    assert artifacts[ArtifactMode.DERIVED] == artifacts[ArtifactMode.PERSISTED]
    print(f"{len(cases)} recorded requests, {len(artifacts[ArtifactMode.DERIVED])} artifacts")


async def answered_alike(
    cases: list[dict[str, Any]], mode: ArtifactMode, sqlite_file: Path, postgres_dsn: str
) -> list[str]:
    """Sends every case to all stores and looks at what it left; the hashes of the artifacts."""
    hashes = []
    async with sides(mode, sqlite_file, postgres_dsn) as asked:
        for case in cases:
            for run_id in await sent_alike(asked, case):
                hashes.append(await found_alike(asked, run_id))
        await listed_alike(asked)
    return hashes


async def sent_alike(asked: Sides, case: Mapping[str, Any]) -> list[str]:
    """The ids of the runs a case made, in order."""
    headers = {"Idempotency-Key": case["id"], "X-Correlation-Id": f"corr:{case['id']}"}
    for _ in range(2):
        answer = await asked.ask("POST", case["endpoint"], json=case["request"], headers=headers)
    result = json.loads(answer)
    if "results" in result:
        return [run["rebalance_run_id"] for run in result["results"].values()]
    return [result["rebalance_run_id"]] if "rebalance_run_id" in result else []


async def found_alike(asked: Sides, run_id: str) -> str:
    """The hash of the run's artifact, once it is computed again from the artifact."""
    run = await asked.get(f"/rebalance/runs/{run_id}")
    artifact = await asked.get(f"/rebalance/runs/{run_id}/artifact")
    await asked.ask("POST", f"/rebalance/runs/{run_id}/workflow/actions", json=APPROVAL)
    for path in (
        f"/rebalance/runs/by-correlation/{run['correlation_id']}",
        f"/rebalance/runs/by-request-hash/{run['request_hash']}",
        f"/rebalance/runs/{run_id}/support-bundle",
        f"/rebalance/runs/{run_id}/workflow",
        f"/rebalance/lineage/{run_id}",
        f"/rebalance/lineage/{run['correlation_id']}?depth=3",
        f"/rebalance/runs/idempotency/{run['idempotency_key']}",
        f"/rebalance/idempotency/{run['idempotency_key']}/history",
    ):
        await asked.ask("GET", path)
    artifact_hash: str = artifact["evidence"]["hashes"].pop("artifact_hash")
    assert digest_of(canonical_json(artifact)) == artifact_hash
    return artifact_hash


async def listed_alike(asked: Sides) -> None:
    for path in ("/rebalance/runs?limit=7", "/rebalance/workflow/decisions?limit=7"):
        page = await asked.get(path)
        while page["next_cursor"]:
            page = await asked.get(f"{path}&cursor={page['next_cursor']}")
    await asked.ask("GET", "/rebalance/runs?status=BLOCKED")
    await asked.ask("GET", "/rebalance/supportability/summary")


@asynccontextmanager
async def sides(mode: ArtifactMode, sqlite_file: Path, postgres_dsn: str) -> AsyncIterator[Sides]:
    migrate.apply(sqlite_file)
    clock = SetClock()
    async with AsyncExitStack() as opened:
        stores = {
            "memory": MemoryStore(),
            "sqlite": await SqliteStore.open(sqlite_file),
            "postgres": await PostgresStore.open(postgres_dsn),
        }
        clients = {}
        for name, store in stores.items():
            opened.push_async_callback(store.close)
            application = application_on(store, clock, artifact_mode=mode, **ALL_OPEN)
            clients[name] = await opened.enter_async_context(TestClient(TestServer(application)))
        yield Sides(clients, clock)


def cases_of(conformance: Path) -> list[dict[str, Any]]:
    cases = []
    for pack in PACKS:
        with gzip.open(conformance / f"{pack}.jsonl.gz", "rt", encoding="utf-8") as lines:
            cases += [json.loads(line) for line in lines]
    return [case for case in cases if case["endpoint"] in ("/rebalance/simulate", "/rebalance/analyze")]
