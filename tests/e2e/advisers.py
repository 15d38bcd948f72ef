"""Advisers who go on while their server dies: each asks until it is answered, and keeps what it was told."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import aiohttp

from tests.e2e.clients import PATIENT, Answer
from tests.e2e.proposal_fixtures import (
    APPROVED_BY,
    ENDED,
    LEADS_TO,
    Desk,
    a_creation,
    a_move,
    a_version,
    an_approval,
)
from tests.waiting import HANG_SECONDS

ADVISERS = 6
RETRY_SECONDS = 0.05
# Of the acts on a proposal, so many bring a version and so many cancel it.
VERSIONING, CANCELLING = 0.25, 0.05
REFUSING = 0.2

Said = Callable[[], Awaitable[Answer]]


class Thread:
    """Callers in a thread of their own; whatever ends them is raised by `require_going` and `stop`."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.lost = 0
        self._stopping = threading.Event()
        self._thread = ThreadPoolExecutor(1)

    def begin(self) -> None:
        self._work = self._thread.submit(asyncio.run, self._call())

    def require_going(self) -> None:
        if self._work.done():
            self._work.result()

    def stop(self) -> None:
        """Waits until every caller has the answer to what it asked last."""
        self._stopping.set()
        try:
            self._work.result(HANG_SECONDS)
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _call(self) -> None:
        async with aiohttp.ClientSession(timeout=PATIENT) as session, asyncio.TaskGroup() as callers:
            for caller in range(ADVISERS):
                callers.create_task(self.call_on(Desk(session, [self.base]), caller))

    async def call_on(self, desk: Desk, caller: int) -> None:
        raise NotImplementedError

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    async def attempt(self, said: Said) -> Answer | None:
        """The answer, or none from a server that is gone."""
        try:
            return await said()
        except aiohttp.ClientError:
            self.lost += 1
            await asyncio.sleep(RETRY_SECONDS)
            return None


class Advisers(Thread):
    """Each takes one proposal after the other from its creation to its end, every act under its own key."""

    def __init__(self, base: str, stamp: str, chance: Random) -> None:
        super().__init__(base)
        self.stamp = stamp
        self.chance = chance
        self.acknowledged: dict[str, Answer] = {}
        self.begin()

    @property
    def replayed(self) -> int:
        """How many acts were only learnt from a later request to have been kept."""
        return sum(answer.replayed for answer in self.acknowledged.values())

    async def call_on(self, desk: Desk, caller: int) -> None:
        keys = (f"{self.stamp}-{caller}-{number}" for number in itertools.count(1))
        while not self.stopping:
            created = await self.ask(desk, "", a_creation(), next(keys))
            proposal_id = json.loads(created.body)["proposal"]["proposal_id"]
            state = "DRAFT"
            while state not in ENDED and not self.stopping:
                path, document = self.next_act(state)
                answer = await self.ask(desk, f"/{proposal_id}{path}", document, next(keys))
                told = json.loads(answer.body)
                state = (told.get("proposal") or told)["current_state"]

    def next_act(self, state: str) -> tuple[str, dict[str, Any]]:
        """What is done to a proposal that is in that state, mostly a step on."""
        drawn = self.chance.random()
        if drawn < VERSIONING:
            return "/versions", a_version()
        if drawn < VERSIONING + CANCELLING:
            return "/transitions", a_move("CANCELLED", state)
        for approval_type, (_, given_in) in APPROVED_BY.items():
            if state == given_in:
                approved = self.chance.random() >= REFUSING
                return "/approvals", an_approval(approval_type, approved)
        steps = [event for before, event in LEADS_TO if before == state]
        return "/transitions", a_move(self.chance.choice(steps), state)

    async def ask(self, desk: Desk, path: str, document: dict[str, Any], key: str) -> Answer:
        """Asks until it is answered; a refusal would be an effect that came twice or not at all."""
        while (answer := await self.attempt(lambda: desk.say(path, document, key))) is None:
            pass
        assert answer.status == 200, (path, answer)
        self.acknowledged[key] = answer
        return answer


class Submitters(Thread):
    """Each submits a creation under a key of its own, until it is accepted, then a version, once."""

    def __init__(self, base: str, stamp: str, proposal_ids: list[str], every: float) -> None:
        super().__init__(base)
        self.stamp = stamp
        self.proposal_ids = proposal_ids
        self.every = every
        # The operations, by their ids: of creations with the key, of versions with the proposal.
        self.creations: dict[str, str] = {}
        self.versions: dict[str, str] = {}
        self.begin()

    @property
    def accepted(self) -> Counter[str]:
        return Counter(creations=len(self.creations), versions=len(self.versions))

    async def call_on(self, desk: Desk, caller: int) -> None:
        for number in itertools.count(1):
            if self.stopping:
                return
            key = f"{self.stamp}-{caller}-{number}"
            while (
                created := await self.attempt(lambda key=key: desk.say("/async", a_creation(), key))
            ) is None:
                pass
            self.creations[operation_of(created)] = key
            proposal_id = self.proposal_ids[number % len(self.proposal_ids)]
            path = f"/{proposal_id}/versions/async"
            versioned = await self.attempt(lambda path=path: desk.say(path, a_version(), None))
            if versioned is not None:
                self.versions[operation_of(versioned)] = proposal_id
            await asyncio.sleep(self.every)


def operation_of(accepted: Answer) -> str:
    assert accepted.status == 202, accepted
    operation_id: str = json.loads(accepted.body)["operation_id"]
    return operation_id
