"""A PostgreSQL that is away costs callers a wait; the server outlives it, and finds it again by itself."""

from __future__ import annotations

import asyncio
import json
import time

import aiohttp
import pytest

from tests.e2e.acknowledged_runs import EVERY_WAY, require_found
from tests.e2e.clients import Answer, Load, get, is_told_to_come_back, post, wait_until_ready
from tests.e2e.databases import away, require_whole

LOOKUPS = (
    "/rebalance/runs",
    "/rebalance/runs/rr_1",
    "/rebalance/runs/rr_1/artifact",
    "/rebalance/runs/rr_1/support-bundle",
    "/rebalance/runs/by-correlation/corr_1",
    "/rebalance/runs/by-request-hash/sha256:1",
    "/rebalance/runs/idempotency/key-1",
    "/rebalance/idempotency/key-1/history",
    "/rebalance/lineage/rr_1",
    "/rebalance/supportability/summary",
    "/rebalance/workflow/decisions",
)
ALL_APIS = EVERY_WAY | {"DPM_WORKFLOW_ENABLED": "true"}


@pytest.mark.faults
def test_callers_wait_out_a_lost_database_and_lose_nothing(
    durable_postgres, durable_database, serve, chance, demo_body, faults_in_full
):
    server = serve(durable_database.variables | EVERY_WAY)
    load = Load(server.base, demo_body, "loss", database_dies=True)

    for _ in range(200 if faults_in_full else 2):
        time.sleep(chance.uniform(0.02, 0.6))
        with away(durable_postgres):
            time.sleep(chance.uniform(0.0, 0.3))
        wait_until_ready(server.base)
        load.require_going()
    answered = load.stop()

    require_found(server, durable_database, demo_body, answered, chance)
    print(f"{len(answered)} runs, {load.refused} refusals on the way")
    print(f"{load.replayed} of the runs had been recorded when their callers were refused")
    assert load.refused > 0


@pytest.mark.faults
def test_a_server_starts_without_its_database_and_finds_it(
    durable_postgres, durable_database, serve, demo_body
):
    with away(durable_postgres):
        server = serve(durable_database.variables | ALL_APIS)

        assert get(f"{server.base}/health/live").status == 200
        for path in ("/health/ready", *LOOKUPS):
            assert is_told_to_come_back(get(server.base + path)), path
        assert is_told_to_come_back(simulate(server.base, demo_body))
        assert simulate(server.base, b"{}").status == 422

    wait_until_ready(server.base)
    assert simulate(server.base, demo_body).status == 200
    require_whole(durable_database)


@pytest.mark.faults
def test_a_server_without_an_address_says_so_before_it_looks_at_a_lookup(serve, demo_body):
    server = serve({"DPM_SUPPORTABILITY_STORE_BACKEND": "POSTGRES", "DPM_SUPPORTABILITY_POSTGRES_DSN": " "})

    assert get(f"{server.base}/health/live").status == 200
    # The second is not readable, and most of the others are shut by their gates.
    for path in ("/health/ready", "/rebalance/runs?limit=none", *LOOKUPS):
        answer = get(server.base + path)
        assert (answer.status, code_of(answer)) == (503, "DPM_SUPPORTABILITY_POSTGRES_DSN_REQUIRED"), path
        assert answer.retry_after
    refused = simulate(server.base, b"{}")
    assert (refused.status, code_of(refused)) == (422, "REQUEST_VALIDATION_FAILED")
    answer = simulate(server.base, demo_body)
    assert (answer.status, code_of(answer)) == (503, "DPM_SUPPORTABILITY_POSTGRES_DSN_REQUIRED")


def simulate(base: str, body: bytes) -> Answer:
    async def ask() -> Answer:
        async with aiohttp.ClientSession() as session:
            return await post(session, f"{base}/rebalance/simulate", body, "key-1")

    return asyncio.run(ask())


def code_of(answer: Answer) -> str:
    return str(json.loads(answer.body)["code"])
