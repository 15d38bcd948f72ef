"""Looks for acknowledged runs in every way a caller can."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from tests.e2e.clients import Answer, post

AT_ONCE = 16

# The ways of asking that are shut unless they are opened.
EVERY_WAY = {"DPM_LINEAGE_APIS_ENABLED": "true", "DPM_IDEMPOTENCY_HISTORY_APIS_ENABLED": "true"}


def require_found(base: str, body: bytes, answered: Mapping[str, Answer]) -> None:
    """Each answered run is found by id, by key, in history and with its edges, and replayed alike."""
    assert len({json.loads(answer.body)["rebalance_run_id"] for answer in answered.values()}) == len(answered)
    asyncio.run(_require_found(base, body, answered))


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
    again = await post(session, f"{base}/rebalance/simulate", body, key)
    assert (again.status, again.replayed, again.body) == (200, True, answer.body), key


async def _get(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.get(url) as found:
        assert found.status == 200, url
        return await found.read()


def _ends_of(edge: Mapping[str, Any]) -> tuple[str, str, str]:
    return edge["source_entity_id"], edge["edge_type"], edge["target_entity_id"]
