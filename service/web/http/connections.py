"""How many connections are open, and which of them have been idle for longest."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Protocol

# Of the port of the metrics and of a worker's; a scraper and a probe need a few.
SIDE_CONNECTIONS_MAX = 64
# Left for other files, once there were none left.
FILES_SPARED = 4
# Slow connections that are closed in one turn of the event loop.
CLOSED_AT_ONCE = 64
# Connections that are asked whether they are unheard, before the one that was idle for longest is closed.
UNHEARD_MAX = 64


class Idle(Protocol):
    """A connection on which no whole request is under way."""

    def force_close(self) -> None: ...

    def close_if_slow(self, seconds_max: float) -> bool: ...

    def is_unheard(self) -> bool:
        """Whether its first bytes have come and were not read yet."""
        ...


class Connections:
    """Those of one port.

    When one comes and there are too many, the one that was idle for longest is closed.
    """

    def __init__(self, most: int, *, receive_seconds_max: float = 20.0) -> None:
        self.most = most
        self.receive_seconds_max = receive_seconds_max
        self.open = 0
        # Since the process started.
        self.closed_idle = 0
        # In the order in which they became idle; by themselves, or by those whose places they took over.
        self._idle: dict[Idle, Idle] = {}
        self._place_of: dict[Idle, Idle] = {}
        self._on_room: Callable[[], None] | None = None

    @property
    def idle(self) -> int:
        return len(self._idle)

    def has_room(self) -> bool:
        """Whether one more may be opened, or one that is idle can be closed for it."""
        return self.open < self.most or bool(self._idle)

    def opened(self) -> None:
        """One more is open; if that is too many, the one that was idle for longest is closed."""
        self.open += 1
        if self.open > self.most:
            self._close_longest_idle()

    def files_ended(self) -> None:
        """The process may have no more files open: there are to be fewer connections from now on."""
        self.most = max(1, self.open - FILES_SPARED)
        for _ in range(FILES_SPARED):
            self._close_longest_idle()

    def when_there_is_room(self, call: Callable[[], None]) -> None:
        """Has it called once, when a connection is closed or becomes idle."""
        self._on_room = call

    def closed(self, connection: Idle | None) -> None:
        self.open -= 1
        if connection is not None:
            self.is_busy(connection)
        self._tell()

    def is_idle(self, connection: Idle) -> None:
        """Nothing is under way on it any more."""
        self._idle[connection] = connection
        self._tell()

    def is_instead(self, before: Idle, connection: Idle) -> None:
        """It takes over the place of one that was idle, and is so itself."""
        if before in self._idle:
            self._idle[before] = connection
            self._place_of[connection] = before

    def is_busy(self, connection: Idle) -> None:
        """A whole head has come on it."""
        self._idle.pop(self._place_of.pop(connection, connection), None)

    def all_idle(self) -> tuple[Idle, ...]:
        return tuple(self._idle.values())

    def close_slow(self) -> bool:
        """Closes connections on which the head of a request, or the first byte, does not come.

        Closes so many at once at most; whether that were all.
        """
        closed = 0
        for connection in self.all_idle():
            closed += connection.close_if_slow(self.receive_seconds_max)
            if closed == CLOSED_AT_ONCE:
                return False
        return True

    def _close_longest_idle(self) -> None:
        # A caller who came in the midst of many silent ones has spoken, though it was not heard yet.
        first = islice(self._idle.items(), UNHEARD_MAX)
        silent = (place for place, connection in first if not connection.is_unheard())
        place = next(silent, None) or next(iter(self._idle), None)
        if place is not None:
            longest = self._idle.pop(place)
            self.closed_idle += 1
            longest.force_close()

    def _tell(self) -> None:
        if self._on_room is not None:
            call, self._on_room = self._on_room, None
            call()
