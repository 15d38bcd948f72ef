"""Admits requests by the time that they would wait, and queues the rest.

A request whose expected wait stays under the bound waits for its turn; every other one is refused at once,
which costs next to nothing, so that the time that is left goes to those who were admitted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from service.errors.requests import BodyUnreadable, Overloaded, RequestTooSlow
from service.runtime.large_texts import where_large
from service.web.http.concurrency_limit import ConcurrencyLimit, overloaded

# A body over this size is computed in a process of its own, and takes long; there are few such processes.
LARGE_BYTES_MIN = 64 * 1024
LARGE_SHARE = 0.25
# Look-ups do little else than wait for a connection of the store, of which there are not more.
LOOKUPS_AT_WORK_MAX = 8
# Of all bodies together, so many bytes are held. Of each, the first are not counted: connections are bounded.
BODY_BYTES_HELD_MAX = 64 * 1024 * 1024
UNCOUNTED_BODY_BYTES = 64 * 1024
# Of a body, so many bytes are taken at a time, and copied.
PIECE_BYTES_MAX = 1024 * 1024
# Asked by probes, and never refused.
UNLIMITED = "/health/"
LOOKUP_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
DRAIN_LOOK_SECONDS = 0.01


class Capacity:
    """What one process takes on at a time.

    Look-ups, work and large work each have a limit of their own, so that none of them waits for another.
    """

    def __init__(
        self,
        *,
        requests_max: int,
        request_seconds_max: float,
        receive_seconds_max: float,
        queue_seconds_max: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.request_seconds_max = request_seconds_max
        self.receive_seconds_max = receive_seconds_max

        def limit(at_work_max: int) -> ConcurrencyLimit:
            return ConcurrencyLimit(at_work_max, queue_seconds_max=queue_seconds_max, now=now)

        self.lookups = limit(min(requests_max, LOOKUPS_AT_WORK_MAX))
        self.work = limit(requests_max)
        self.large_work = limit(max(1, int(requests_max * LARGE_SHARE)))
        self.limits = {"lookups": self.lookups, "work": self.work, "large_work": self.large_work}
        # Requests that have come in and are not answered yet.
        self.under_way = 0
        self.body_bytes_held = 0
        # Since the process started.
        self.refused = 0
        self.answers_cut = 0
        self.draining = False

    def limit_of(self, method: str, body_bytes: int) -> ConcurrencyLimit:
        """Where a request belongs, by the decompressed size of its body."""
        if method in LOOKUP_METHODS:
            return self.lookups
        return self.large_work if body_bytes > LARGE_BYTES_MIN else self.work

    def enter(self, method: str, content_length: int | None) -> Slot:
        """Admits a request; its slot is to be left. Raises Overloaded."""
        limit = self.limit_of(method, content_length or 0)
        if not limit.has_room():
            raise self.refusal(limit)
        return Slot(self, limit, method)

    def refusal(self, limit: ConcurrencyLimit) -> Overloaded:
        """Counts a request that is refused, and says when to come back."""
        self.refused += 1
        return overloaded(limit.expected_wait())

    def hold_body(self, count: int) -> None:
        """Counts so many bytes more of the body of a large request. Raises Overloaded."""
        if self.body_bytes_held + count > BODY_BYTES_HELD_MAX:
            raise self.refusal(self.large_work)
        self.body_bytes_held += count

    def refuse_expired(self) -> None:
        """Refuses requests that have waited too long, where no turn comes that would."""
        for limit in self.limits.values():
            limit.refuse_expired()

    async def drained(self) -> None:
        """Waits until everything that came in is answered; more may come in meanwhile."""
        while self.under_way:
            await asyncio.sleep(DRAIN_LOOK_SECONDS)

    async def close_when_draining(self, _: web.BaseRequest, answer: web.StreamResponse) -> None:
        """Tells callers to connect again, which they will do with another process."""
        if self.draining:
            answer.headers["Connection"] = "close"
            answer.force_close()


class Slot:
    """Held from the head of a request until its answer is sent or cut, and its work has ended."""

    __slots__ = ("_at_work", "_body_bytes", "_capacity", "_left", "_method", "limit", "work")

    def __init__(self, capacity: Capacity, limit: ConcurrencyLimit, method: str) -> None:
        self._capacity = capacity
        self._method = method
        self._at_work = False
        self._left = False
        # Bytes of the body that count as held.
        self._body_bytes = 0
        self.limit = limit
        # What answers the request; it may go on for a while after the request was given up.
        self.work: asyncio.Task[web.StreamResponse] | None = None
        capacity.under_way += 1

    async def begin(self, body_bytes: int) -> None:
        """Wait for a slot under the limit of a decompressed body of that size. Raises Overloaded."""
        limit = self._capacity.limit_of(self._method, body_bytes)
        if limit is not self.limit and not limit.has_room():
            raise self._capacity.refusal(limit)
        self.limit = limit
        await limit.acquire()
        self._at_work = True

    async def receive(
        self, request: web.Request, decode: Callable[[bytes], Awaitable[bytes]] | None = None
    ) -> bytes:
        """The whole body, decoded if it was sent compressed, and with it a place at work under its limit.

        Raises RequestTooSlow, BodyUnreadable, Overloaded, what decoding raises, and what the server raises
        on a body that is too large.
        """
        if self._at_work:
            body = await request.read()
            return body if decode is None else await decode(body)
        if request.content.is_eof():
            body = await request.read()
        else:
            seconds_max = self._capacity.receive_seconds_max
            try:
                async with asyncio.timeout(seconds_max):
                    body = await self._read(request)
            except TimeoutError:
                raise RequestTooSlow(seconds=seconds_max) from None
            except (ConnectionError, web.RequestPayloadError):
                # Its caller left in the midst of it, or sent what is no body: no fault of ours.
                raise BodyUnreadable() from None
        if decode is not None:
            body = await decode(body)
            self._count(len(body))
        await self.begin(len(body))
        return body

    def leave(self) -> None:
        """Gives up what is held, once the work has ended too."""
        if self._left:
            return
        self._left = True
        if self.work is None or self.work.done():
            self._free(None)
        else:
            self.work.add_done_callback(self._free)

    async def _read(self, request: web.Request) -> bytes:
        bytes_max = request.client_max_size
        if bytes_max:
            # Otherwise a compressed body comes in many small pieces.
            request.content.set_read_chunk_size(bytes_max)
        pieces: list[bytes] = []
        size = 0
        while piece := await request.content.read(PIECE_BYTES_MAX):
            pieces.append(piece)
            size += len(piece)
            if bytes_max and size > bytes_max:
                raise web.HTTPRequestEntityTooLarge(bytes_max)
            self._count(size)
        # Putting many pieces together lets go of the interpreter.
        return await where_large(size, b"".join, pieces)

    def _count(self, body_bytes: int) -> None:
        """Counts what is held of the body. Raises Overloaded."""
        counted = max(0, body_bytes - UNCOUNTED_BODY_BYTES)
        if counted > self._body_bytes:
            self._capacity.hold_body(counted - self._body_bytes)
            self._body_bytes = counted

    def _free(self, _: object) -> None:
        self._capacity.under_way -= 1
        self._capacity.body_bytes_held -= self._body_bytes
        if self._at_work:
            self.limit.release()


CAPACITY = web.AppKey("CAPACITY", Capacity)
SLOT = web.RequestKey("SLOT", Slot)
