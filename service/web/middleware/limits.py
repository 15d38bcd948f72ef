"""Middlewares: admits requests, gives up what takes too long, and sends answers only as they are taken."""

from __future__ import annotations

import asyncio

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from service.errors.families import ServiceError
from service.errors.requests import RequestTimedOut
from service.web.http.admission import SLOT, UNLIMITED, Capacity, Slot
from service.web.http.large_responses import SlicedBody

# What is cancelled has so long to end before its request is answered without it. A driver may hold on to a
# connection for longer.
CANCEL_SECONDS_MAX = 0.5
# An answer over this size is sent in slices, and holds its place until it is sent.
SLICED_BYTES_MIN = 64 * 1024
LOOK_SECONDS = 1.0
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})

logger = structlog.get_logger()


async def watch(capacity: Capacity) -> None:
    """Refuses what has waited too long while nothing moves, and tells how many were refused; never ends."""
    told = 0
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        capacity.refuse_expired()
        # One line for all of them: a log that grows with the load makes it worse.
        if capacity.refused > told:
            logger.warning("overloaded", refused=capacity.refused - told, under_way=capacity.under_way)
            told = capacity.refused


def limits(capacity: Capacity) -> Middleware:
    """Middleware: admits what would not wait for too long, and gives up what takes too long.

    Raises Overloaded and RequestTimedOut. What is given up is cancelled: an act of a store that has begun is
    taken back or kept as a whole. What does not end at once goes on behind the answer and keeps its place at
    work until it has ended, so no more of it can be under way than there are places.
    """

    @web.middleware
    async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(UNLIMITED):
            return await handler(request)
        slot = capacity.enter(request.method, request.content_length)
        request[SLOT] = slot
        # In a task of its own: only then is the limit one, whatever the work waits for.
        slot.work = work = asyncio.create_task(_answer(request, handler, slot))
        try:
            if not await _ends(work, capacity.request_seconds_max):
                work.cancel()
                if not await _ends(work, CANCEL_SECONDS_MAX):
                    work.add_done_callback(_tell_late_end)
                    raise RequestTimedOut(seconds=capacity.request_seconds_max)
        except asyncio.CancelledError:
            work.cancel()
            work.add_done_callback(_tell_late_end)
            raise
        if work.cancelled():
            raise RequestTimedOut(seconds=capacity.request_seconds_max)
        return work.result()

    return limit


async def _answer(request: web.Request, handler: Handler, slot: Slot) -> web.StreamResponse:
    # A body is received before the place at work is taken, so slow senders hold up no one who is ready.
    # Only when a body is decompressed it is known which limit it belongs to.
    is_here = request.content.is_eof() and "Content-Encoding" not in request.headers
    if request.method not in WITH_BODY or is_here:
        await slot.begin(getattr(request.content, "total_bytes", 0))
    return await handler(request)


async def _ends(work: asyncio.Task[web.StreamResponse], seconds_max: float) -> bool:
    done, _ = await asyncio.wait((work,), timeout=seconds_max)
    return bool(done)


def _tell_late_end(work: asyncio.Task[web.StreamResponse]) -> None:
    """The caller has left, so the outcome is dropped; only unexpected errors are logged."""
    if work.cancelled():
        return
    error = work.exception()
    if error is not None and not isinstance(error, ServiceError | web.HTTPException):
        logger.warning("request_failed_late", exc_info=error)


def sends(capacity: Capacity) -> Middleware:
    """Middleware, to be the outermost: the slot of a request is left once its answer is sent or cut."""

    @web.middleware
    async def send(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            answer = await handler(request)
            if isinstance(answer, web.Response) and isinstance(answer.body, bytes):
                count = len(answer.body)
                if count > SLICED_BYTES_MIN:
                    await _send_slices(capacity, request, answer, count)
            return answer
        finally:
            slot = request.get(SLOT)
            if slot is not None:
                slot.leave()

    return send


async def _send_slices(capacity: Capacity, request: web.Request, answer: web.Response, count: int) -> None:
    slot = request.get(SLOT)
    served_under = capacity.lookups if slot is None else slot.limit
    assert isinstance(answer.body, bytes)
    answer.body = body = SlicedBody(answer.body, request.protocol, served_under.is_short)
    served_under.begin_sending(count)
    try:
        await answer.prepare(request)
        await answer.write_eof()
    finally:
        served_under.end_sending(count)
        capacity.answers_cut += body.was_cut
