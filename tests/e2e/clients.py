"""Clients of the end-to-end tests; some also run in processes of their own."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import aiohttp

CALLERS = 16
# Soon enough to be in the way of a start, and seldom enough not to hold it up.
RETRY_SECONDS = 0.1
ANSWER_SECONDS_MAX = 30.0
# A key is asked for again until it is answered; longer than this means that it never will be.
STOP_SECONDS_MAX = 120.0
READY_SECONDS_MAX = 5.0
POLL_SECONDS = 0.02

CONNECTION_FAILED = "DPM_SUPPORTABILITY_POSTGRES_CONNECTION_FAILED"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    replayed: bool
    body: bytes
    retry_after: str | None = None


async def post(session: aiohttp.ClientSession, url: str, body: bytes, key: str | None = None) -> Answer:
    """Without a key, for what is to happen each time it is sent."""
    headers = {"Content-Type": "application/json"} | ({} if key is None else {"Idempotency-Key": key})
    async with session.post(url, data=body, headers=headers) as found:
        return Answer(
            found.status,
            found.headers.get("Idempotent-Replayed") == "true",
            await found.read(),
            found.headers.get("Retry-After"),
        )


def post_at_once(urls: Sequence[str], body: bytes, keys: Sequence[str], count: int) -> list[list[Answer]]:
    """For each key in turn, `count` requests to each address at the same moment from this process."""
    return asyncio.run(_post_at_once(urls, body, keys, count))


async def _post_at_once(
    urls: Sequence[str], body: bytes, keys: Sequence[str], count: int
) -> list[list[Answer]]:
    connector = aiohttp.TCPConnector(limit=count * len(urls))
    async with aiohttp.ClientSession(connector=connector) as session:
        return [
            await asyncio.gather(*(post(session, url, body, key) for _ in range(count) for url in urls))
            for key in keys
        ]


def is_told_to_come_back(answer: Answer) -> bool:
    """Whether it is the one refusal a caller may get while the database is away."""
    return (
        answer.status == 503
        and json.loads(answer.body)["code"] == CONNECTION_FAILED
        and (answer.retry_after or "").isdecimal()
    )


def seconds_to_ready(base: str) -> float:
    """How long it takes a process to find its database, which is there."""
    started = time.monotonic()
    while (answer := get(f"{base}/health/ready")).status != 200:
        assert is_told_to_come_back(answer), answer
        assert time.monotonic() - started < READY_SECONDS_MAX, "the database is there, and is not found"
        time.sleep(POLL_SECONDS)
    return time.monotonic() - started


def get(url: str) -> Answer:
    try:
        with urllib.request.urlopen(url, timeout=30) as found:
            return Answer(found.status, replayed=False, body=found.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return Answer(refused.code, False, refused.read(), refused.headers["Retry-After"])


class Load:
    """Callers in a thread of their own; each asks for a key until it is answered, then for its next.

    They bear with a server that is gone, or with a database that is, if they are told to; whatever else they
    meet ends them all, and is raised by `require_going` and `stop`.
    """

    def __init__(
        self, base: str, body: bytes, stamp: str, *, server_dies: bool = False, database_dies: bool = False
    ) -> None:
        self.url = f"{base}/rebalance/simulate"
        self.body = body
        self.stamp = stamp
        self.server_dies = server_dies
        self.database_dies = database_dies
        self.answered: dict[str, Answer] = {}
        self.lost = 0
        self.refused = 0
        self._stopping = threading.Event()
        self._thread = ThreadPoolExecutor(1)
        self._work = self._thread.submit(asyncio.run, self._call())

    @property
    def replayed(self) -> int:
        """How many callers only learnt from a later request that an earlier one had been recorded."""
        return sum(answer.replayed for answer in self.answered.values())

    def require_going(self) -> None:
        if self._work.done():
            self._work.result()

    def stop(self) -> dict[str, Answer]:
        """Waits until every caller has the answer to its last key; the answers by key."""
        self._stopping.set()
        try:
            self._work.result(STOP_SECONDS_MAX)
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)
        return self.answered

    async def _call(self) -> None:
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as callers:
            for caller in range(CALLERS):
                callers.create_task(self._call_on(session, f"{self.stamp}-{caller}"))

    async def _call_on(self, session: aiohttp.ClientSession, stamp: str) -> None:
        for number in itertools.count(1):
            if self._stopping.is_set():
                return
            key = f"{stamp}-{number}"
            self.answered[key] = await self._answer_of(session, key)

    async def _answer_of(self, session: aiohttp.ClientSession, key: str) -> Answer:
        while True:
            try:
                answer = await post(session, self.url, self.body, key)
            except aiohttp.ClientError:
                assert self.server_dies, "the server is gone"
                self.lost += 1
            else:
                if answer.status == 200:
                    return answer
                assert self.database_dies and is_told_to_come_back(answer), answer
                self.refused += 1
            await asyncio.sleep(RETRY_SECONDS)
