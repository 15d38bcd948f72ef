"""How many requests of one kind are at work at a time, and how long the next one would wait."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from service.errors.requests import Overloaded

# Completions are counted over spans of so many seconds. They come in groups, as a store commits them.
SPAN_SECONDS_MIN = 1.0
SPAN_SECONDS_MAX = 5.0
# An estimate is not exact: of the wait that is allowed, a part is left. Otherwise a slower moment would
# refuse requests that have waited already.
EXPECTED_SHARE_MAX = 0.8
# Answers under one limit that are being sent, in bytes, above which no other request under it begins.
SENDING_BYTES_MAX = 48 * 1024 * 1024
# Requests that have waited too long and are refused in one turn of the event loop.
EXPIRED_AT_ONCE = 16
# Callers that are refused together come back over at least so many seconds.
RETRY_SPREAD_SECONDS_MIN = 2


def overloaded(wait_seconds: float) -> Overloaded:
    """The refusal of a request that would wait so long; Retry-After is drawn around it."""
    refusal = Overloaded()
    refusal.retry_after_seconds = max(1, math.ceil(wait_seconds / 2))
    spread = max(RETRY_SPREAD_SECONDS_MIN, math.ceil(wait_seconds))
    refusal.retry_after_seconds_max = refusal.retry_after_seconds + spread
    return refusal


class CompletionRate:
    """How fast requests are completed, over the span of now and the one before.

    A span has at least so many completions as requests are at work at a time, or ends by itself: what began
    together may end together, and the first of it says little.
    """

    __slots__ = ("_before", "_before_began", "_began", "_count", "_latest", "_least")

    def __init__(self, now: float, least: int) -> None:
        self._least = least
        self._before_began = self._began = self._latest = now
        self._before = self._count = 0

    def count(self, now: float) -> None:
        """One was completed."""
        self._pass(now)
        self._count += 1
        self._latest = now

    def seconds_each(self, now: float) -> float:
        """Seconds between two completions; 0 while there are too few to tell."""
        self._pass(now)
        elapsed, count = self._latest - self._before_began, self._before + self._count
        return elapsed / count if count >= self._least or (count and elapsed >= SPAN_SECONDS_MAX) else 0.0

    def standstill(self, now: float) -> float:
        """For how long nothing has been completed; 0 when that is no longer than between two groups."""
        elapsed = now - self._latest
        return elapsed if elapsed > SPAN_SECONDS_MIN else 0.0

    def _pass(self, now: float) -> None:
        elapsed = now - self._began
        enough = elapsed >= SPAN_SECONDS_MIN and self._count >= self._least
        if enough or (self._count and elapsed >= SPAN_SECONDS_MAX):
            self._before_began, self._before = self._began, self._count
            self._began, self._count = self._latest, 0


@dataclass(slots=True, eq=False)
class _Queued:
    given: asyncio.Future[None]
    since: float


class ConcurrencyLimit:
    """So many requests are at work at a time, the others wait in the order in which they came.

    At most one begins in each turn of the event loop. What has to be computed is computed on it, so a crowd
    that began together would keep everybody else from being heard, refusals and health probes included.
    """

    def __init__(
        self, at_work_max: int, *, queue_seconds_max: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.at_work_max = at_work_max
        self.queue_seconds_max = queue_seconds_max
        self.working = 0
        # Answers that are being sent in slices, and their bytes.
        self.sending = 0
        self.sending_bytes = 0
        self._queue: deque[_Queued] = deque()
        self._cancelled = 0
        self._now = now
        # Of the requests that were completed since there is a queue.
        self._rate = CompletionRate(0.0, at_work_max)
        self._turn_taken = False
        self._turning = False

    def count_queued(self) -> int:
        return len(self._queue) - self._cancelled

    def expected_wait(self) -> float:
        """Seconds that a request which comes now would wait."""
        queued = self.count_queued()
        if not queued:
            return 0.0
        now = self._now()
        # While nothing is completed, it cannot be said when that goes on; it has taken so long already.
        return self._rate.seconds_each(now) * queued + self._rate.standstill(now)

    def has_room(self) -> bool:
        """Whether one more may come in; otherwise it is to be refused."""
        return self.expected_wait() <= self.queue_seconds_max * EXPECTED_SHARE_MAX

    def is_short(self) -> bool:
        """Whether requests wait because answers are not taken."""
        held = self.sending_bytes > SENDING_BYTES_MAX or self.sending * 2 >= self.at_work_max
        return held and bool(self.count_queued())

    async def acquire(self) -> None:
        """Waits for a place at work; to be released. Raises Overloaded when the wait becomes too long."""
        if not self._queue and not self._is_full() and not self._turn_taken:
            self.working += 1
            self._turn_taken = True
            self._turn_soon()
            return
        if not self.count_queued():
            # What was done while no request waited says nothing of how fast it can be done.
            self._rate = CompletionRate(self._now(), self.at_work_max)
        waiting = _Queued(asyncio.get_running_loop().create_future(), self._now())
        self._queue.append(waiting)
        self._turn_soon()
        try:
            await waiting.given
        except asyncio.CancelledError:
            if waiting.given.cancelled():
                # It is taken off the queue when its turn comes.
                self._cancelled += 1
            elif waiting.given.exception() is None:
                self.release()
            raise

    def release(self) -> None:
        """The answer was sent, or cut."""
        self.working -= 1
        self._rate.count(self._now())
        self._turn_soon()

    def begin_sending(self, count: int) -> None:
        """An answer of so many bytes is held until it is sent or cut."""
        self.sending += 1
        self.sending_bytes += count

    def end_sending(self, count: int) -> None:
        """It is no longer held."""
        self.sending -= 1
        self.sending_bytes -= count
        self._turn_soon()

    def refuse_expired(self) -> None:
        """Refuses requests at the head of the queue that have waited too long."""
        now = self._now()
        for _ in range(EXPIRED_AT_ONCE):
            self._drop_cancelled()
            if not self._queue or now - self._queue[0].since <= self.queue_seconds_max:
                return
            self._queue.popleft().given.set_exception(overloaded(self.expected_wait()))

    def _is_full(self) -> bool:
        return self.working >= self.at_work_max or self.sending_bytes > SENDING_BYTES_MAX

    def _drop_cancelled(self) -> None:
        while self._queue and self._queue[0].given.cancelled():
            self._queue.popleft()
            self._cancelled -= 1

    def _turn_soon(self) -> None:
        if not self._turning and (self._queue or self._turn_taken):
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._turning = self._turn_taken = False
        if self._is_full():
            return
        self.refuse_expired()
        self._drop_cancelled()
        if not self._queue:
            return
        self.working += 1
        self._turn_taken = True
        self._queue.popleft().given.set_result(None)
        self._turn_soon()
