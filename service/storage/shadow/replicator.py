"""Repeats on the shadow what the primary has kept, in order, and compares; no caller waits for it.

Acts that share something (a run, a key, an operation, a proposal) are repeated one after the other, in the
order in which the primary answered them; others may overtake. What the shadow refuses though the primary kept
it is tried again for a while: what it builds on may be on its way, also from another process.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog

from service.domains.shadow_differences import DifferenceKind, ShadowCounts
from service.errors.families import NotFound, ServiceError
from service.errors.storage import StoreRefused, StoreUnavailable
from service.observability.instruments import ShadowMetrics
from service.runtime.large_texts import where_large
from service.storage.ports.store import Store
from service.storage.shadow.backlog import Backlog, BacklogEntry
from service.storage.shadow.comparison import Found, difference_of, is_less, text_of
from service.storage.shadow.connection import GaveUp, ShadowConnection
from service.storage.shadow.difference_log import DifferenceLog
from service.storage.shadow.writes import Describe, Failed, MirroredWrite, Outcome, Succeeded, outcome_of

T = TypeVar("T")

# Repeated at once, so that an embedded shadow shares its commits, and never more: requests come first.
TOGETHER_MAX = 4
# How long what an act builds on may take to arrive.
PATIENCE_SECONDS = 15.0
# At the end: for acts to be repeated, and for differences to be kept.
DRAIN_SECONDS_MAX = 2.0
RECORD_SECONDS_MAX = 1.0
# Of what the shadow lacks, so many names are remembered.
LACKING_MAX = 10_000

logger = structlog.get_logger()


class Replicator:
    def __init__(
        self,
        *,
        backend: str,
        primary: Store,
        presence: ShadowConnection,
        journal: DifferenceLog,
        measures: ShadowMetrics,
        acts_waiting_max: int,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.backend = backend
        self._primary = primary
        self._presence = presence
        self._journal = journal
        self._measures = measures
        self._patience = patience_seconds
        self._waiting = Backlog(acts_waiting_max)
        self._lacking: dict[str, None] = {}
        self._applied = 0
        self._acting = 0
        self._under_way: dict[asyncio.Task[None], BacklogEntry] = {}
        self._beside: list[asyncio.Task[None]] = []
        self._closed = False
        measures.shadow_backlog(lambda: len(self._waiting))

    def begin(self) -> None:
        """Goes to work in the event loop that runs."""
        self._beside = [asyncio.create_task(self._work()), asyncio.create_task(self._journal.keep_on())]

    def counts(self) -> ShadowCounts:
        noted = self._journal.counts
        missed = noted[DifferenceKind.MISSED]
        return ShadowCounts(
            applied=self._applied,
            differed=noted.total() - missed,
            missed=missed,
            waiting=len(self._waiting),
            unrecorded=self._journal.unrecorded,
        )

    async def follow(
        self,
        act: str,
        describe: Describe,
        do: Callable[..., Awaitable[T]],
        again: Callable[..., Awaitable[object]],
        args: tuple[Any, ...],
        named: dict[str, Any],
    ) -> T:
        """Does an act on the primary, and has what came of it repeated; raises what the primary raises."""
        outcome: Outcome | None = None
        has_refused = False
        self._acting += 1
        try:
            value = await do(*args, **named)
            outcome = Succeeded(value)
            return value
        except StoreUnavailable:
            raise
        except StoreRefused:
            # The fault is ours, and the primary wrote nothing; there is nothing to repeat or to compare.
            has_refused = True
            raise
        except ServiceError as refusal:
            outcome = Failed(refusal)
            raise
        finally:
            self._acting -= 1
            try:
                told = describe(outcome, *args, **named)
                if not has_refused:
                    self._take(act, told, outcome, lambda shadow: again(shadow, *args, **(named | told.more)))
            except Exception:
                logger.exception("shadow_write_not_queued", act=act)

    def _take(self, act: str, told: MirroredWrite, outcome: Outcome | None, again: Any) -> None:
        if outcome is None:
            # It is unknown whether the primary kept it, and so what the shadow should have.
            self._remember(told)
            return
        ask = again if told.wrote else told.echo
        if ask is None:
            return
        if not self._closed and self._waiting.has_room(told):
            self._waiting.put(BacklogEntry(act, told, outcome, ask))
        elif told.wrote:
            self._miss(act, told)

    def _miss(self, act: str, told: MirroredWrite) -> None:
        self._remember(told)
        self._journal.note(DifferenceKind.MISSED, act, told, Found("act", "kept", "not repeated"))

    def _remember(self, told: MirroredWrite) -> None:
        self._lacking.update(dict.fromkeys(told.touches))
        while len(self._lacking) > LACKING_MAX:
            del self._lacking[next(iter(self._lacking))]

    async def _work(self) -> None:
        await self._presence.find()
        while True:
            item = await self._waiting.next()
            while len(self._under_way) >= TOGETHER_MAX or self._is_touched(item.told):
                await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._settle(item))
            self._under_way[task] = item
            task.add_done_callback(self._under_way.pop)

    def _is_touched(self, told: MirroredWrite) -> bool:
        return any(not told.touches.isdisjoint(other.told.touches) for other in self._under_way.values())

    async def _settle(self, item: BacklogEntry) -> None:
        try:
            kind, found = await self._compare(item)
        except Exception as error:
            if not isinstance(error, GaveUp):
                logger.exception("shadow_write_failed", act=item.act, entity_id=item.told.entity_id)
            kind = DifferenceKind.FAILED
            found = Found("act", text_of(item.outcome), text_of(error.__cause__ or error))
            self._remember(item.told)
        if found is None:
            self._applied += 1
            self._measures.shadow_written()
        elif kind is None:
            self._waiting.put_aside(item)
            return
        else:
            self._journal.note(kind, item.act, item.told, found)
        self._waiting.done(item)

    async def _compare(self, item: BacklogEntry) -> tuple[DifferenceKind | None, Found | None]:
        """Nothing is found, or something of a kind; of no kind as long as it may still come right."""
        told = item.told
        if not item.is_repeated:
            outcome = await self._presence.ask(item.ask, item.doubt)
            found = None
            if told.compared:
                found = await where_large(told.size, difference_of, "outcome", item.outcome, outcome)
            # What was kept and not said to be shows in what is stored.
            if found is not None and not (item.doubtful and (told.looks or told.counts)):
                return self._kind_of(item, outcome), found
            item.is_repeated = True
        looks = () if self._waiting.is_half_full() or self._waiting.is_followed(told.touches) else told.looks
        for look in looks:
            try:
                primary = await outcome_of(look.read(self._primary))
            except Exception:
                logger.exception("shadow_read_failed", act=item.act, place=look.place)
                return None, None
            if isinstance(primary, Failed) and isinstance(primary.refusal, StoreUnavailable):
                return None, None
            shadow = await self._presence.ask(look.read)
            found = await where_large(told.size, difference_of, look.place, primary, shadow)
            if found is not None:
                return self._kind_of(item, None), found
        if looks:
            for name in told.touches:
                self._lacking.pop(name, None)
        return None, None

    def _kind_of(self, item: BacklogEntry, outcome: Outcome | None) -> DifferenceKind | None:
        """What kind a difference is of; `outcome` is the shadow's, or None where what is stored differs."""
        told = item.told
        if not told.touches.isdisjoint(self._lacking):
            return DifferenceKind.CONSEQUENCE
        has_written = told.wrote and isinstance(outcome, Succeeded) and outcome.value is not None
        now = asyncio.get_running_loop().time()
        if item.give_up is None:
            item.give_up = now + self._patience
        if not has_written and now < item.give_up:
            return None
        is_absent = isinstance(outcome, Failed) and isinstance(outcome.refusal, NotFound)
        is_less_there = told.counts and (bool(self._lacking) or is_less(item.outcome, outcome))
        if told.wrote and not told.counts:
            # What builds on it cannot go well either.
            self._remember(told)
        if is_absent or is_less_there:
            return DifferenceKind.CONSEQUENCE
        has_refused = isinstance(outcome, Failed) and isinstance(outcome.refusal, StoreRefused)
        return DifferenceKind.FAILED if has_refused else DifferenceKind.OUTCOME

    async def close(self) -> None:
        """Repeats what can be repeated in two seconds and lets go of the shadow; never raises."""
        if self._closed:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS_MAX):
                while self._acting or (self._presence.is_there and self._waiting.items):
                    await asyncio.sleep(0.01)
        self._closed = True
        for task in (*self._beside, *self._under_way):
            task.cancel()
        await asyncio.gather(*self._beside, *self._under_way, return_exceptions=True)
        for item in list(self._waiting.items):
            if item.told.wrote and not item.is_repeated:
                self._miss(item.act, item.told)
            self._waiting.done(item)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RECORD_SECONDS_MAX):
                await self._journal.flush()
        await self._presence.close()
