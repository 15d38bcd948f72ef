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

# Each row counts what must be the same number, run by run, when acts are whole.
HALVES = """
SELECT run.rebalance_run_id
FROM dpm_runs AS run
WHERE (SELECT count(*) FROM dpm_run_requests WHERE request_id = run.request_id) <> 1
   OR (SELECT count(*) FROM dpm_run_idempotency WHERE rebalance_run_id = run.rebalance_run_id) <> 1
   OR (SELECT count(*) FROM dpm_run_idempotency_history WHERE rebalance_run_id = run.rebalance_run_id) <> 1
   OR (SELECT count(*) FROM dpm_lineage_edges WHERE target_entity_id = run.rebalance_run_id) <> 2
"""
STRAYS = """
SELECT (SELECT count(*) FROM dpm_run_requests) - (SELECT count(*) FROM dpm_runs),
       (SELECT count(*) FROM dpm_run_idempotency) - (SELECT count(*) FROM dpm_runs),
       (SELECT count(*) FROM dpm_run_idempotency_history) - (SELECT count(*) FROM dpm_runs),
       (SELECT count(*) FROM dpm_lineage_edges) - 2 * (SELECT count(*) FROM dpm_runs)
"""


@pytest.mark.faults
@pytest.mark.parametrize("variables", ["SQL"], indirect=True)
def test_what_was_acknowledged_is_there_after_a_kill(variables, demo_body, faults_in_full):
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    path = Path(variables["DPM_SUPPORTABILITY_SQL_PATH"])
    acknowledged: dict[str, bytes] = {}
    total = 0

    for round_no in range(200 if faults_in_full else 6):
        server = Server(variables)
        asyncio.run(_found_again(server, acknowledged))
        total += len(acknowledged)
        acknowledged = asyncio.run(
            _load_and_kill(server, demo_body, f"{seed}-{round_no}", chance.uniform(0.02, SECONDS_MAX))
        )
        _whole(path)

    with Server(variables) as server:
        asyncio.run(_found_again(server, acknowledged))
    print(f"{total + len(acknowledged)} acknowledged runs found again")
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
        assert database.execute(HALVES).fetchall() == []
        assert database.execute(STRAYS).fetchone() == (0, 0, 0, 0)
    finally:
        database.close()
