"""Measures what a server still gets done when three times as much is asked of it as it can do."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import cast

import uvloop

from scripts.load import Load, post_of, run
from scripts.servers import ROOT, Server, children_of

DEMO = ROOT / "scripts" / "demo" / "multi_currency.json"
TIMES_CAPACITY = 3.0
PEAK_CONNECTIONS = 32
# So many requests may be under way at once; those that are due while all are taken are late, and counted so.
CONNECTIONS_MAX = 1024
# The schedule is looked at this often.
TICK_SECONDS = 0.001
# What is still under way at the end is waited for.
REST_SECONDS_MAX = 5.0
# The wave that everything in the waiting room belongs to is not what a lasting overload looks like.
WARM_UP_SECONDS = 6.0

GOODPUT_SHARE_MIN = 0.9
REFUSAL_MS_MAX = 50.0


@dataclass(slots=True)
class Flood:
    """What an open-loop run saw; latencies in seconds from when each request was due."""

    seconds: float = 0.0
    # When it was answered, with what, and after how long.
    answers: list[tuple[float, int, float]] = field(default_factory=list)
    unanswered: int = 0

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


def bench_overload(seconds: float, rounds: int) -> None:
    """Each round measures the peak and the overload on one server, so that they share its moment."""
    pinned = pinnable()
    print(
        f"Overload: POST /rebalance/simulate, demo, asked {TIMES_CAPACITY:.0f} times as often as is done at"
    )
    print(f"the peak of {PEAK_CONNECTIONS} connections; " + ("a core each" if pinned else "cores shared"))
    print(f"  {'store':<10}{'peak/s':>8}{'asked/s':>9}{'done/s':>8}{'share':>7}", end="")
    print(f"{'done p50, p99 ms':>18}{'refused/s':>11}{'refused p50, p99, max ms':>26}")
    for store in ("IN_MEMORY", "SQL"):
        shares, refusals = [], []
        for _ in range(rounds):
            peak, flood = _round(store, seconds, pinned)
            if not flood.statuses <= {200, 503}:
                raise SystemExit(f"neither done nor refused: {flood.statuses}")
            share = flood.per_second(200) / peak
            shares.append(share)
            refusals.append(flood.percentile_ms(503, 0.99))
            asked = len(flood.answers) / flood.seconds
            print(
                f"  {store:<10}{peak:>8.0f}{asked:>9.0f}{flood.per_second(200):>8.0f}{share:>7.1%}"
                f"{flood.percentile_ms(200, 0.5):>10.0f},{flood.percentile_ms(200, 0.99):>7.0f}"
                f"{flood.per_second(503):>11.0f}{flood.percentile_ms(503, 0.5):>12.1f},"
                f"{flood.percentile_ms(503, 0.99):>6.1f},{flood.percentile_ms(503, 1.0):>6.0f}"
                + (f"  unanswered {flood.unanswered}" if flood.unanswered else "")
            )
        held = median(shares) >= GOODPUT_SHARE_MIN and median(refusals) <= REFUSAL_MS_MAX
        print(
            f"  {store:<10}middle of {rounds}: goodput {median(shares):.1%} of the peak, refusals within "
            f"{median(refusals):.1f} ms (p99): {'held' if held else 'NOT HELD'}"
        )
    print()


def _round(store: str, seconds: float, pinned: bool) -> tuple[float, Flood]:
    make = post_of("/rebalance/simulate", DEMO.read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        variables = {
            "DPM_SUPPORTABILITY_STORE_BACKEND": store,
            "DPM_SUPPORTABILITY_SQL_PATH": str(Path(folder) / "bench.db"),
            "DPM_LOG_LEVEL": "INFO",
        }
        with Server(variables) as server, _apart(server, pinned):
            run(server.port, make, connections=4, seconds=1.0)
            before = _done_at_peak(server.port, make, seconds)
            flood = run_flood(
                server.port, make, per_second=TIMES_CAPACITY * before, seconds=WARM_UP_SECONDS + seconds
            )
            # The machine may have become slower or faster meanwhile.
            after = _done_at_peak(server.port, make, seconds)
    return (before + after) / 2, flood.after(WARM_UP_SECONDS)


def _done_at_peak(port: int, make: Callable[[str], bytes], seconds: float) -> float:
    load: Load = run(port, make, connections=PEAK_CONNECTIONS, seconds=seconds)
    if set(load.statuses) != {200}:
        raise SystemExit(f"the peak is no peak: {load.statuses}")
    return load.per_second


def pinnable() -> bool:
    return hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1


@contextmanager
def _apart(server: Server, pinned: bool) -> Iterator[None]:
    """The server on one core and this generator on the others, so that neither takes the other's time."""
    if not pinned:
        yield
        return
    cores = os.sched_getaffinity(0)
    own = min(cores)
    for pid in (server.process.pid, *children_of(server.process.pid)):
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), {own})
    os.sched_setaffinity(0, cores - {own})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def run_flood(port: int, make: Callable[[str], bytes], *, per_second: float, seconds: float) -> Flood:
    """Sends requests at a steady rate, whatever the answers are and however long they take."""
    return uvloop.run(_flood(port, make, per_second, seconds))


async def _flood(port: int, make: Callable[[str], bytes], per_second: float, seconds: float) -> Flood:
    flood, idle = Flood(), deque[_Line]()
    loop = asyncio.get_running_loop()
    started, stamp, sent = time.perf_counter(), time.time_ns(), 0
    lines = 0
    opening: set[asyncio.Task[object]] = set()
    while (now := time.perf_counter()) < started + seconds:
        due = int((now - started) * per_second)
        while sent < due and idle:
            idle.popleft().ask(make(f"flood-{stamp}-{sent}"), started + sent / per_second)
            sent += 1
        # More lines for what could not be sent; they are there at one of the next looks.
        for _ in range(min(due - sent - len(opening), CONNECTIONS_MAX - lines)):
            lines += 1
            new = loop.create_connection(lambda: _Line(flood, idle, started), "127.0.0.1", port)
            task = asyncio.create_task(new)
            opening.add(task)
            task.add_done_callback(opening.discard)
        await asyncio.sleep(TICK_SECONDS)
    flood.seconds = time.perf_counter() - started
    while len(flood.answers) < sent and time.perf_counter() < started + seconds + REST_SECONDS_MAX:
        await asyncio.sleep(TICK_SECONDS)
    flood.unanswered = sent - len(flood.answers)
    # What was answered afterwards is not what was done in that time.
    flood.answers = [one for one in flood.answers if one[0] <= flood.seconds]
    for line in idle:
        line.transport.close()
    return flood


class _Line(asyncio.Protocol):
    """A connection that asks when it is told to, and is idle once it has been answered."""

    def __init__(self, flood: Flood, idle: deque[_Line], started: float) -> None:
        self.flood, self.idle, self.started = flood, idle, started
        self.buffer = bytearray()
        self.wanted = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.idle.append(self)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self.idle:
            self.idle.remove(self)

    def ask(self, text: bytes, due: float) -> None:
        self.due = due
        self.transport.write(text)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.wanted < 0:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.buffer[:end]).lower()
            self.status = int(head[9:12])
            self.wanted = end + 4 + int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        if len(self.buffer) < self.wanted:
            return
        now = time.perf_counter()
        self.flood.answers.append((now - self.started, self.status, now - self.due))
        del self.buffer[: self.wanted]
        self.wanted = -1
        # The one used last goes first: the fewer lines are in use, the less the server has to look at.
        self.idle.appendleft(self)
