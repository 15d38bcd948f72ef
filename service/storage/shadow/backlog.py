"""The acts that wait for the shadow: how many there is room for, and which comes next."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Collection
from dataclasses import dataclass

from service.storage.shadow.writes import Ask, MirroredWrite, Outcome

# Requests and results are held until their act is repeated.
WAITING_BYTES_MAX = 64 * 1024 * 1024
# How often an act is tried again that the shadow refused.
ASIDE_SECONDS = 0.2


@dataclass(slots=True, eq=False)
class BacklogEntry:
    """An act and what is to be asked of the shadow; `doubtful`: it may have been kept and not said so.

    `give_up` is when waiting for what the act builds on ends, by the clock of the event loop.
    """

    act: str
    told: MirroredWrite
    outcome: Outcome
    ask: Ask
    is_repeated: bool = False
    doubtful: bool = False
    due: float = 0.0
    give_up: float | None = None

    def doubt(self) -> None:
        self.doubtful = True


class Backlog:
    def __init__(self, acts_max: int, bytes_max: int = WAITING_BYTES_MAX) -> None:
        self._acts_max = acts_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._queue: deque[BacklogEntry] = deque()
        self._aside: deque[BacklogEntry] = deque()
        self._touched: Counter[str] = Counter()
        self._news = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()
        # In the order in which they were put.
        self.items: dict[BacklogEntry, None] = {}

    def __len__(self) -> int:
        return len(self.items)

    def has_room(self, told: MirroredWrite) -> bool:
        return len(self.items) < self._acts_max and (
            not self.items or self._bytes + told.size <= self._bytes_max
        )

    def is_half_full(self) -> bool:
        return 2 * len(self.items) > self._acts_max

    def put(self, item: BacklogEntry) -> None:
        self.items[item] = None
        self._bytes += item.told.size
        self._touched.update(item.told.touches)
        self._queue.append(item)
        self._emptied.clear()
        self._news.set()

    def put_aside(self, item: BacklogEntry) -> None:
        """Has an act come again in a while; others go on meanwhile."""
        item.due = asyncio.get_running_loop().time() + ASIDE_SECONDS
        self._aside.append(item)
        self._news.set()

    def done(self, item: BacklogEntry) -> None:
        del self.items[item]
        self._bytes -= item.told.size
        for name in item.told.touches:
            self._touched[name] -= 1
            if not self._touched[name]:
                del self._touched[name]
        if not self.items:
            self._emptied.set()

    def is_followed(self, names: Collection[str]) -> bool:
        """Whether acts wait that touch the same, beside the one that is asked about."""
        return any(self._touched[name] > 1 for name in names)

    async def next(self) -> BacklogEntry:
        """The act that has waited longest; one that was put aside comes when it is due."""
        loop = asyncio.get_running_loop()
        while True:
            pause = self._aside[0].due - loop.time() if self._aside else None
            if pause is not None and pause <= 0:
                return self._aside.popleft()
            if self._queue:
                return self._queue.popleft()
            self._news.clear()
            try:
                async with asyncio.timeout(pause):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def emptied(self) -> None:
        await self._emptied.wait()
