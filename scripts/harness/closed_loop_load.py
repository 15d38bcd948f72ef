"""A closed-loop HTTP load generator: each connection sends its next request when the last is answered."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import cast

import uvloop

# Answered status, body and seconds; for callers that look at each answer.
Observer = Callable[[int, bytes, float], None]


@dataclass(slots=True)
class Load:
    """What a run of the generator saw."""

    seconds: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    # The longest that an answer with 200 took.
    longest_served: float = 0.0

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    @property
    def served_per_second(self) -> float:
        return self.statuses.get(200, 0) / self.seconds

    def percentile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000

    @property
    def median_ms(self) -> float:
        return median(self.latencies) * 1000


def post_of(path: str, body: bytes) -> Callable[[str], bytes]:
    """The request text of a POST with the given idempotency key."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: load\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nIdempotency-Key: "
    ).encode()
    return lambda key: head + key.encode() + b"\r\n\r\n" + body


def keyless_post_of(path: str, body: bytes) -> Callable[[str], bytes]:
    """The request text of a POST that happens each time it is sent."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: load\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    return lambda _: head + body


def get_of(path: str) -> Callable[[str], bytes]:
    text = f"GET {path} HTTP/1.1\r\nHost: load\r\n\r\n".encode()
    return lambda _: text


def length_of(head: bytes) -> int:
    """The length of the body that a head announces."""
    begin = head.find(b"Content-Length: ") + 16
    if begin < 16:
        head = head.lower()
        begin = head.index(b"content-length:") + 15
    return int(head[begin : head.index(b"\r\n", begin)])


@dataclass(frozen=True, slots=True)
class _Span:
    """When requests are sent, and when their answers count."""

    began: float
    until: float
    counted_until: float


class _Connection(asyncio.Protocol):
    """Sends, reads one answer, and sends again until the deadline.

    The generator is to cost less than the server, so an answer that comes in one piece is not copied.
    """

    def __init__(
        self, name: str, make: Callable[[str], bytes], span: _Span, load: Load, pause: float
    ) -> None:
        self.name, self.make, self.span, self.load, self.pause = name, make, span, load, pause
        self.sent = 0
        self.received = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self.received:
            data = self.received + data
        end = data.find(b"\r\n\r\n")
        if end < 0 or len(data) < end + 4 + length_of(data[: end + 2]):
            self.received = data
            return
        self.received = b""
        now = time.perf_counter()
        status = int(data[9:12])
        load = self.load
        if self.span.began <= now < self.span.counted_until:
            load.statuses[status] = load.statuses.get(status, 0) + 1
            load.latencies.append(now - self.began)
        if status == 200:
            load.longest_served = max(load.longest_served, now - self.began)
        if now >= self.span.until:
            self.transport.close()
        elif self.pause:
            asyncio.get_running_loop().call_later(self.pause, self._send)
        else:
            self._send()

    def _send(self) -> None:
        self.began = time.perf_counter()
        self.sent += 1
        self.transport.write(self.make(f"{self.name}-{self.sent}"))


async def generate(
    port: int,
    make: Callable[[str], bytes],
    *,
    connections: int,
    seconds: float,
    pause: float = 0.0,
    warm_up: float = 0.0,
) -> Load:
    """Drives the server for so many seconds; every request has a key of its own.

    With a warm-up, what is answered during it and after the end does not count: the figures are those of a
    crowd that is there already.
    """
    load = Load()
    loop = asyncio.get_running_loop()
    started = time.perf_counter() + warm_up
    span = _Span(started, started + seconds, started + seconds if warm_up else math.inf)
    stamp = time.time_ns()
    lines = []
    for number in range(connections):
        name = f"load-{stamp}-{number}"
        _, line = await loop.create_connection(
            lambda name=name: _Connection(name, make, span, load, pause), "127.0.0.1", port
        )
        lines.append(line.done)
    await asyncio.gather(*lines)
    load.seconds = seconds if warm_up else time.perf_counter() - started
    return load


def run(
    port: int, make: Callable[[str], bytes], *, connections: int, seconds: float, warm_up: float = 0.0
) -> Load:
    return uvloop.run(generate(port, make, connections=connections, seconds=seconds, warm_up=warm_up))
