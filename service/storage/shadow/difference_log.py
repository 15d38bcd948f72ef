"""Counts differences, tells of them and has the primary keep them; so many a minute, and never more."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import structlog

from service.domains.shadow_differences import Difference, DifferenceKind
from service.errors.storage import StoreRefused
from service.observability.instruments import ShadowMetrics
from service.runtime.clock import Clock, NewId
from service.storage.ports.shadow_differences import ShadowDifferenceStore
from service.storage.shadow.comparison import Found
from service.storage.shadow.writes import MirroredWrite

# Of each kind, by each process; so that a broken shadow fills neither the primary nor the log.
ROWS_PER_MINUTE = 60
# While the primary is away.
ROWS_WAITING_MAX = 1000
# Differences of so long are kept in one act.
GATHERED_SECONDS = 0.5

logger = structlog.get_logger()


class DifferenceLog:
    def __init__(
        self, store: ShadowDifferenceStore, *, clock: Clock, new_id: NewId, measures: ShadowMetrics
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._measures = measures
        self._waiting: list[Difference] = []
        self._news = asyncio.Event()
        self._minute: datetime | None = None
        self._rows: Counter[DifferenceKind] = Counter()
        self._left_out = 0
        self.counts: Counter[DifferenceKind] = Counter()
        self.unrecorded = 0

    def note(self, kind: DifferenceKind, act: str, told: MirroredWrite, found: Found) -> None:
        """Counts a difference, and sees to it that it is kept unless there are too many of its kind."""
        self.counts[kind] += 1
        if kind is DifferenceKind.MISSED:
            self._measures.shadow_dropped()
        else:
            self._measures.shadow_differed(kind.value)
        now = self._clock.now()
        self._begin_minute(now)
        self._rows[kind] += 1
        if self._rows[kind] > ROWS_PER_MINUTE or len(self._waiting) >= ROWS_WAITING_MAX:
            self._left_out += 1
            self.unrecorded += 1
            return
        difference = Difference(
            difference_id=self._new_id("diff"),
            tenant_id=told.tenant_id,
            kind=kind,
            act=act,
            entity_id=told.entity_id,
            place=found.place,
            primary_text=found.primary,
            shadow_text=found.shadow,
            found_at=now,
            correlation_id=told.correlation_id,
        )
        self._waiting.append(difference)
        self._news.set()
        # What differs is in the store; a log is read by more people than a client's affairs are for.
        logger.warning(
            "shadow_differs", kind=kind.value, act=act, entity_id=told.entity_id, place=found.place
        )

    async def keep_on(self) -> None:
        """Has the primary keep what is noted, for as long as the process lives."""
        while True:
            await self._news.wait()
            await asyncio.sleep(GATHERED_SECONDS)
            self._news.clear()
            if not await self.flush():
                # Noted again later; nothing is lost meanwhile but what is too much.
                self._news.set()

    async def flush(self) -> bool:
        """Has the primary keep what waits; false when it did not."""
        gathered = list(self._waiting)
        if not gathered:
            return True
        try:
            await self._store.record(gathered)
        except StoreRefused:
            await self._keep_one_by_one(gathered)
        except Exception as error:
            logger.warning("shadow_differences_not_kept", count=len(gathered), cause=repr(error))
            return False
        del self._waiting[: len(gathered)]
        return True

    async def _keep_one_by_one(self, gathered: Sequence[Difference]) -> None:
        """Keeps what the primary takes; what it refuses it would refuse again, and is only counted."""
        for difference in gathered:
            try:
                await self._store.record([difference])
            except StoreRefused as error:
                self.unrecorded += 1
                logger.error("shadow_difference_refused", kind=difference.kind.value, sqlstate=error.sqlstate)

    def _begin_minute(self, now: datetime) -> None:
        minute = now.replace(second=0, microsecond=0)
        if minute == self._minute:
            return
        if self._left_out:
            logger.warning("shadow_differences_unrecorded", count=self._left_out)
        self._minute, self._left_out = minute, 0
        self._rows.clear()
