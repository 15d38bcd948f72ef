"""Callers that submit batches for later, and what the same batches are answered at once."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp

from scripts.harness.sample_requests import a_batch_body
from scripts.harness.servers import Server
from tests.e2e import operation_ends
from tests.e2e.clients import PATIENT, Answer, ask, is_told_to_come_back
from tests.waiting import HANG_SECONDS

RETRY_SECONDS = 0.1

WITHIN_WORKERS = {"DPM_ASYNC_EXECUTION_MODE": "WORKER", "DPM_ENGINE_PROCESSES": "1"}


def a_batch(scenarios: int, positions: int, seed: int) -> bytes:
    """A batch of which all scenarios differ, and one has options that are refused."""
    asked: dict[str, dict[str, Any]] = {
        f"s{number:02}": {"min_cash_buffer_pct": f"0.{number + 1:02}"} for number in range(scenarios - 1)
    }
    return a_batch_body(asked | {"refused": {"target_method": "GUESS"}}, positions, seed)


def answered_at_once(serve: Callable[..., Server], bodies: Sequence[bytes]) -> list[operation_ends.Answer]:
    """What each batch is answered when it is analysed without an operation, by a server of its own."""
    with serve({}) as server:
        return [
            operation_ends.ANSWER.decode(send(f"{server.base}/rebalance/analyze", body).body)
            for body in bodies
        ]


def send(url: str, body: bytes = b"") -> Answer:
    """One POST from this thread."""

    async def asked() -> Answer:
        async with aiohttp.ClientSession(timeout=PATIENT) as session:
            return await ask(session, url, body, None)

    return asyncio.run(asked())


def submit(base: str, body: bytes) -> str:
    """The id of an operation that was accepted."""
    answer = send(f"{base}/rebalance/analyze/async", body)
    assert answer.status == 202, answer
    operation_id: str = json.loads(answer.body)["operation_id"]
    return operation_id


def operation(base: str, operation_id: str) -> Any:
    """An operation as a caller sees it."""
    with urllib.request.urlopen(f"{base}/rebalance/operations/{operation_id}", timeout=HANG_SECONDS) as found:
        return json.load(found)


class Submissions:
    """A caller in a thread of its own, who submits the bodies in turn, one every so many seconds.

    It bears with a database that is away if it is told to; whatever else it meets ends it, and is raised by
    `require_going` and `stop`.
    """

    def __init__(
        self, base: str, bodies: Sequence[bytes], *, every: float, database_dies: bool = False
    ) -> None:
        self.url = f"{base}/rebalance/analyze/async"
        self.bodies = bodies
        self.every = every
        self.database_dies = database_dies
        # By the id of the operation, the place of its body.
        self.accepted: dict[str, int] = {}
        self.refused = 0
        self._stopping = threading.Event()
        self._thread = ThreadPoolExecutor(1)
        self._work = self._thread.submit(asyncio.run, self._submit_on())

    def require_going(self) -> None:
        if self._work.done():
            self._work.result()

    def stop(self) -> dict[str, int]:
        """The operations that were accepted, each with the place of its body."""
        self._stopping.set()
        try:
            self._work.result(HANG_SECONDS)
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)
        return self.accepted

    async def _submit_on(self) -> None:
        async with aiohttp.ClientSession(timeout=PATIENT) as session:
            for place in itertools.cycle(range(len(self.bodies))):
                if self._stopping.is_set():
                    return
                answer = await ask(session, self.url, self.bodies[place], None)
                if answer.status == 202:
                    self.accepted[json.loads(answer.body)["operation_id"]] = place
                    await asyncio.sleep(self.every)
                else:
                    assert self.database_dies and is_told_to_come_back(answer), answer
                    self.refused += 1
                    await asyncio.sleep(RETRY_SECONDS)
