"""One connection: what happens before a request exists, and when its caller goes away."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from http import HTTPStatus

import msgspec
import structlog
from aiohttp import StreamReader, web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import HttpVersion11, RawRequestMessage

from service.clock import NewId
from service.errors import Overloaded, RequestTooSlow
from service.web.admission import UNLIMITED, Capacity
from service.web.connections import Connections
from service.web.correlation import HEADER
from service.web.refusals import CODE, Problem, problem, retry_after

KEEP_ALIVE_SECONDS = 75.0
# Requests that were sent ahead of an answer; above, no more is read.
SENT_AHEAD_MAX = 2
# A caller who has closed his sending half and one who has gone away look alike; both are worked for so long.
HALF_CLOSED_SECONDS = 5.0
# A caller who was refused and comes back too early is read again only after a pause, which doubles.
REFUSED_PAUSE_SECONDS_MIN = 1 / 16
REFUSED_PAUSE_SECONDS_MAX = 1.0

# An answer to HEAD has no body.
_PLAIN_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_VISIBLE = re.compile("[!-~]{1,255}")
# What changes how an answer is read, or what else it has to say, is left to the application.
_UNUSUAL = ("Expect", "Upgrade", "Origin", "Transfer-Encoding")

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptGate:
    """What a connection knows of how much is going on behind it."""

    capacity: Capacity
    connections: Connections
    new_id: NewId


class HttpConnection(web.RequestHandler):
    """A connection of the server's own, which also knows when it is idle and when it is to be refused."""

    __slots__ = (
        "_answered",
        "_begun_at",
        "_body",
        "_connections",
        "_gate",
        "_half_closed",
        "_has_begun",
        "_may_return_at",
        "_pause_seconds",
    )

    def __init__(
        self,
        handlers: web.Server,
        loop: asyncio.AbstractEventLoop,
        connections: Connections,
        gate: AcceptGate | None,
    ) -> None:
        # None switches the server's own access log off; its type does not say so.
        super().__init__(
            handlers,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]
            keepalive_timeout=KEEP_ALIVE_SECONDS,
        )
        self._max_msg_queue_size, self._msg_queue_resume_size = SENT_AHEAD_MAX, SENT_AHEAD_MAX - 1
        self._connections = connections
        self._gate = gate
        self._answered = 0
        # Of the request that came last.
        self._body: StreamReader | None = None
        # Since when the head of a request, or the first byte of all, is waited for.
        self._begun_at: float | None = loop.time()
        # Whether a part of that head is here.
        self._has_begun = False
        self._half_closed = False
        self._may_return_at = 0.0
        self._pause_seconds = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.is_idle(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.closed(self)
        work = self._task_handler
        super().connection_lost(exc)
        if work is not None:
            # The answer would reach no one. An act of a store that has begun is taken back or kept whole.
            work.cancel()

    def data_received(self, data: bytes) -> None:
        was_idle = self._is_idle()
        # The server is told of a request only when it is not refused here.
        waiter, self._waiter = self._waiter, None
        try:
            super().data_received(data)
        finally:
            self._waiter = waiter
        if self._messages and was_idle and self._refuse_without_room():
            return
        if self._messages:
            self._body = self._messages[-1][1]
            if waiter is not None and not waiter.done():
                waiter.set_result(None)
        if not self._is_idle():
            self._begun_at, self._has_begun = None, False
            self._connections.is_busy(self)
        elif data and was_idle:
            self._has_begun = True
            if self._begun_at is None:
                self._begun_at = self._loop.time()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Whether the connection is kept: for a whole request that is not answered yet."""
        if self._is_idle() or (self._body is not None and not self._body.is_eof()):
            return False
        if not self._half_closed:
            self._half_closed = True
            self._loop.call_later(HALF_CLOSED_SECONDS, self._close_unanswered)
        return True

    def close_if_slow(self, seconds_max: float) -> None:
        """Closes the connection when it has been waited for longer for the head of a request."""
        if self._begun_at is None or self._loop.time() - self._begun_at < seconds_max:
            return
        if self._has_begun and self.transport is not None:
            self.transport.write(_too_slow(seconds_max))
        self.force_close()

    def close_if_idle(self) -> None:
        if self._is_idle() and not self._has_begun:
            # What is sent to a connection that is being closed is lost, the rest of a body too.
            self.close()

    def _is_idle(self) -> bool:
        """Whether all that has come is whole and answered, but for a head on its way."""
        return self._request_count == self._answered and (self._body is None or self._body.is_eof())

    def _refuse_without_room(self) -> bool:
        """Refuses the one request that has come, if it is whole and would wait for too long.

        What is not as plain as nearly all requests are is left to the application, and refused there.
        """
        gate = self._gate
        if (
            gate is None
            or len(self._messages) != 1
            or self._close
            or self._upgraded
            or gate.capacity.draining
        ):
            return False
        message, body = self._messages[0]
        if not isinstance(message, RawRequestMessage) or not body.is_eof() or not _is_plain(message):
            return False
        capacity = gate.capacity
        lane = capacity.lane_of(message.method, body.total_bytes)
        if lane.has_room():
            return False
        assert self.transport is not None and self._parser is not None, "data comes from a transport"
        self._messages.clear()
        self._parser.message_consumed()
        self._begun_at, self._has_begun = None, False
        wait = retry_after(capacity.refusal(lane))
        correlation_id = message.headers.get(HEADER) or gate.new_id("corr")
        self.transport.write(_refusal(message.url.raw_path, correlation_id, wait))
        self._next_keepalive_close_time = self._loop.time() + KEEP_ALIVE_SECONDS
        self._has_answered()
        self._pause_if_early(int(wait))
        return True

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Sends an answer."""
        finished = await super().finish_response(request, resp, start_time)
        self._has_answered()
        if resp.get(CODE) == Overloaded.code:
            self._pause_if_early(int(resp.headers["Retry-After"]))
        return finished

    def _has_answered(self) -> None:
        self._answered += 1
        if self._messages:
            return
        if self._half_closed:
            self.close()
        elif self._is_idle():
            self._connections.is_busy(self)
            self._connections.is_idle(self)

    def _pause_if_early(self, retry_after_seconds: int) -> None:
        """Reads the next request of a refused caller later, if this one came before it should have."""
        now = self._loop.time()
        early = now < self._may_return_at
        self._may_return_at = now + retry_after_seconds
        if not early:
            self._pause_seconds = 0.0
            return
        doubled = max(REFUSED_PAUSE_SECONDS_MIN, 2 * self._pause_seconds)
        self._pause_seconds = min(REFUSED_PAUSE_SECONDS_MAX, doubled)
        self._pause_transport_reading()
        self._loop.call_later(self._pause_seconds, self._read_again)

    def _read_again(self) -> None:
        if not (self._reading_paused or self._buffer_paused or self._half_closed):
            self._resume_transport_reading()

    def _close_unanswered(self) -> None:
        request = self._current_request
        # An answer that has begun is taken, or is cut by another rule.
        begun = request is not None and request.writer.output_size > 0
        if self.transport is not None and not self._is_idle() and not begun:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The parser's words stay in the log, for they repeat what was sent; the connection is closed."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun and cannot become a refusal")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.error("unforeseen_error", exc_info=exc)
            code, detail = "INTERNAL_ERROR", "An unexpected error occurred."
        else:
            logger.warning("unreadable_request", reason=type(exc).__name__)
            code, detail = "HTTP_UNREADABLE", "HTTP_UNREADABLE: the request is not well-formed HTTP"
        answer = problem(request, HTTPStatus(status), code=code, detail=detail)
        answer.force_close()
        return answer


def _is_plain(message: RawRequestMessage) -> bool:
    headers = message.headers
    return (
        message.method in _PLAIN_METHODS
        and message.version == HttpVersion11
        and message.path.isascii()
        and not message.should_close
        and not message.path.startswith(UNLIMITED)
        and not any(name in headers for name in _UNUSUAL)
        and (HEADER not in headers or _VISIBLE.fullmatch(headers[HEADER]) is not None)
    )


def _refusal(path: str, correlation_id: str, wait: str) -> bytes:
    """The whole answer to a request for which there is no room; the connection stays open."""
    body = msgspec.json.encode(
        Problem(
            title="Service Unavailable",
            status=503,
            # The code is also the detail.
            detail=Overloaded.message,
            instance=path,
            code=Overloaded.code,
        )
    )
    head = (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
        f"Retry-After: {wait}\r\n{HEADER}: {correlation_id}\r\nContent-Length: {len(body)}\r\n"
        f"Date: {rfc822_formatted_time()}\r\n\r\n"
    )
    return head.encode() + body


def _too_slow(seconds_max: float) -> bytes:
    refused = RequestTooSlow(seconds=seconds_max)
    body = msgspec.json.encode(
        Problem(title="Request Timeout", status=408, detail=refused.detail, instance="/", code=refused.code)
    )
    head = (
        "HTTP/1.1 408 Request Timeout\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
