"""How many connections are open, and which of them have been idle for longest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

# Of the port of the metrics and of a worker's; a scraper and a probe need a few.
SIDE_CONNECTIONS_MAX = 64


class Idle(Protocol):
    """A connection on which no whole request is under way."""

    def force_close(self) -> None: ...

    def close_if_slow(self, seconds_max: float) -> None: ...


class Connections:
    """Those of one port. When one comes and there are too many, the one that was idle for longest is closed."""

    def __init__(self, most: int, *, receive_seconds_max: float = 20.0) -> None:
        self.most = most
        self.receive_seconds_max = receive_seconds_max
        self.open = 0
        # Since the process started.
        self.closed_idle = 0
        # In the order in which they became idle.
        self._idle: dict[Idle, None] = {}
        self._on_room: Callable[[], None] | None = None

    @property
    def idle(self) -> int:
        return len(self._idle)

    def make_room(self) -> bool:
        """Whether one more may be opened; one that is idle is closed for it if need be."""
        if self.open < self.most:
            return True
        if not self._idle:
            return False
        longest = next(iter(self._idle))
        del self._idle[longest]
        self.closed_idle += 1
        longest.force_close()
        return True

    def when_there_is_room(self, call: Callable[[], None]) -> None:
        """Has it called once, when a connection is closed or becomes idle."""
        self._on_room = call

    def opened(self) -> None:
        self.open += 1

    def closed(self, connection: Idle | None) -> None:
        self.open -= 1
        if connection is not None:
            self._idle.pop(connection, None)
        self._tell()

    def is_idle(self, connection: Idle) -> None:
        """Nothing is under way on it any more."""
        self._idle[connection] = None
        self._tell()

    def is_busy(self, connection: Idle) -> None:
        """A whole head has come on it."""
        self._idle.pop(connection, None)

    def close_slow(self) -> None:
        """Closes connections on which the head of a request, or the first byte, does not come."""
        for connection in tuple(self._idle):
            connection.close_if_slow(self.receive_seconds_max)

    def _tell(self) -> None:
        if self._on_room is not None:
            call, self._on_room = self._on_room, None
            call()
