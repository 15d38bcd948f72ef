"""One connection: what happens before a request exists, and when its caller goes away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import LineTooLong
from structlog.contextvars import bind_contextvars

from service.errors.requests import HeadTooLarge, Overloaded, RequestTooSlow
from service.runtime.clock import NewId, TimeOrderedIds
from service.settings.server import HEAD_BYTES_MAX_DEFAULT
from service.web.http.admission import Capacity
from service.web.http.connections import Connections
from service.web.http.early_rejection import is_plain, rejection
from service.web.http.silent_connections import SilentConnection
from service.web.middleware.correlation import HEADER
from service.web.middleware.problem_details import CODE, last_answer, problem, retry_after

KEEP_ALIVE_SECONDS = 75.0
# Requests that were sent ahead of an answer; above, no more is read.
SENT_AHEAD_MAX = 2
# A caller who has closed the sending half looks like one who has gone away: work for both goes on so long.
HALF_CLOSED_SECONDS = 5.0
# A caller who was refused and comes back too early is read again only after a pause, which doubles.
REFUSED_PAUSE_SECONDS_MIN = 1 / 16
REFUSED_PAUSE_SECONDS_MAX = 1.0

# The parser's bound of the first line, which has no setting; and its words for too many fields.
LINE_BYTES_MAX = 8190
TOO_MANY = "Too many headers"

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptGate:
    """What a connection knows of how much is going on behind it."""

    capacity: Capacity
    connections: Connections
    new_id: NewId
    head_bytes_max: int = HEAD_BYTES_MAX_DEFAULT


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
        "_head_bytes",
        "_head_bytes_max",
        "_may_return_at",
        "_pause_seconds",
        "_silent",
    )

    def __init__(
        self,
        handlers: web.Server,
        loop: asyncio.AbstractEventLoop,
        connections: Connections,
        gate: AcceptGate | None,
        silent: SilentConnection | None = None,
    ) -> None:
        """`silent` is what it was before its first byte came."""
        self._head_bytes_max = HEAD_BYTES_MAX_DEFAULT if gate is None else gate.head_bytes_max
        # None switches the server's own access log off; its type does not say so.
        super().__init__(
            handlers,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            auto_decompress=False,
            max_field_size=self._head_bytes_max,
        )
        self._max_msg_queue_size, self._msg_queue_resume_size = SENT_AHEAD_MAX, SENT_AHEAD_MAX - 1
        self._connections = connections
        self._gate = gate
        self._answered = 0
        # Of the request that came last.
        self._body: StreamReader | None = None
        # Since when the head of a request, or the first byte of all, is waited for.
        self._begun_at: float | None = loop.time() if silent is None else silent.since
        self._silent = silent
        # Whether a part of that head is here.
        self._has_begun = False
        self._head_bytes = 0
        self._half_closed = False
        self._may_return_at = 0.0
        self._pause_seconds = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        silent, self._silent = self._silent, None
        if silent is None:
            self._connections.is_idle(self)
        else:
            self._connections.is_instead(silent, self)

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
        if self._messages and self._body is not None and not self._body.is_eof():
            self._break_off(self._body)
        elif self._messages:
            self._body = self._messages[-1][1]
        if self._messages and waiter is not None and not waiter.done():
            waiter.set_result(None)
        if not self._is_idle():
            self._begun_at, self._has_begun, self._head_bytes = None, False, 0
            self._connections.is_busy(self)
        elif data and was_idle:
            self._has_begun = True
            if self._begun_at is None:
                self._begun_at = self._loop.time()
            self._head_bytes += len(data)
            if self._head_bytes > self._head_bytes_max + LINE_BYTES_MAX and self.transport is not None:
                self.transport.write(last_answer(HeadTooLarge(), self._new_correlation_id()))
                self.force_close()

    def _break_off(self, body: StreamReader) -> None:
        """Tells the reader of a body that it is not well-formed; only a fault comes before its end."""
        self._messages.pop()
        body.set_exception(web.RequestPayloadError("the body is not well-formed"))
        body.feed_eof()
        self.close()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Whether the connection is kept: for a whole request that is not answered yet."""
        if self._is_idle() or (self._body is not None and not self._body.is_eof()):
            return False
        if not self._half_closed:
            self._half_closed = True
            self._loop.call_later(HALF_CLOSED_SECONDS, self._close_unanswered)
        return True

    def close_if_slow(self, seconds_max: float) -> bool:
        """Closes the connection when it has been waited for longer for the head of a request.

        Tells whether it did.
        """
        if self._begun_at is None or self._loop.time() - self._begun_at < seconds_max:
            return False
        if self._has_begun and self.transport is not None:
            refused = RequestTooSlow(seconds=seconds_max)
            self.transport.write(last_answer(refused, self._new_correlation_id()))
        self.force_close()
        return True

    def is_unheard(self) -> bool:
        # It was made because something has come on it.
        return not self._has_begun and not self._request_count

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
        if not isinstance(message, RawRequestMessage) or not body.is_eof() or not is_plain(message):
            return False
        capacity = gate.capacity
        limit = capacity.limit_of(message.method, body.total_bytes)
        if limit.has_room():
            return False
        assert self.transport is not None and self._parser is not None, "data comes from a transport"
        self._messages.clear()
        self._parser.message_consumed()
        self._begun_at, self._has_begun, self._head_bytes = None, False, 0
        wait = retry_after(capacity.refusal(limit))
        correlation_id = message.headers.get(HEADER) or gate.new_id("corr")
        self.transport.write(rejection(message.url.raw_path, correlation_id, wait))
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

    def _new_correlation_id(self) -> str:
        """For an answer to what is no request, whose own id could not be read."""
        return (TimeOrderedIds() if self._gate is None else self._gate.new_id)("corr")

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
        correlation_id = self._new_correlation_id()
        bind_contextvars(correlation_id=correlation_id)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.error("unhandled_exception", exc_info=exc)
            code, detail = "INTERNAL_ERROR", "An unexpected error occurred."
        elif isinstance(exc, LineTooLong) or TOO_MANY in str(exc):
            logger.warning("bad_http_request", reason=type(exc).__name__)
            status, code, detail = 431, HeadTooLarge.code, HeadTooLarge.message
        else:
            logger.warning("bad_http_request", reason=type(exc).__name__)
            code, detail = "HTTP_UNREADABLE", "HTTP_UNREADABLE: the request is not well-formed HTTP"
        headers = {HEADER: correlation_id}
        answer = problem(request, HTTPStatus(status), code=code, detail=detail, headers=headers)
        answer.force_close()
        return answer
