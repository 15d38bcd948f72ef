"""Looks for acknowledged runs in every way a caller can."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from random import Random
from typing import Any

import aiohttp

from scripts.harness.servers import Server
from tests.e2e.clients import Answer, ask
from tests.e2e.databases import Database, require_kept, require_whole

AT_ONCE = 16
ASKED_MAX = 300

# The ways of asking that are shut unless they are opened.
EVERY_WAY = {"DPM_LINEAGE_APIS_ENABLED": "true", "DPM_IDEMPOTENCY_HISTORY_APIS_ENABLED": "true"}


def require_found(
    server: Server, database: Database, body: bytes, answered: Mapping[str, Answer], chance: Random
) -> None:
    """Each answered run is stored whole, found by id, key, history and edges, and replayed alike.

    Of very many runs only some are asked for by request, drawn at random.
    """
    require_whole(database)
    require_kept(database, {key: answer.body for key, answer in answered.items()})
    asked = chance.sample(sorted(answered), min(len(answered), ASKED_MAX))
    asyncio.run(_require_found(server.base, body, {key: answered[key] for key in asked}))


async def _require_found(base: str, body: bytes, answered: Mapping[str, Answer]) -> None:
    left = iter(answered.items())

    async def look_on(session: aiohttp.ClientSession) -> None:
        for key, answer in left:
            await _require_one_found(session, base, body, key, answer)

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as lookers:
        for _ in range(AT_ONCE):
            lookers.create_task(look_on(session))


async def _require_one_found(
    session: aiohttp.ClientSession, base: str, body: bytes, key: str, answer: Answer
) -> None:
    result = json.loads(answer.body)
    run_id = result["rebalance_run_id"]

    run = await _get(session, f"{base}/rebalance/runs/{run_id}")
    assert answer.body in run, key
    by_key = json.loads(await _get(session, f"{base}/rebalance/runs/idempotency/{key}"))
    assert by_key["rebalance_run_id"] == run_id
    history = json.loads(await _get(session, f"{base}/rebalance/idempotency/{key}/history"))
    assert [use["rebalance_run_id"] for use in history["history"]] == [run_id]
    lineage = json.loads(await _get(session, f"{base}/rebalance/lineage/{run_id}"))
    assert {_ends_of(edge) for edge in lineage["edges"]} == {
        (result["correlation_id"], "CORRELATION_TO_RUN", run_id),
        (key, "IDEMPOTENCY_TO_RUN", run_id),
    }
    again = await ask(session, f"{base}/rebalance/simulate", body, key)
    assert (again.status, again.replayed, again.body) == (200, True, answer.body), key


async def _get(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.get(url) as found:
        assert found.status == 200, url
        return await found.read()


def _ends_of(edge: Mapping[str, Any]) -> tuple[str, str, str]:
    return edge["source_entity_id"], edge["edge_type"], edge["target_entity_id"]
