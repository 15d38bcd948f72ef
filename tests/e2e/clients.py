"""Clients of the end-to-end tests; some also run in processes of their own."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import aiohttp

from tests.waiting import HANG_SECONDS, wait_for

CALLERS = 16
# Soon enough to be in the way of a start, and seldom enough not to hold it up.
RETRY_SECONDS = 0.1

CONNECTION_FAILED = "DPM_SUPPORTABILITY_POSTGRES_CONNECTION_FAILED"
# Refusals of what has not been begun, because there is too much at the moment.
TURNED_AWAY = {"SERVICE_OVERLOADED", "DPM_SUPPORTABILITY_STORE_BUSY"}
PATIENT = aiohttp.ClientTimeout(total=HANG_SECONDS)


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


async def ask(session: aiohttp.ClientSession, url: str, body: bytes, key: str | None) -> Answer:
    """The answer to a caller who comes back as often as it is turned away, when it is told to."""
    return await unless_turned_away(lambda: post(session, url, body, key))


async def unless_turned_away(asked: Callable[[], Awaitable[Answer]]) -> Answer:
    """The first answer that is no refusal for want of room; how often that is met depends on the machine."""
    while is_turned_away(answer := await asked()):
        await asyncio.sleep(float(answer.retry_after or 0))
    return answer


def is_turned_away(answer: Answer) -> bool:
    if answer.status != 503 or json.loads(answer.body)["code"] not in TURNED_AWAY:
        return False
    assert (answer.retry_after or "").isdecimal(), answer
    return True


def post_at_once(
    urls: Sequence[str], body: bytes, keys: Sequence[str], count: int, *, patient: bool = False
) -> list[list[Answer]]:
    """For each key in turn, `count` requests to each address at the same moment from this process.

    Who is patient comes back when it is turned away, and is answered in the end.
    """
    return asyncio.run(_post_at_once(urls, body, keys, count, ask if patient else post))


async def _post_at_once(
    urls: Sequence[str],
    body: bytes,
    keys: Sequence[str],
    count: int,
    send: Callable[[aiohttp.ClientSession, str, bytes, str], Awaitable[Answer]],
) -> list[list[Answer]]:
    connector = aiohttp.TCPConnector(limit=count * len(urls))
    async with aiohttp.ClientSession(connector=connector, timeout=PATIENT) as session:
        return [
            await asyncio.gather(*(send(session, url, body, key) for _ in range(count) for url in urls))
            for key in keys
        ]


def is_told_to_come_back(answer: Answer) -> bool:
    """Whether it is the one refusal a caller may get while the database is away."""
    return (
        answer.status == 503
        and json.loads(answer.body)["code"] == CONNECTION_FAILED
        and (answer.retry_after or "").isdecimal()
    )


def wait_until_ready(base: str) -> None:
    """Until a process has found its database, which is there; it says nothing else than that meanwhile."""

    def is_ready() -> bool:
        answer = get(f"{base}/health/ready")
        assert answer.status == 200 or is_told_to_come_back(answer), answer
        return answer.status == 200

    wait_for(is_ready, "the database to be found")


def get(url: str) -> Answer:
    try:
        with urllib.request.urlopen(url, timeout=HANG_SECONDS) as found:
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
        self,
        base: str,
        body: bytes,
        stamp: str,
        *,
        server_dies: bool = False,
        database_dies: bool = False,
        callers: int = CALLERS,
    ) -> None:
        self.url = f"{base}/rebalance/simulate"
        self.body = body
        self.stamp = stamp
        self.server_dies = server_dies
        self.database_dies = database_dies
        self.callers = callers
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

    def wait_for_answers(self, count: int) -> None:
        """Until so many more keys are answered."""
        wanted = len(self.answered) + count

        def are_answered() -> bool:
            self.require_going()
            return len(self.answered) >= wanted

        wait_for(are_answered, f"{count} answers")

    def require_going(self) -> None:
        if self._work.done():
            self._work.result()

    def stop(self) -> dict[str, Answer]:
        """Waits until every caller has the answer to its last key; the answers by key."""
        self._stopping.set()
        try:
            self._work.result(HANG_SECONDS)
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)
        return self.answered

    async def _call(self) -> None:
        async with aiohttp.ClientSession(timeout=PATIENT) as session, asyncio.TaskGroup() as callers:
            for caller in range(self.callers):
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
                answer = await ask(session, self.url, self.body, key)
            except aiohttp.ClientError:
                assert self.server_dies, "the server is gone"
                self.lost += 1
            else:
                if answer.status == 200:
                    return answer
                assert self.database_dies and is_told_to_come_back(answer), answer
                self.refused += 1
            await asyncio.sleep(RETRY_SECONDS)
