"""A server killed at any moment has kept what it acknowledged, and nothing by halves."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from pathlib import Path

import aiohttp
import pytest

from scripts.servers import Server
from tests.e2e.clients import Answer, post

CALLERS = 8
SECONDS_MAX = 0.6

# A file is left for a new one after so many kills, so that checking all of it stays affordable.
KILLS_PER_FILE = 20

# What every run must have once, or once of each edge; read as sets, for no index serves these questions.
PARTS = (
    "SELECT request_id FROM dpm_run_requests",
    "SELECT rebalance_run_id FROM dpm_run_idempotency",
    "SELECT rebalance_run_id FROM dpm_run_idempotency_history",
    "SELECT target_entity_id FROM dpm_lineage_edges WHERE edge_type = 'CORRELATION_TO_RUN'",
    "SELECT target_entity_id FROM dpm_lineage_edges WHERE edge_type = 'IDEMPOTENCY_TO_RUN'",
)
RUNS = "SELECT rebalance_run_id FROM dpm_runs"


@pytest.mark.faults
@pytest.mark.parametrize("variables", ["SQL"], indirect=True)
def test_what_was_acknowledged_is_there_after_a_kill(variables, demo_body, faults_in_full):
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    folder = Path(variables["DPM_SUPPORTABILITY_SQL_PATH"]).parent
    total = 0

    for kill_no in range(200 if faults_in_full else 6):
        path = folder / f"{kill_no // KILLS_PER_FILE}.db"
        on_file = variables | {"DPM_SUPPORTABILITY_SQL_PATH": str(path)}
        moment = chance.uniform(0.02, SECONDS_MAX)
        acknowledged = asyncio.run(_load_and_kill(Server(on_file), demo_body, f"{seed}-{kill_no}", moment))
        _whole(path)
        with Server(on_file) as restarted:
            asyncio.run(_found_again(restarted, acknowledged))
        total += len(acknowledged)

    print(f"{total} acknowledged runs found again")
    assert total > 0


async def _load_and_kill(server: Server, body: bytes, stamp: str, seconds: float) -> dict[str, bytes]:
    acknowledged: dict[str, bytes] = {}

    async def call(session: aiohttp.ClientSession, caller: int) -> None:
        sent = 0
        while True:
            sent += 1
            answer: Answer = await post(
                session, f"{server.base}/rebalance/simulate", body, f"{stamp}-{caller}-{sent}"
            )
            assert answer.status == 200
            acknowledged[json.loads(answer.body)["rebalance_run_id"]] = answer.body

    async with aiohttp.ClientSession() as session:
        callers = [asyncio.create_task(call(session, caller)) for caller in range(CALLERS)]
        await asyncio.sleep(seconds)
        server.process.kill()
        ends = await asyncio.gather(*callers, return_exceptions=True)
    server.kill()
    assert all(isinstance(end, aiohttp.ClientError) for end in ends), ends
    return acknowledged


async def _found_again(server: Server, acknowledged: dict[str, bytes]) -> None:
    async with aiohttp.ClientSession() as session:
        for run_id, body in acknowledged.items():
            async with session.get(f"{server.base}/rebalance/runs/{run_id}") as found:
                assert found.status == 200, run_id
                assert body in await found.read()


def _whole(path: Path) -> None:
    database = sqlite3.connect(path)
    try:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        runs = sorted(database.execute(RUNS).fetchall())
        for part in PARTS:
            assert sorted(database.execute(part).fetchall()) == runs, part
    finally:
        database.close()
