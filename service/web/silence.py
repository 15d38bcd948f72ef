"""Connections on which nothing has been said yet.

Problem: a connection that can take requests has a transport, a parser and a task, which take some tenths of a
millisecond to make and as long to take apart; of a thousand callers who connect at once and say nothing, the
next one waited for a third of a second. Method: an accepted socket is only watched, and becomes such a
connection with its first byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable

from service.web.connections import Connections

# Connections that are begun, or found closed, in one turn of the event loop.
BEGUN_AT_ONCE = 16
# What may have come just now on a connection that is closed.
UNREAD_BYTES_MAX = 64 * 1024



class SilentConnection:
    """An accepted socket that is watched until there is something to read.

    As an idle connection it keeps its place in their order until what is made of it takes it over.
    """

    __slots__ = ("_accepted", "_connections", "_is_given_away", "_is_watched", "_loop", "_on_first", "since")

    def __init__(
        self,
        accepted: socket.socket,
        loop: asyncio.AbstractEventLoop,
        connections: Connections,
        on_first: Callable[[SilentConnection], None],
    ) -> None:
        self._accepted = accepted
        self._loop = loop
        self._connections = connections
        self._on_first = on_first
        self._is_watched = True
        self._is_given_away = False
        # When the first byte began to be waited for, by the loop.
        self.since = loop.time()
        connections.is_idle(self)
        loop.add_reader(accepted, self._readable)

    def _readable(self) -> None:
        self._watch_no_more()
        self._on_first(self)

    def _watch_no_more(self) -> None:
        if self._is_watched:
            self._is_watched = False
            self._loop.remove_reader(self._accepted)

    def begin_or_close(self, begin: Begin) -> None:
        """Gives the socket away if there is a byte, and closes it otherwise."""
        if self._is_given_away or self._accepted.fileno() < 0:
            return
        if has_bytes(self._accepted):
            self._watch_no_more()
            self._is_given_away = True
            begin(self._accepted, self)
        else:
            self.force_close()

    def close_if_slow(self, seconds_max: float) -> bool:
        """Closes the connection when its first byte has been waited for for longer; whether it did."""
        if self._is_given_away or self._loop.time() - self.since < seconds_max:
            return False
        self.force_close()
        return True

    def force_close(self) -> None:
        if self._is_given_away:
            # What is being made of it finds that the caller has gone.
            with contextlib.suppress(OSError):
                self._accepted.shutdown(socket.SHUT_RDWR)
            return
        self._watch_no_more()
        # A socket that is closed with bytes to read is reset, and its caller sees an error.
        with contextlib.suppress(OSError):
            self._accepted.recv(UNREAD_BYTES_MAX)
        self._accepted.close()
        self._connections.closed(self)


# Makes a connection of a socket, instead of a silent one if there was one.
Begin = Callable[[socket.socket, SilentConnection | None], None]


class FirstBytes:
    """Waits for the first byte of the connections of a port, and begins a few of them in each turn."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connections: Connections, begin: Begin) -> None:
        self._loop = loop
        self._connections = connections
        self._begin = begin
        self._ready: deque[SilentConnection] = deque()

    def take(self, accepted: socket.socket) -> bool:
        """Begins a connection that was just accepted, if there is a byte, and watches it otherwise.

        Tells whether it was begun.
        """
        if has_bytes(accepted):
            self._begin(accepted, None)
            return True
        SilentConnection(accepted, self._loop, self._connections, self._begin_soon)
        return False

    def close(self) -> None:
        """Closes those that are silent; what has been said on the others is heard."""
        for connection in self._connections.all_idle():
            if isinstance(connection, SilentConnection):
                connection.begin_or_close(self._begin)

    def _begin_soon(self, connection: SilentConnection) -> None:
        if not self._ready:
            self._loop.call_soon(self._begin_some)
        self._ready.append(connection)

    def _begin_some(self) -> None:
        for _ in range(min(BEGUN_AT_ONCE, len(self._ready))):
            self._ready.popleft().begin_or_close(self._begin)
        if self._ready:
            self._loop.call_soon(self._begin_some)


def has_bytes(accepted: socket.socket) -> bool:
    """Whether there is something to read; not where the caller has gone."""
    try:
        return bool(accepted.recv(1, socket.MSG_PEEK))
    except OSError:
        return False
