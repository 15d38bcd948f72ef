"""A server that is told to stop says so first, is left alone, and then ends what it has begun."""

from __future__ import annotations

import http.client
import json
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from scripts.harness.servers import Server
from service.wiring.shutdown import CUT_SECONDS
from tests.e2e.clients import get
from tests.waiting import HANG_SECONDS, wait_for

# Each starts a process or two, and waits for them.
pytestmark = pytest.mark.slow

# Longer than any test waits: what is seen before has not waited for this.
LONG = "3600"
MEMORY = {"DPM_SUPPORTABILITY_STORE_BACKEND": "IN_MEMORY"}
HEADERS = {"Content-Type": "application/json", "Idempotency-Key": "drained-1"}


class HalfSent:
    """A simulation that has begun, and whose body stops in the middle until it is told to go on."""

    def __init__(self, port: int, body: bytes) -> None:
        self.rest = body[len(body) // 2 :]
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_SECONDS)
        self.line.putrequest("POST", "/rebalance/simulate")
        asked = HEADERS | {"Content-Length": str(len(body)), "Expect": "100-continue"}
        for name, value in asked.items():
            self.line.putheader(name, value)
        self.line.endheaders()
        # The server says that it has the head, and waits for the rest.
        said = self.line.sock.recv(1024)
        assert said.startswith(b"HTTP/1.1 100 ") and said.endswith(b"\r\n\r\n"), said
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
    return sent


def idle_line(lines: ExitStack, server: Server) -> http.client.HTTPConnection:
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=HANG_SECONDS)
    lines.callback(line.close)
    line.request("GET", "/health/live")
    line.getresponse().read()
    return line


def is_open(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=HANG_SECONDS):
            return True
    except OSError:
        return False


def told(server, event: str) -> list[dict]:
    lines = [json.loads(line) for line in list(server.lines) if line.startswith(b"{")]
    return [line for line in lines if line["event"] == event]


def test_readiness_goes_first_and_everything_is_served_while_it_drains(serve, lines, demo_body):
    server = serve(MEMORY | {"DPM_DRAIN_SECONDS": LONG})
    idle = idle_line(lines, server)

    server.process.send_signal(signal.SIGTERM)
    wait_for(lambda: get(f"{server.base}/health/ready").status == 503, "readiness to end")

    # Nobody is turned away yet, on a new connection or on an old one, and each is told to connect again.
    assert get(f"{server.base}/health/live").status == 200
    idle.request("POST", "/rebalance/simulate", demo_body, HEADERS | {"Idempotency-Key": "drained-2"})
    answered = idle.getresponse()
    assert (answered.status, answered.headers["Connection"]) == (200, "close")
    assert is_open(server.port)
    assert server.process.poll() is None
    server.process.send_signal(signal.SIGTERM)
    assert server.stop() == 0


def test_once_it_has_drained_the_port_goes_and_what_is_under_way_is_answered(serve, lines, demo_body):
    server = serve(MEMORY | {"DPM_DRAIN_SECONDS": "1", "DPM_SHUTDOWN_TIMEOUT_SECONDS": LONG})
    under_way = half_sent(lines, server, demo_body)

    server.process.send_signal(signal.SIGTERM)
    wait_for(lambda: not is_open(server.port), "the port to be closed")

    assert server.process.poll() is None
    finished = under_way.finish()
    assert finished.status == 200
    assert json.loads(finished.read())["rebalance_run_id"].startswith("rr_")
    assert server.process.wait(HANG_SECONDS) == 0
    assert server.stop() == 0
    assert [line["under_way"] for line in told(server, "draining")] == [1]
    assert not told(server, "shutdown_timeout")


def test_an_idle_server_without_a_drain_stops_at_once(serve, lines):
    server = serve(MEMORY | {"DPM_SHUTDOWN_TIMEOUT_SECONDS": LONG})
    idle_line(lines, server)

    # The engine processes end too; an idle connection keeps nobody waiting.
    assert server.stop() == 0

    assert [line["under_way"] for line in told(server, "draining")] == [0]
    assert not told(server, "shutdown_timeout")


def test_a_second_signal_ends_the_waiting(serve, lines, demo_body):
    server = serve(MEMORY | {"DPM_DRAIN_SECONDS": LONG, "DPM_SHUTDOWN_TIMEOUT_SECONDS": LONG})
    half_sent(lines, server, demo_body)

    server.process.send_signal(signal.SIGTERM)
    wait_for(lambda: told(server, "draining"), "the drain to begin")
    server.process.send_signal(signal.SIGTERM)

    assert server.process.wait(HANG_SECONDS) == 0
    assert server.stop() == 0
    assert [line["under_way"] for line in told(server, "shutdown_timeout")] == [1]


def test_what_takes_too_long_is_cut_once_the_time_is_up_and_not_twice(serve, lines, demo_body):
    server = serve(MEMORY | {"DPM_SHUTDOWN_TIMEOUT_SECONDS": "1"})
    half_sent(lines, server, demo_body)

    assert server.stop() == 0

    assert [line["under_way"] for line in told(server, "shutdown_timeout")] == [1]
    # The server of the library, which would wait as long again, is left a moment.
    assert CUT_SECONDS <= 1.0
