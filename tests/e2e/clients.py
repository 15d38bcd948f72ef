"""Clients of the end-to-end tests; they also run in processes of their own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import aiohttp


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    replayed: bool
    body: bytes


async def post(session: aiohttp.ClientSession, url: str, body: bytes, key: str) -> Answer:
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    async with session.post(url, data=body, headers=headers) as found:
        return Answer(found.status, found.headers.get("Idempotent-Replayed") == "true", await found.read())


def post_at_once(url: str, body: bytes, keys: list[str], count: int) -> list[list[Answer]]:
    """For each key in turn, `count` requests at the same moment from this process."""
    return asyncio.run(_post_at_once(url, body, keys, count))


async def _post_at_once(url: str, body: bytes, keys: list[str], count: int) -> list[list[Answer]]:
    connector = aiohttp.TCPConnector(limit=count)
    async with aiohttp.ClientSession(connector=connector) as session:
        return [await asyncio.gather(*(post(session, url, body, key) for _ in range(count))) for key in keys]
