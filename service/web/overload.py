"""How much is done at a time, and who has to come back later.

A request that is let in does not wait for long: whoever would have to is refused at once, which costs next
to nothing, and so the time that is left goes to those who were let in.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from service.errors import Overloaded, RequestTimedOut, RequestTooSlow

# A burst may fill the waiting room. When it is not down to a standing crowd after this long it is no burst,
# and every place more is time that each caller waits.
BURST_SECONDS = 2.0
# When nobody has been refused for this long, what comes next is a burst again.
CALM_SECONDS = 1.0
# Waiting rooms, in places of work: a burst is done and not refused, and a crowd that stays is kept short, for
# every caller more who is under way costs all of them time.
BURST_ROOM = 4.0
STANDING_ROOM = 0.5
# A body over this size is computed in a process of its own, and takes long; there are few such processes.
LARGE_BYTES_MIN = 64 * 1024
LARGE_SHARE = 0.25
# Asked by those who look after the process, and never refused.
UNLIMITED = "/health/"
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Lane:
    """Requests of one kind: so many are worked on at a time, some wait for a place, the others are refused.

    Places are given out one in each turn of the event loop. What has to be computed is computed on it, so a
    crowd that began together would keep everybody else from being heard, refusals and health included.
    """

    def __init__(self, places: int, now: Callable[[], float] = time.monotonic) -> None:
        self.places = places
        self.room_min = max(1, int(places * STANDING_ROOM))
        self._room_of_bursts = int(places * BURST_ROOM)
        self.working = 0
        # Their bodies are on the way; they will want a place.
        self.receiving = 0
        # Let in at the door; they have not got here yet.
        self.coming = 0
        self.waiting: deque[asyncio.Future[None]] = deque()
        # Since when there are more than a standing crowd, and when somebody was last refused for it.
        self._crowded_since: float | None = None
        self._refused_at: float | None = None
        self._now = now
        self._turn_taken = False
        self._turning = False

    @property
    def under_way(self) -> int:
        return self.working + self.receiving + self.coming + len(self.waiting)

    def has_room(self) -> bool:
        """Whether one more may come in; who is told no is refused."""
        under_way = len(self.waiting) + self.receiving + self.coming
        if under_way < self.room_min:
            # The crowd has gone down by itself; while it is refused, it is no wonder that it has.
            self._crowded_since = None
            return True
        now = self._now()
        if self._refused_at is not None and now - self._refused_at < CALM_SECONDS:
            self._refused_at = now
            return False
        if self._crowded_since is None:
            self._crowded_since = now
        if now - self._crowded_since < BURST_SECONDS:
            return under_way < self._room_of_bursts
        self._refused_at = now
        return False

    async def take_place(self) -> None:
        """Waits for a place of work, first come, first served; to be left again."""
        if not self.waiting and self.working < self.places and not self._turn_taken:
            self.working += 1
            self._turn_taken = True
            self._turn_soon()
            return
        given = asyncio.get_running_loop().create_future()
        self.waiting.append(given)
        self._turn_soon()
        try:
            await given
        except asyncio.CancelledError:
            if given.cancelled():
                self.waiting.remove(given)
            else:
                self.leave_place()
            raise

    def leave_place(self) -> None:
        self.working -= 1
        if self.waiting:
            self._turn_soon()

    def _turn_soon(self) -> None:
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._turning = self._turn_taken = False
        if self.working == self.places:
            return
        # Who was cancelled takes itself off, but may not have had the time yet.
        given = next((one for one in self.waiting if not one.done()), None)
        if given is None:
            return
        self.waiting.remove(given)
        self.working += 1
        given.set_result(None)
        self._turn_taken = True
        self._turn_soon()


class Capacity:
    """What one process takes on at a time.

    Lookups, work and large work each have lanes of their own, so that none of them waits for another.
    """

    def __init__(
        self,
        *,
        requests_max: int,
        request_seconds_max: float,
        receive_seconds_max: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.request_seconds_max = request_seconds_max
        self.receive_seconds_max = receive_seconds_max
        self.lookups = Lane(requests_max, now)
        self.work = Lane(requests_max, now)
        self.large_work = Lane(max(1, int(requests_max * LARGE_SHARE)), now)
        self.lanes = (self.lookups, self.work, self.large_work)
        # Since the process started.
        self.refused = 0
        self.draining = False
        self.connections = 0
        self._coming: dict[asyncio.BaseProtocol, Lane] = {}

    @property
    def under_way(self) -> int:
        """Requests that have come in and are not answered yet."""
        return sum(lane.under_way for lane in self.lanes)

    @property
    def may_be_full(self) -> bool:
        """Whether there are enough connections for anybody to be refused; each has one request at a time."""
        return self.connections > self.large_work.room_min

    def lane_of(self, method: str, content_length: int | None) -> Lane:
        """Where a request goes; a body whose length nobody tells counts as large."""
        if method in ("GET", "HEAD"):
            return self.lookups
        large = content_length is None or content_length > LARGE_BYTES_MIN
        return self.large_work if large else self.work

    def promise(self, line: asyncio.BaseProtocol, lane: Lane) -> bool:
        """Whether the request that begins on a connection is let in; then it has its room from here on."""
        if not lane.has_room():
            self.refused += 1
            return False
        self.forget(line)
        self._coming[line] = lane
        lane.coming += 1
        return True

    def forget(self, line: asyncio.BaseProtocol) -> Lane | None:
        """Takes a promise back, or has it kept; the lane it was for."""
        lane = self._coming.pop(line, None)
        if lane is not None:
            lane.coming -= 1
        return lane

    @contextmanager
    def enter(self, line: asyncio.BaseProtocol, lane: Lane, *, receiving: bool) -> Iterator[Place]:
        """Lets the request of a connection in for as long as the context lasts. Raises Overloaded."""
        if self.forget(line) is not lane and not lane.has_room():
            self.refused += 1
            raise Overloaded()
        place = Place(lane, self.receive_seconds_max, receiving=receiving)
        try:
            yield place
        finally:
            place.leave()

    async def drained(self) -> None:
        """Waits until everything that came in is answered; it is all the same if more comes in."""
        while self.under_way:
            await asyncio.sleep(DRAIN_LOOK_SECONDS)

    async def close_when_draining(self, _: web.BaseRequest, answer: web.StreamResponse) -> None:
        """Tells callers to connect again, which they will do with another process."""
        if self.draining:
            answer.headers["Connection"] = "close"
            answer.force_close()


DRAIN_LOOK_SECONDS = 0.01


class Place:
    """Where one request stands in its lane."""

    __slots__ = ("_lane", "_working", "receive_seconds_max", "receiving")

    def __init__(self, lane: Lane, receive_seconds_max: float, *, receiving: bool) -> None:
        self._lane = lane
        self._working = False
        self.receive_seconds_max = receive_seconds_max
        self.receiving = receiving
        lane.receiving += receiving

    async def begin(self) -> None:
        """Waits for a place of work; the body is there."""
        self._received()
        await self._lane.take_place()
        self._working = True

    async def receive(self, request: web.Request) -> bytes:
        """The whole body, and a place of work once it is there. Raises RequestTooSlow."""
        if not self.receiving:
            return await request.read()
        try:
            async with asyncio.timeout(self.receive_seconds_max):
                body = await request.read()
        except TimeoutError:
            raise RequestTooSlow(seconds=self.receive_seconds_max) from None
        await self.begin()
        return body

    def leave(self) -> None:
        self._received()
        if self._working:
            self._lane.leave_place()

    def _received(self) -> None:
        self._lane.receiving -= self.receiving
        self.receiving = False


def limits(capacity: Capacity) -> Middleware:
    """Middleware: lets in what there is room for, and gives up what takes too long.

    Raises Overloaded and RequestTimedOut. What is given up is cancelled: an act of a store that has begun is
    taken back or kept as a whole.
    """

    @web.middleware
    async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(UNLIMITED):
            return await handler(request)
        chunked = "Transfer-Encoding" in request.headers
        lane = capacity.lane_of(request.method, None if chunked else request.content_length or 0)
        receiving = request.method in WITH_BODY and not request.content.is_eof()
        with capacity.enter(request.protocol, lane, receiving=receiving) as place:
            request[PLACE] = place
            try:
                async with asyncio.timeout(capacity.request_seconds_max) as time_limit:
                    if not receiving:
                        await place.begin()
                    return await handler(request)
            except TimeoutError:
                if time_limit.expired():
                    raise RequestTimedOut(seconds=capacity.request_seconds_max) from None
                raise

    return limit


CAPACITY = web.AppKey("CAPACITY", Capacity)
PLACE = web.RequestKey("PLACE", Place)
