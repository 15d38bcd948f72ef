"""Listens for connections, and answers also what is not HTTP with a problem document."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from aiohttp import StreamReader, web
from aiohttp.http_exceptions import LineTooLong

from service.clock import NewId
from service.errors import RequestTooSlow
from service.http_errors import HeadTooLarge
from service.serving_settings import HEAD_BYTES_MAX_DEFAULT
from service.web.overload import UNLIMITED, Capacity
from service.web.refusals import last_answer, problem
from service.web.sockets import PortRefused, bound
from service.web.turning_away import beginning_of, refusal_of

# Connections the system keeps for us until we come to them; a crowd that finds no place waits a second.
BACKLOG = 1024
# Connections taken in one turn of the event loop; each costs some tenths of a millisecond.
TAKEN_AT_ONCE = 16
# How often slow connections are looked for, and refusals told of.
LOOK_SECONDS = 1.0
# What the parser says of more header fields than it takes; it has no exception for them.
TOO_MANY = "Too many headers"
# The parser's own bound of a request line.
LINE_BYTES_MAX = 8190

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What a connection knows of how much is going on behind it."""

    capacity: Capacity
    new_id: NewId
    body_bytes_max: int
    head_bytes_max: int = HEAD_BYTES_MAX_DEFAULT


class Listener:
    """Takes connections, several in each turn of the event loop.

    The loop's own server takes one in each; under load a turn takes milliseconds, and callers who come by the
    hundred would wait for seconds to be heard, only to be refused.
    """

    def __init__(self, sockets: Sequence[socket.socket], connection: Callable[[], HttpConnection]) -> None:
        self.sockets = sockets
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._taking: set[asyncio.Task[object]] = set()
        for one in sockets:
            one.listen(BACKLOG)
            self._look(one)

    def close(self) -> None:
        """Takes no more connections; those that are there stay."""
        for one in self.sockets:
            self._loop.remove_reader(one)
            one.close()

    def _look(self, one: socket.socket) -> None:
        if one.fileno() >= 0:
            self._loop.add_reader(one, self._take, one)

    def _take(self, one: socket.socket) -> None:
        for _ in range(TAKEN_AT_ONCE):
            try:
                taken, _address = one.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # No more of them can be open; it would be asked again and again until one is closed.
                logger.warning("connection_not_taken", reason=error.strerror)
                self._loop.remove_reader(one)
                self._loop.call_later(LOOK_SECONDS, self._look, one)
                return
            taken.setblocking(False)
            taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
            task = self._loop.create_task(self._begin(taken))
            self._taking.add(task)
            task.add_done_callback(self._taking.discard)

    async def _begin(self, taken: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._connection, taken)
        except OSError:  # It is gone already.
            taken.close()


async def listen(
    runner: web.AppRunner, host: str, port: int, door: Door | None = None, *, shared: bool = False
) -> Listener:
    """Opens the port for a runner that has been set up; to be closed before the runner is cleaned up.

    With a door, what there is no room for is refused in front of it. A shared port is one that other
    processes listen on too (SO_REUSEPORT). Raises PortRefused.
    """
    loop = asyncio.get_running_loop()
    handlers = runner.server
    assert handlers is not None, "the runner has not been set up"

    def connection() -> HttpConnection:
        return HttpConnection(handlers, loop, door)

    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return Listener(
            [bound(family, address, shared=shared) for family, *_, address in dict.fromkeys(found)],
            connection,
        )
    except OSError as error:
        raise PortRefused(f"cannot listen on {host} port {port}: {error.strerror}") from error


async def watch(runner: web.AppRunner, capacity: Capacity) -> None:
    """Closes connections on which requests do not get on, and tells how many were refused; never ends."""
    told = 0
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        for line in _lines_of(runner):
            line.close_if_slow(capacity.receive_seconds_max)
        # One line for all of them: a log that grows with the load makes it worse.
        if capacity.refused > told:
            logger.warning("overloaded", refused=capacity.refused - told, under_way=capacity.under_way)
            told = capacity.refused


def close_idle(runner: web.AppRunner) -> None:
    """Closes the connections on which nothing is under way; the others close with their next answer."""
    for line in _lines_of(runner):
        line.close_if_idle()


def _lines_of(runner: web.AppRunner) -> list[HttpConnection]:
    lines = runner.server.connections if runner.server is not None else []
    return [line for line in lines if isinstance(line, HttpConnection)]


class HttpConnection(web.RequestHandler):
    """One connection; only what happens before a request exists differs from the server's own."""

    __slots__ = ("_answered", "_begun_at", "_body", "_door", "_head_bytes", "_head_bytes_max", "_remaining")

    def __init__(self, handlers: web.Server, loop: asyncio.AbstractEventLoop, door: Door | None) -> None:
        self._head_bytes_max = door.head_bytes_max if door else HEAD_BYTES_MAX_DEFAULT
        # None switches the server's own access log off; its type does not say so.
        super().__init__(
            handlers,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]
            auto_decompress=False,
            max_field_size=self._head_bytes_max,
        )
        self._door = door
        self._answered = 0
        # Of the request that came last.
        self._body: StreamReader | None = None
        # Bytes of a refused body that are still to come.
        self._remaining = 0
        # When the request began whose head, or whose refused body, is not here yet; what has come of a head.
        self._begun_at: float | None = None
        self._head_bytes = 0

    def data_received(self, data: bytes) -> None:
        if self._remaining:
            data = self._skip(data)
            if not data:
                return
        door = self._door
        if door is not None and data and self._is_looked_at(door.capacity) and self._turn_away(door, data):
            return
        super().data_received(data)
        if self._messages and self._body is not None and not self._body.is_eof():
            self._break_off(self._body)
        elif self._messages:
            self._body = self._messages[-1][1]
        if not self._is_idle():
            self._begun_at = None
            self._head_bytes = 0
        elif data:
            if self._begun_at is None:
                self._begun_at = self._loop.time()
            self._head_bytes += len(data)
            if self._head_bytes > self._head_bytes_max + LINE_BYTES_MAX and self.transport is not None:
                self.transport.write(last_answer(HeadTooLarge()))
                self.force_close()

    def _break_off(self, body: StreamReader) -> None:
        """Tells the reader of a body that it is not well-formed; only a fault comes before its end."""
        self._messages.pop()
        body.set_exception(web.RequestPayloadError("the body is not well-formed"))
        body.feed_eof()
        self.close()

    def close_if_slow(self, seconds_max: float) -> None:
        """Closes the connection when a request began longer ago, and its head is not here."""
        if self._begun_at is None or self._loop.time() - self._begun_at < seconds_max:
            return
        if not self._remaining and self.transport is not None:
            self.transport.write(last_answer(RequestTooSlow(seconds=seconds_max)))
        self.force_close()

    def close_if_idle(self) -> None:
        if self._is_idle() and self._begun_at is None:
            # What is sent to a connection that is being closed is lost, the rest of a body too.
            self.close()

    def _is_idle(self) -> bool:
        """Whether all that has come is whole and answered, but for a head on its way."""
        return self._request_count == self._answered and (self._body is None or self._body.is_eof())

    def _is_looked_at(self, capacity: Capacity) -> bool:
        """Whether there may be no room, and a request begins here on a connection that stays open."""
        if not capacity.may_be_full or capacity.draining or self._begun_at is not None:
            return False
        return self._is_idle() and not (self._close or self._force_close or self._paused or self._upgraded)

    def _turn_away(self, door: Door, data: bytes) -> bool:
        """Refuses the request that begins if there is no room for it; whether it was refused."""
        begun = beginning_of(data)
        if begun is None or begun.content_length > door.body_bytes_max or begun.path.startswith(UNLIMITED):
            return False
        capacity = door.capacity
        if capacity.promise(self, capacity.lane_of(begun.method, begun.content_length)):
            return False
        assert self.transport is not None, "data comes from a transport"
        self.transport.write(refusal_of(begun.path, begun.correlation_id or door.new_id("corr")))
        self._remaining = begun.remaining
        self._begun_at = self._loop.time() if begun.remaining else None
        return True

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Sends an answer."""
        finished = await super().finish_response(request, resp, start_time)
        self._answered += 1
        return finished

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._door is not None:
            self._door.capacity.connections += 1
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._door is not None:
            self._door.capacity.connections -= 1
            self._door.capacity.forget(self)
        super().connection_lost(exc)

    def _skip(self, data: bytes) -> bytes:
        """What comes after the rest of a refused body."""
        skipped, self._remaining = min(len(data), self._remaining), max(0, self._remaining - len(data))
        if not self._remaining:
            self._begun_at = None
        return data[skipped:]

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
        elif isinstance(exc, LineTooLong) or TOO_MANY in str(exc):
            logger.warning("unreadable_request", reason=type(exc).__name__)
            status, code, detail = 431, HeadTooLarge.code, HeadTooLarge.message
        else:
            logger.warning("unreadable_request", reason=type(exc).__name__)
            code, detail = "HTTP_UNREADABLE", "HTTP_UNREADABLE: the request is not well-formed HTTP"
        answer = problem(request, HTTPStatus(status), code=code, detail=detail)
        answer.force_close()
        return answer
