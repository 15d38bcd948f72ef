"""Sends requests on a schedule, however many are under way, and comes back when it is told to."""

from __future__ import annotations

import asyncio
import resource
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import uvloop

from scripts.harness.closed_loop_load import length_of

# The schedule is looked at this often.
TICK_SECONDS = 0.001
# What is still under way at the end is waited for.
REST_SECONDS_MAX = 60.0
# A server has room for some more.
CONNECTIONS_MAX = 6000
# Connections that are opened at a time.
OPENING_MAX = 64
# Files of this process that are no connections.
FILES_KEPT = 64


@dataclass(slots=True)
class Flood:
    """What an open-loop run saw; latencies in seconds from when each request was due."""

    seconds: float = 0.0
    # When it was answered, with what, and after how long.
    answers: list[tuple[float, int, float]] = field(default_factory=list)
    unanswered: int = 0
    # Connections that are open or being opened, and how many there may be; what is due while all are taken is
    # late.
    lines: int = 0
    lines_max: int = 0

    def after(self, begin: float) -> Flood:
        """What was answered after so many seconds."""
        return Flood(self.seconds - begin, [one for one in self.answers if one[0] >= begin], self.unanswered)

    def per_second(self, status: int) -> float:
        return sum(found == status for _, found, _ in self.answers) / self.seconds

    def percentile_ms(self, status: int, share: float) -> float:
        ordered = sorted(latency for _, found, latency in self.answers if found == status)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else 0.0

    @property
    def statuses(self) -> set[int]:
        return {status for _, status, _ in self.answers}


def run_flood(port: int, make: Callable[[str], bytes], *, per_second: float, seconds: float) -> Flood:
    """Sends requests at a steady rate, whatever the answers are and however long they take."""
    return uvloop.run(_flood(port, make, per_second, seconds))


async def _flood(port: int, make: Callable[[str], bytes], per_second: float, seconds: float) -> Flood:
    flood, idle = Flood(), deque[_Line]()
    flood.lines_max = _raise_file_limit()
    loop = asyncio.get_running_loop()
    started, stamp, sent = time.perf_counter(), time.time_ns(), 0
    opening: set[asyncio.Task[object]] = set()
    every: list[_Line] = []

    def line_of() -> _Line:
        every.append(_Line(flood, idle, started))
        return every[-1]

    while (now := time.perf_counter()) < started + seconds:
        due = int((now - started) * per_second)
        while sent < due and idle:
            line = idle.popleft()
            if line.transport.is_closing():
                continue
            line.ask(make(f"flood-{stamp}-{sent}"), started + sent / per_second)
            sent += 1
        # More lines for what could not be sent; they are there at one of the next looks.
        for _ in range(
            min(due - sent - len(opening), OPENING_MAX - len(opening), flood.lines_max - flood.lines)
        ):
            flood.lines += 1
            new = loop.create_connection(line_of, "127.0.0.1", port)
            task = asyncio.create_task(new)
            opening.add(task)
            task.add_done_callback(opening.discard)
        await asyncio.sleep(TICK_SECONDS)
    flood.seconds = time.perf_counter() - started
    await asyncio.gather(*opening, return_exceptions=True)
    while len(flood.answers) < sent and time.perf_counter() < started + seconds + REST_SECONDS_MAX:
        await asyncio.sleep(TICK_SECONDS)
    flood.unanswered = sent - len(flood.answers)
    # What was answered afterwards is not what was done in that time.
    flood.answers = [one for one in flood.answers if one[0] <= flood.seconds]
    for line in every:
        line.transport.close()
    return flood


def _raise_file_limit() -> int:
    """As many connections as a server takes, if the system lets this process have them."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(CONNECTIONS_MAX, hard - FILES_KEPT)


class _Line(asyncio.Protocol):
    """A caller that asks when it is told to, and is idle once it has been answered.

    One that was refused is not idle before the time at which it was told to come back.
    """

    def __init__(self, flood: Flood, idle: deque[_Line], started: float) -> None:
        self.flood, self.idle, self.started = flood, idle, started
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.idle.append(self)

    def connection_lost(self, error: Exception | None) -> None:
        # It is left among the idle ones, and passed over there.
        self.flood.lines -= 1

    def ask(self, text: bytes, due: float) -> None:
        self.due = due
        self.transport.write(text)

    def data_received(self, data: bytes) -> None:
        if self.received:
            data = self.received + data
        end = data.find(b"\r\n\r\n")
        if end < 0 or len(data) < end + 4 + length_of(data[: end + 2]):
            self.received = data
            return
        self.received = b""
        now, status = time.perf_counter(), int(data[9:12])
        self.flood.answers.append((now - self.started, status, now - self.due))
        if status != 503:
            self._rest()
            return
        begin = data.index(b"Retry-After: ") + 13
        asyncio.get_running_loop().call_later(int(data[begin : data.index(b"\r\n", begin)]), self._rest)

    def _rest(self) -> None:
        if not self.transport.is_closing():
            # The one used last goes first: the fewer lines are in use, the less the server has to look at.
            self.idle.appendleft(self)
