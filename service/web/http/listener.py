"""Listens on a port, and accepts as many connections as may be open."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from functools import partial

import structlog
from aiohttp import web

from service.web.http.connection import AcceptGate, HttpConnection
from service.web.http.connections import SIDE_CONNECTIONS_MAX, Connections
from service.web.http.silent_connections import FirstBytes, SilentConnection
from service.web.http.sockets import PortRefused, bound

# Connections the system keeps for us until we come to them; a crowd that finds no room waits a second.
BACKLOG = 1024
# Connections accepted in one turn of the event loop; each costs some hundredths of a millisecond.
ACCEPTED_AT_ONCE = 128
# How often slow connections are looked for, and accepting is tried again after the system refused.
LOOK_SECONDS = 1.0
# The same while there are more slow connections than are closed at once.
LOOK_SECONDS_MIN = 0.01

logger = structlog.get_logger()


class Listener:
    """Accepts connections, several in each turn of the event loop.

    The loop's own server accepts one in each; under load a turn takes milliseconds, and callers who come by
    the hundred would wait for seconds to be heard, only to be refused.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        connection: Callable[[SilentConnection], HttpConnection],
        connections: Connections,
    ) -> None:
        """A `connection` is made instead of the silent one that it was."""
        self.sockets = sockets
        self.connections = connections
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._first_bytes = FirstBytes(self._loop, connections, self._begin_soon)
        self._accepting: set[asyncio.Task[object]] = set()
        self._looking = self._loop.call_later(LOOK_SECONDS, self._close_slow)
        for one in sockets:
            one.listen(BACKLOG)
            self._look(one)

    def close(self) -> None:
        """Accepts no more connections; those on which something was said stay."""
        self._looking.cancel()
        for one in self.sockets:
            self._loop.remove_reader(one)
            one.close()
        self._first_bytes.close()

    def _look(self, one: socket.socket) -> None:
        if one.fileno() >= 0:
            self._loop.add_reader(one, self._accept, one)

    def _accept(self, one: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            if not self.connections.has_room():
                # All that are open are at work; the next waits in the system's queue until one of them ends.
                self._loop.remove_reader(one)
                self.connections.when_there_is_room(self._look_again)
                return
            try:
                accepted, _address = one.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # It would be asked again and again until a file is closed.
                if error.errno == errno.EMFILE:
                    self.connections.files_ended()
                logger.warning("accept_failed", reason=error.strerror, open=self.connections.open)
                self._loop.remove_reader(one)
                self._loop.call_later(LOOK_SECONDS, self._look, one)
                return
            self.connections.opened()
            accepted.setblocking(False)
            self._first_bytes.take(accepted)
            if self.connections.open > self.connections.most:
                # The one that was closed for it may give its file back in the next turn.
                return

    def _look_again(self) -> None:
        for one in self.sockets:
            self._look(one)

    def _begin_soon(self, accepted: socket.socket, silent: SilentConnection) -> None:
        task = self._loop.create_task(self._begin(accepted, silent))
        self._accepting.add(task)
        task.add_done_callback(self._accepting.discard)

    async def _begin(self, accepted: socket.socket, silent: SilentConnection) -> None:
        try:
            await self._loop.connect_accepted_socket(partial(self._connection, silent), accepted)
        except OSError:  # It is gone already.
            accepted.close()
            self.connections.closed(silent)

    def _close_slow(self) -> None:
        seconds = LOOK_SECONDS if self.connections.close_slow() else LOOK_SECONDS_MIN
        self._looking = self._loop.call_later(seconds, self._close_slow)


async def bind(host: str, port: int, *, shared: bool = False) -> list[socket.socket]:
    """Sockets of an address; shared ones may be bound by several processes. Raises PortRefused."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return [bound(family, address, shared=shared) for family, *_, address in dict.fromkeys(found)]
    except OSError as error:
        raise PortRefused(f"cannot listen on {host} port {port}: {error.strerror}") from error


async def listen(
    runner: web.AppRunner,
    host: str,
    port: int,
    gate: AcceptGate | None = None,
    *,
    shared: bool = False,
) -> Listener:
    """Opens the port for a runner that has been set up; to be closed before the runner is cleaned up.

    With a gate, what would wait for too long is refused in front of the application. A shared port
    is one that other processes listen on too (SO_REUSEPORT). Raises PortRefused.
    """
    loop = asyncio.get_running_loop()
    handlers = runner.server
    assert handlers is not None, "the runner has not been set up"
    connections = Connections(SIDE_CONNECTIONS_MAX) if gate is None else gate.connections

    def connection(silent: SilentConnection) -> HttpConnection:
        return HttpConnection(handlers, loop, connections, gate, silent)

    sockets = await bind(host, port, shared=shared)
    try:
        return Listener(sockets, connection, connections)
    except OSError as error:
        raise PortRefused(f"cannot listen on {host} port {port}: {error.strerror}") from error


def close_idle(runner: web.AppRunner) -> None:
    """Closes the connections on which nothing is under way; the others close with their next answer."""
    for connection in runner.server.connections if runner.server is not None else []:
        if isinstance(connection, HttpConnection):
            connection.close_if_idle()
