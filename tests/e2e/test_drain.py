"""A server that is told to stop says so first, is left alone, and then ends what it has begun."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from scripts.servers import Server
from tests.e2e.clients import get

# Each starts a process or two, and waits for them.
pytestmark = pytest.mark.slow

WAIT_SECONDS_MAX = 10.0
MEMORY = {"DPM_SUPPORTABILITY_STORE_BACKEND": "IN_MEMORY"}
HEADERS = {"Content-Type": "application/json", "Idempotency-Key": "drained-1"}


class HalfSent:
    """A simulation whose body stops in the middle until it is told to go on."""

    def __init__(self, port: int, body: bytes) -> None:
        self.rest = body[len(body) // 2 :]
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.line.putrequest("POST", "/rebalance/simulate")
        for name, value in (HEADERS | {"Content-Length": str(len(body))}).items():
            self.line.putheader(name, value)
        self.line.endheaders()
        self.line.send(body[: len(body) // 2])

    def finish(self) -> http.client.HTTPResponse:
        self.line.send(self.rest)
        return self.line.getresponse()


@pytest.fixture
def lines() -> Iterator[ExitStack]:
    """Closes what is put into it."""
    with ExitStack() as kept:
        yield kept


def half_sent(lines: ExitStack, server: Server, body: bytes) -> HalfSent:
    sent = HalfSent(server.port, body)
    lines.callback(sent.line.close)
    # Long enough to be there.
    time.sleep(0.2)
    return sent


def idle_line(lines: ExitStack, server: Server) -> http.client.HTTPConnection:
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    lines.callback(line.close)
    line.request("GET", "/health/live")
    line.getresponse().read()
    return line


def is_open(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            return True
    except OSError:
        return False


def wait_for(condition):
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def told(server, event: str) -> list[dict]:
    lines = [json.loads(line) for line in list(server.lines) if line.startswith(b"{")]
    return [line for line in lines if line["event"] == event]


def test_readiness_goes_first_then_the_port_and_what_is_under_way_is_answered(serve, lines, demo_body):
    server = serve(MEMORY | {"DPM_DRAIN_SECONDS": "2"})
    under_way = half_sent(lines, server, demo_body)
    idle = idle_line(lines, server)

    server.process.send_signal(signal.SIGTERM)
    stopped_at = time.monotonic()
    wait_for(lambda: get(f"{server.base}/health/ready").status == 503)
    ready_ended = time.monotonic() - stopped_at

    # Nobody is turned away yet, on a new connection or on an old one, and each is told to connect again.
    assert get(f"{server.base}/health/live").status == 200
    idle.request("POST", "/rebalance/simulate", demo_body, HEADERS | {"Idempotency-Key": "drained-2"})
    answered = idle.getresponse()
    assert (answered.status, answered.headers["Connection"]) == (200, "close")
    assert time.monotonic() - stopped_at < 2

    wait_for(lambda: not is_open(server.port))
    closed = time.monotonic() - stopped_at
    assert ready_ended < closed
    assert closed >= 2
    assert server.process.poll() is None
    finished = under_way.finish()
    assert finished.status == 200
    assert json.loads(finished.read())["rebalance_run_id"].startswith("rr_")
    assert server.process.wait(WAIT_SECONDS_MAX) == 0
    assert server.stop() == 0
    assert not told(server, "cut_short")


def test_an_idle_server_without_a_drain_stops_at_once(serve, lines):
    server = serve(MEMORY)
    idle_line(lines, server)

    started = time.monotonic()
    assert server.stop() == 0

    # The engine processes end too; an idle connection keeps nobody waiting.
    assert time.monotonic() - started < 6


def test_a_second_signal_ends_the_waiting(serve, lines, demo_body):
    server = serve(MEMORY | {"DPM_DRAIN_SECONDS": "60", "DPM_STOP_SECONDS_MAX": "60"})
    half_sent(lines, server, demo_body)

    server.process.send_signal(signal.SIGTERM)
    wait_for(lambda: told(server, "draining"))
    server.process.send_signal(signal.SIGTERM)

    assert server.process.wait(WAIT_SECONDS_MAX) == 0
    assert server.stop() == 0
    assert [line["under_way"] for line in told(server, "cut_short")] == [1]


def test_what_takes_too_long_is_cut_once_the_time_is_up_and_not_twice(serve, lines, demo_body):
    server = serve(MEMORY | {"DPM_STOP_SECONDS_MAX": "3"})
    half_sent(lines, server, demo_body)

    started = time.monotonic()
    assert server.stop() == 0

    # Three, and a second each to be cut and to let go; the server of the library would take six.
    assert 3 <= time.monotonic() - started < 5.8
