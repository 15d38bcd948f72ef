"""Connections on which nothing has been said yet.

Problem: a connection that can take requests has a transport, a parser and a task, which take some tenths of a
millisecond to make and as long to take apart; behind a thousand callers who connect at once, the next one
waited for a third of a second. Method: an accepted socket is only watched, and becomes such a connection with
its first bytes: a few of them in each turn of the event loop, and probes before all others.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable

from service.web.http.admission import UNLIMITED
from service.web.http.connections import Connections

# Connections that are begun, or found closed, in one turn of the event loop.
BEGUN_AT_ONCE = 8
# What may have come just now on a connection that is closed.
UNREAD_BYTES_MAX = 64 * 1024
# How the first request of a probe begins.
PROBES = (f"GET {UNLIMITED}".encode(), f"HEAD {UNLIMITED}".encode())
PROBE_BYTES = max(map(len, PROBES))


class SilentConnection:
    """An accepted socket that nothing was made of yet; it may be watched for its first bytes.

    As an idle connection it keeps its place in their order until what is made of it takes it over.
    """

    __slots__ = ("_accepted", "_connections", "_is_given_away", "_is_watched", "_loop", "since")

    def __init__(
        self, accepted: socket.socket, loop: asyncio.AbstractEventLoop, connections: Connections
    ) -> None:
        self._accepted = accepted
        self._loop = loop
        self._connections = connections
        self._is_watched = False
        self._is_given_away = False
        # When the first byte began to be waited for, by the loop.
        self.since = loop.time()
        connections.is_idle(self)

    def watch(self, on_readable: Callable[[SilentConnection], None]) -> None:
        """Has it called once, when there is something to read or the caller has gone."""
        self._is_watched = True
        self._loop.add_reader(self._accepted, self._watched, on_readable)

    def said(self) -> bytes:
        """The first bytes, which stay to be read; none where there are none yet, or the caller has gone."""
        try:
            return self._accepted.recv(PROBE_BYTES, socket.MSG_PEEK)
        except OSError:
            return b""

    def is_unheard(self) -> bool:
        return self._is_given_away or bool(self.said())

    def begin_or_close(self, begin: Begin) -> None:
        """Gives the socket away if something was said, and closes it otherwise."""
        if self._is_given_away or self._accepted.fileno() < 0:
            return
        if self.said():
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

    def _watched(self, on_readable: Callable[[SilentConnection], None]) -> None:
        self._watch_no_more()
        on_readable(self)

    def _watch_no_more(self) -> None:
        if self._is_watched:
            self._is_watched = False
            self._loop.remove_reader(self._accepted)


# Makes a connection of a socket, instead of the silent one that it was.
Begin = Callable[[socket.socket, SilentConnection], None]


class FirstBytes:
    """Waits for the first bytes of the connections of a port, and begins a few of them in each turn."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connections: Connections, begin: Begin) -> None:
        self._loop = loop
        self._connections = connections
        self._begin = begin
        self._probes: deque[SilentConnection] = deque()
        self._others: deque[SilentConnection] = deque()
        self._beginning = False

    def take(self, accepted: socket.socket) -> None:
        """Begins a connection once something is said on it."""
        connection = SilentConnection(accepted, self._loop, self._connections)
        if connection.said():
            self._begin_soon(connection)
        else:
            connection.watch(self._begin_soon)

    def close(self) -> None:
        """Closes those that are silent; what has been said on the others is heard."""
        for connection in self._connections.all_idle():
            if isinstance(connection, SilentConnection):
                connection.begin_or_close(self._begin)

    def _begin_soon(self, connection: SilentConnection) -> None:
        waiting = self._probes if connection.said().startswith(PROBES) else self._others
        waiting.append(connection)
        if not self._beginning:
            self._beginning = True
            self._loop.call_soon(self._begin_some)

    def _begin_some(self) -> None:
        for _ in range(BEGUN_AT_ONCE):
            waiting = self._probes or self._others
            if not waiting:
                self._beginning = False
                return
            waiting.popleft().begin_or_close(self._begin)
        self._loop.call_soon(self._begin_some)
