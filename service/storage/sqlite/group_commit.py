"""The one writer: acts that wait while a commit is under way share the next one.

A commit costs one flush of the disk whatever it holds, so the more callers wait, the less each of them pays.
Each act stands alone inside the shared commit: one that is refused takes only its own writes back. No caller
is answered before the commit, and if it fails no caller is told that anything was kept; where it fails by the
fault of one act, each is committed alone.

The writer's thread goes from commit to commit by itself and does not wait for the event loop in between.
"""

from __future__ import annotations

import asyncio
import math
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

from service.errors.storage import StoreUnavailable
from service.storage.sqlite.connection import Connection, savepoint, transaction
from service.storage.sqlite.faults import error_of

T = TypeVar("T")
Act = Callable[[sqlite3.Connection], T]

ACTS_PER_COMMIT_MAX = 64


@dataclass(frozen=True, slots=True)
class PendingWrite:
    """An act, and the caller who waits for what comes of it."""

    act: Act[Any]
    answer: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class Committed:
    value: Any


@dataclass(frozen=True, slots=True)
class Failed:
    reason: Exception


Outcome = Committed | Failed


class GroupCommit:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.waiting: deque[PendingWrite] = deque()
        # Guards `waiting` and `busy`, which the event loop and the writer's thread both touch.
        self.lock = Lock()
        self.busy = False
        # When the last commit reached the disk, by the monotonic clock.
        self.committed_at = -math.inf

    async def write(self, act: Act[T]) -> T:
        """Give back what the act gives, once it is committed.

        Raises what the act raises, its writes undone, and what error_of makes of a commit that fails. An act
        whose caller is cancelled before its turn is not begun; one under way is finished.
        """
        self.connection.require_open()
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self.lock:
            self.waiting.append(PendingWrite(act, answer))
            begin, self.busy = not self.busy, True
        if begin:
            self.connection.post(self.commit_until_idle)
        return await answer

    def commit_until_idle(self, conn: sqlite3.Connection) -> None:
        while group := self.next_group(ACTS_PER_COMMIT_MAX):
            tell(group, self.outcomes_of(conn, group))

    def outcomes_of(self, conn: sqlite3.Connection, group: list[PendingWrite]) -> Sequence[Outcome]:
        """What came of each act of a group; the group grows by those who are refused with it."""
        try:
            outcomes = commit_together(conn, [waiting.act for waiting in group])
        except Exception as error:
            if is_busy(error):
                # They waited through the same time-out; another one each would hold them for minutes.
                group += self.all_waiting()
            refusal = error_of(error)
            if isinstance(refusal, StoreUnavailable) or len(group) == 1:
                return [Failed(refusal) for _ in group]
            # One of them made the commit fail, and the others are not to suffer for it.
            return [outcome for waiting in group for outcome in self.outcomes_of(conn, [waiting])]
        self.committed_at = time.monotonic()
        return outcomes

    def next_group(self, count_max: int) -> list[PendingWrite]:
        """The acts to commit next; when there is none, the next caller has to begin again."""
        with self.lock:
            group = self.take(count_max)
            self.busy = bool(group)
        return group

    def all_waiting(self) -> list[PendingWrite]:
        with self.lock:
            return self.take(len(self.waiting))

    def take(self, count_max: int) -> list[PendingWrite]:
        taken: list[PendingWrite] = []
        while self.waiting and len(taken) < count_max:
            waiting = self.waiting.popleft()
            if not waiting.answer.cancelled():
                taken.append(waiting)
        return taken


def commit_together(conn: sqlite3.Connection, acts: Sequence[Act[Any]]) -> list[Outcome]:
    with transaction(conn):
        return [attempt(conn, act) for act in acts]


def attempt(conn: sqlite3.Connection, act: Act[Any]) -> Outcome:
    try:
        with savepoint(conn):
            return Committed(act(conn))
    except Exception as error:
        if not conn.in_transaction:
            raise
        return Failed(error_of(error))


def is_busy(error: Exception) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")


def tell(group: Sequence[PendingWrite], outcomes: Sequence[Outcome]) -> None:
    """Answer every caller of a group in one turn of the event loop."""
    loop = group[0].answer.get_loop()
    loop.call_soon_threadsafe(answer_all, group, outcomes)


def answer_all(group: Sequence[PendingWrite], outcomes: Sequence[Outcome]) -> None:
    for waiting, outcome in zip(group, outcomes, strict=True):
        if waiting.answer.done():
            continue
        match outcome:
            case Committed(value):
                waiting.answer.set_result(value)
            case Failed(reason):
                waiting.answer.set_exception(reason)
