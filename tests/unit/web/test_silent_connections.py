"""Connections on which nothing was said yet: watched, begun a few at a time, probes first."""

from __future__ import annotations

import asyncio
import socket
from itertools import pairwise

import pytest

from service.web.http.connections import CLOSED_AT_ONCE, Connections
from service.web.http.silent_connections import BEGUN_AT_ONCE, FirstBytes, SilentConnection
from tests.waiting import until

REQUEST = b"POST /rebalance/simulate HTTP/1.1\r\n"
PROBE = b"GET /health/live HTTP/1.1\r\n"


class Port:
    """Both ends of connections, and the order in which they were begun."""

    def __init__(self) -> None:
        self.connections = Connections(10_000)
        self.begun: list[int] = []
        self.callers: list[socket.socket] = []
        self.accepted: list[socket.socket] = []
        self.first_bytes = FirstBytes(asyncio.get_running_loop(), self.connections, self.begin)

    def begin(self, accepted: socket.socket, silent: SilentConnection) -> None:
        self.begun.append(self.accepted.index(accepted))

    def connect(self, said: bytes = b"") -> socket.socket:
        """One more caller, who may have said something before he is accepted."""
        caller, accepted = socket.socketpair()
        accepted.setblocking(False)
        self.callers.append(caller)
        self.accepted.append(accepted)
        caller.sendall(said)
        self.connections.opened()
        self.first_bytes.take(accepted)
        return caller

    def close(self) -> None:
        self.first_bytes.close()
        for end in (*self.callers, *self.accepted):
            end.close()


@pytest.fixture
async def port():
    opened = Port()
    yield opened
    opened.close()


async def test_who_says_nothing_is_only_watched(port):
    for _ in range(50):
        port.connect()
    for _ in range(10):
        await asyncio.sleep(0)

    assert port.begun == []
    assert (port.connections.open, port.connections.idle) == (50, 50)


async def test_a_connection_is_begun_with_its_first_byte(port):
    port.connect()
    port.connect().sendall(b"P")

    await until(lambda: port.begun)

    assert port.begun == [1]
    # What is made of it takes its place over; until then it is idle as it was.
    assert port.connections.idle == 2


async def test_who_speaks_at_once_is_begun_a_few_in_each_turn(port):
    for _ in range(3 * BEGUN_AT_ONCE):
        port.connect(REQUEST)
    counts = [0]
    while counts[-1] < 3 * BEGUN_AT_ONCE:
        await asyncio.sleep(0)
        counts.append(len(port.begun))

    steps = [after - before for before, after in pairwise(counts)]
    assert max(steps) == BEGUN_AT_ONCE
    assert port.begun == sorted(port.begun)


@pytest.mark.parametrize("probe", [PROBE, b"HEAD /health/ready HTTP/1.1\r\n"])
async def test_a_probe_is_begun_before_all_who_wait(port, probe):
    for _ in range(5 * BEGUN_AT_ONCE):
        port.connect(REQUEST)
    port.connect(probe)

    await until(lambda: port.begun)

    assert port.begun[0] == 5 * BEGUN_AT_ONCE


async def test_who_goes_without_a_word_is_closed(port):
    port.connect().close()
    port.connect().close()

    await until(lambda: port.connections.open == 0)

    assert port.begun == []
    assert port.connections.idle == 0
    assert all(accepted.fileno() < 0 for accepted in port.accepted)


async def test_what_was_said_is_heard_when_the_port_is_closed(port):
    port.connect()
    port.connect().sendall(REQUEST)

    port.first_bytes.close()
    for _ in range(10):
        await asyncio.sleep(0)

    assert port.begun == [1]
    assert [accepted.fileno() < 0 for accepted in port.accepted] == [True, False]
    assert port.connections.open == 1


async def test_slow_ones_are_closed_some_at_a_time(port):
    port.connections.receive_seconds_max = 0.0
    for _ in range(CLOSED_AT_ONCE + 1):
        port.connect()

    assert not port.connections.close_slow()
    assert port.connections.open == 1
    assert port.connections.close_slow()
    assert port.connections.open == 0


async def test_one_that_is_closed_for_another_while_it_is_begun_is_cut(port):
    """Its socket belongs to what is being made of it, which finds the caller gone."""
    port.connections.most = 1
    caller = port.connect(REQUEST)
    await until(lambda: port.begun)

    port.connect()

    assert caller.recv(1) == b""
    assert port.accepted[0].fileno() >= 0
    assert port.connections.closed_idle == 1


async def test_one_that_is_closed_before_its_turn_is_not_begun(port):
    port.connections.most = 1
    port.connect(REQUEST)
    port.connect()

    for _ in range(10):
        await asyncio.sleep(0)

    assert port.begun == []
    assert port.connections.open == 1


async def test_the_place_of_a_silent_one_is_taken_over(port):
    """A part of a head does not make a connection younger than those that came after it."""
    closed = []

    class Made:
        def force_close(self) -> None:
            closed.append("made")

        def is_unheard(self) -> bool:
            return False

        def close_if_slow(self, seconds_max: float) -> bool:
            return False

    port.connections.most = 2
    port.connect(REQUEST)
    (silent,) = port.connections.all_idle()
    port.connect()
    made = Made()
    port.connections.is_instead(silent, made)

    assert port.connections.all_idle()[0] is made
    port.connect()

    assert closed == ["made"]
    port.connections.closed(made)
    assert port.connections.idle == port.connections.open == 2


async def test_who_has_spoken_is_not_closed_for_silent_ones_before_it_was_heard(port):
    port.connections.most = 3
    speaking = port.connect(PROBE)
    silent = [port.connect() for _ in range(5)]

    await until(lambda: port.begun)

    assert port.begun == [0]
    assert port.connections.closed_idle == 3
    speaking.setblocking(False)
    with pytest.raises(BlockingIOError):
        speaking.recv(1)
    assert [caller.recv(1) for caller in silent[:3]] == [b"", b"", b""]


async def test_many_who_speak_are_closed_in_their_order(port, monkeypatch):
    monkeypatch.setattr("service.web.http.connections.UNHEARD_MAX", 2)
    port.connections.most = 3
    speaking = [port.connect(REQUEST) for _ in range(4)]

    assert port.connections.closed_idle == 1
    assert speaking[0].recv(1) == b""
