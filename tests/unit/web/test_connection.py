"""What becomes of connections: refused ones, silent ones, half-closed ones, and those that take no answer."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
from dataclasses import replace

import pytest
import structlog
from aiohttp import web

from service.runtime.clock import TimeOrderedIds
from service.settings.process import read
from service.web.http import connection, large_responses
from service.web.http.admission import CAPACITY
from service.web.http.connection import AcceptGate
from service.web.http.connections import Connections
from service.web.http.listener import listen
from tests.waiting import until

HEAD = b"POST /rebalance/simulate HTTP/1.1\r\nHost: x\r\n"
GUARD_SECONDS = 60


class Served:
    """An application behind a listener of ours."""

    def __init__(self, app: web.Application, connections: Connections) -> None:
        self.capacity = app[CAPACITY]
        self.connections = connections
        self.runner = web.AppRunner(app)
        self.writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        gate = AcceptGate(capacity=self.capacity, connections=self.connections, new_id=TimeOrderedIds())
        await self.runner.setup()
        self.listener = await listen(self.runner, "127.0.0.1", 0, gate)

    async def connect(self, **options):
        address = self.listener.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(*address, **options)
        self.writers.append(writer)
        return reader, writer

    async def stop(self) -> None:
        for writer in self.writers:
            writer.close()
        self.listener.close()
        await self.runner.cleanup()


@pytest.fixture
async def serve(start):
    """Starts it."""
    running = []

    async def begin(most: int = 100, **changes) -> Served:
        client = await start(serving=replace(read().serving, **changes))
        app = client.app
        served = Served(app, Connections(most, receive_seconds_max=20.0))
        running.append(served)
        await served.start()
        return served

    yield begin
    for served in running:
        await served.stop()


def a_post(body: bytes, key: str = "k", headers: bytes = b"") -> bytes:
    length = f"Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n".encode()
    return HEAD + length + headers + b"\r\n" + body


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), GUARD_SECONDS)).decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    body = await asyncio.wait_for(reader.readexactly(int(headers["Content-Length"])), GUARD_SECONDS)
    return int(head[0].split()[1]), headers, body


def fill(served: Served, patch: pytest.MonkeyPatch) -> None:
    """There is no room for work any more."""
    patch.setattr(served.capacity.work, "has_room", lambda: False)


def lines_of(served: Served):
    return served.runner.server.connections


# --- refused in front of the application


async def test_a_refused_connection_stays_and_is_served_when_there_is_room(serve, demo, monkeypatch):
    served = await serve()
    reader, writer = await served.connect()
    body = json.dumps(demo).encode()

    for expected in (503, 503, 200, 503, 200):
        with monkeypatch.context() as patch:
            if expected == 503:
                fill(served, patch)
            writer.write(a_post(body, f"key-{expected}", b"X-Correlation-Id: mine\r\n"))
            status, headers, answered = await answer_of(reader)
        assert status == expected, answered
        assert headers["X-Correlation-Id"] == "mine"
    assert (served.capacity.refused, served.capacity.under_way) == (3, 0)
    # What was refused in front of it, the application has not seen.
    assert served.runner.server.requests_count == 2


async def test_the_refusal_in_front_and_the_one_behind_say_the_same(serve, demo, monkeypatch):
    served = await serve()
    body = json.dumps(demo).encode()
    fill(served, monkeypatch)
    said = []

    for headers in (b"", b"Origin: http://elsewhere\r\n"):
        reader, writer = await served.connect()
        writer.write(a_post(body, headers=headers))
        status, answered, text = await answer_of(reader)
        assert answered["Retry-After"] in {"1", "2", "3"}
        assert answered["X-Correlation-Id"].startswith("corr_")
        said.append((status, answered["Content-Type"].partition(";")[0], json.loads(text)))

    assert said[0] == said[1]
    assert said[0][2]["code"] == "SERVICE_OVERLOADED"
    assert served.runner.server.requests_count == 1


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(a_post(b"{}", headers=b"Connection: close\r\n"), id="the last one"),
        pytest.param(a_post(b"{}", headers=b"Expect: 100-continue\r\n"), id="an expectation"),
        pytest.param(a_post(b"{}", headers=b"X-Correlation-Id: \xff\r\n"), id="a correlation id"),
        pytest.param(
            a_post(b"{}", headers=b"X-Correlation-Id: %s\r\n" % (b"a" * 201)), id="a long correlation id"
        ),
        pytest.param(HEAD.replace(b"POST", b"HEAD") + b"\r\n", id="an answer without a body"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", id="chunks"),
    ],
)
async def test_what_is_not_plain_is_refused_by_the_application(serve, monkeypatch, text):
    served = await serve()
    fill(served, monkeypatch)
    monkeypatch.setattr(served.capacity.lookups, "has_room", lambda: False)
    reader, writer = await served.connect()

    writer.write(text)
    line = await asyncio.wait_for(reader.readline(), GUARD_SECONDS)
    if b" 100 " in line:
        await reader.readline()
        line = await asyncio.wait_for(reader.readline(), GUARD_SECONDS)

    assert line.startswith(b"HTTP/1.1 503 ")
    assert served.runner.server.requests_count == 1


async def test_what_is_sent_ahead_is_answered_in_its_turn(serve, demo, monkeypatch):
    served = await serve()
    body = json.dumps(demo).encode()
    reader, writer = await served.connect()

    served.capacity.work.at_work_max = 0
    writer.write(a_post(body, "first"))
    await until(lambda: served.capacity.under_way)
    # Were this refused on the spot, its answer would be taken for that of the one before.
    monkeypatch.setattr(served.capacity.lookups, "has_room", lambda: False)
    writer.write(b"GET /rebalance/runs HTTP/1.1\r\nHost: x\r\n\r\n")
    [line] = lines_of(served)
    await until(lambda: line._messages)
    served.capacity.work.at_work_max = 8
    served.capacity.work._turn_soon()

    assert [(await answer_of(reader))[0] for _ in range(2)] == [200, 503]


async def test_health_is_never_refused(serve, monkeypatch):
    served = await serve()
    monkeypatch.setattr(served.capacity.lookups, "has_room", lambda: False)
    reader, writer = await served.connect()

    writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")

    assert (await answer_of(reader))[0] == 200


async def test_who_comes_back_too_early_is_read_again_after_a_pause_that_grows_to_a_second(
    serve, demo, monkeypatch
):
    served = await serve()
    body = json.dumps(demo).encode()
    pauses = []
    monkeypatch.setattr(connection.HttpConnection, "_pause_transport_reading", lambda _: None)
    monkeypatch.setattr(
        connection.HttpConnection, "_read_again", lambda line: pauses.append(line._pause_seconds)
    )
    monkeypatch.setattr(connection, "REFUSED_PAUSE_SECONDS_MIN", 0.001)
    monkeypatch.setattr(connection, "REFUSED_PAUSE_SECONDS_MAX", 0.004)
    fill(served, monkeypatch)
    reader, writer = await served.connect()

    async def refused(count: int) -> None:
        for _ in range(count):
            writer.write(a_post(body))
            assert (await answer_of(reader))[0] == 503

    await refused(5)
    await until(lambda: len(pauses) == 4)
    assert pauses == [0.001, 0.002, 0.004, 0.004] or sorted(pauses) == pauses
    # One who heeds what he is told is not slowed down.
    [line] = lines_of(served)
    line._may_return_at = 0.0
    await refused(1)
    assert line._pause_seconds == 0.0
    await refused(1)
    assert line._pause_seconds == 0.001


async def test_a_paused_caller_is_read_again(serve, demo, monkeypatch):
    served = await serve()
    body = json.dumps(demo).encode()
    reader, writer = await served.connect()

    with monkeypatch.context() as patch:
        fill(served, patch)
        for _ in range(3):
            writer.write(a_post(body))
            assert (await answer_of(reader))[0] == 503
        [line] = lines_of(served)
        assert line._pause_seconds > 0
    writer.write(a_post(body))

    assert (await answer_of(reader))[0] == 200


# --- idle, silent and too many


async def test_a_head_that_does_not_come_is_not_waited_for(serve):
    served = await serve()
    reader, writer = await served.connect()
    silent, _ = await served.connect()
    idle, idle_writer = await served.connect()
    writer.write(HEAD[:20])
    idle_writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    await answer_of(idle)
    await until(lambda: any(line._has_begun for line in lines_of(served)))

    served.connections.receive_seconds_max = 0.0
    served.connections.close_slow()

    status, headers, answered = await answer_of(reader)
    assert (status, json.loads(answered)["code"]) == (408, "REQUEST_TOO_SLOW")
    assert headers["X-Correlation-Id"].startswith("corr_")
    assert await reader.read() == b""
    # Who never said anything is not told anything.
    assert await asyncio.wait_for(silent.read(), GUARD_SECONDS) == b""
    assert not idle.at_eof()
    await until(lambda: (served.connections.open, served.connections.idle) == (1, 1))


async def test_the_connection_that_was_idle_for_longest_makes_room(serve):
    served = await serve(most=3)
    readers = []
    for _ in range(3):
        reader, writer = await served.connect()
        readers.append((reader, writer))
        await until(lambda: served.connections.idle == len(readers))
    # The first is used again, so the second is idle for longest; a part of a head is no use.
    readers[0][1].write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    await answer_of(readers[0][0])
    readers[1][1].write(HEAD[:10])

    for _ in range(2):
        reader, writer = await served.connect()
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await answer_of(reader))[0] == 200

    for gone in (1, 2):
        assert await asyncio.wait_for(readers[gone][0].read(), GUARD_SECONDS) == b""
    assert not readers[0][0].at_eof()
    assert served.connections.closed_idle == 2
    await until(lambda: served.connections.open == 3)


async def test_where_all_are_at_work_the_next_waits_until_one_is_done(serve, demo):
    served = await serve(most=1)
    body = json.dumps(demo).encode()
    reader, writer = await served.connect()
    text = a_post(body)
    writer.write(text[:-10])
    await until(lambda: served.capacity.under_way)

    next_reader, next_writer = await served.connect()
    next_writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    for _ in range(20):
        await asyncio.sleep(0)
    assert served.connections.open == 1
    writer.write(text[-10:])

    assert (await answer_of(reader))[0] == 200
    assert (await answer_of(next_reader))[0] == 200
    assert served.connections.closed_idle == 1


async def test_more_sent_ahead_is_not_read(serve):
    served = await serve()
    reader, writer = await served.connect()
    served.capacity.lookups.at_work_max = 0
    text = b"GET /rebalance/runs?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n"

    writer.write(text)
    await until(lambda: served.capacity.under_way)
    [line] = lines_of(served)
    for _ in range(connection.SENT_AHEAD_MAX):
        writer.write(text)
        await writer.drain()
    await until(lambda: line._buffer_paused)
    assert len(line._messages) == connection.SENT_AHEAD_MAX
    served.capacity.lookups.at_work_max = 8
    served.capacity.lookups._turn_soon()

    for _ in range(1 + connection.SENT_AHEAD_MAX):
        assert (await answer_of(reader))[0] == 200


# --- callers who go away


async def test_who_closes_his_sending_half_gets_his_answer(serve, demo, store, monkeypatch):
    served = await serve()
    body = json.dumps(demo).encode()
    reader, writer = await served.connect()
    begun, go_on, admit = asyncio.Event(), asyncio.Event(), store.dpm_runs.admit

    async def later(*given):
        begun.set()
        await go_on.wait()
        return await admit(*given)

    monkeypatch.setattr(store.dpm_runs, "admit", later, raising=False)
    writer.write(a_post(body))
    writer.write_eof()
    await asyncio.wait_for(begun.wait(), GUARD_SECONDS)
    await until(lambda: all(line._half_closed for line in lines_of(served)))
    go_on.set()

    assert (await answer_of(reader))[0] == 200
    assert await asyncio.wait_for(reader.read(), GUARD_SECONDS) == b""


async def test_all_that_was_sent_before_the_half_was_closed_is_answered(serve):
    served = await serve()
    reader, writer = await served.connect()

    writer.write(b"GET /rebalance/runs HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
    writer.write_eof()

    assert [(await answer_of(reader))[0] for _ in range(2)] == [200, 200]
    assert await asyncio.wait_for(reader.read(), GUARD_SECONDS) == b""


@pytest.mark.parametrize("leaving", ["reset", "closed"])
async def test_the_work_of_a_caller_who_is_gone_is_cancelled(serve, demo, store, monkeypatch, leaving):
    served = await serve()
    body = json.dumps(demo).encode()
    monkeypatch.setattr(connection, "HALF_CLOSED_SECONDS", 0.01)
    _, writer = await served.connect()
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def never(*_):
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    monkeypatch.setattr(store.dpm_runs, "admit", never, raising=False)
    writer.write(a_post(body))
    await asyncio.wait_for(begun.wait(), GUARD_SECONDS)
    if leaving == "reset":
        linger = b"\1\0\0\0\0\0\0\0"
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
    else:
        writer.close()

    await asyncio.wait_for(cancelled.wait(), GUARD_SECONDS)
    await until(lambda: served.capacity.under_way == 0)
    assert served.capacity.work.working == 0


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        (b"Content-Length: 99\r\n", b'{"a": '),
        (b"Transfer-Encoding: chunked\r\n", b"ff\r\nabc"),
        (b"Content-Encoding: gzip\r\nContent-Length: 99\r\n", b"abc"),
    ],
    ids=["length", "chunks", "gzip"],
)
@pytest.mark.parametrize("leaving", ["abort", "close"])
async def test_nothing_is_told_of_a_caller_who_leaves_in_the_midst_of_a_body(serve, fields, sent, leaving):
    served = await serve()
    _, writer = await served.connect()

    with structlog.testing.capture_logs() as told:
        writer.write(HEAD + b"Idempotency-Key: k\r\n" + fields + b"\r\n" + sent)
        await until(lambda: served.capacity.under_way)
        writer.transport.abort() if leaving == "abort" else writer.close()
        await until(lambda: not served.capacity.under_way)
        await asyncio.sleep(0)

    assert [line for line in told if line["log_level"] != "info"] == []


# --- answers that are not taken


@pytest.fixture
async def large(serve):
    """A server that answers 12 MB, and a caller who has not read any of it yet."""
    served = await serve()
    body = b"x" * 12_000_000

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    # A route of ours, behind the same middlewares.
    app = served.runner.app
    resource = next(one for one in app.router.resources() if one.canonical == "/rebalance/runs")
    route = next(one for one in resource if one.method == "GET")
    route._handler = answer
    reader, writer = await served.connect(limit=1024)
    return served, reader, writer, len(body)


async def test_an_answer_holds_its_place_until_it_is_taken(large):
    served, reader, writer, size = large
    lookups = served.capacity.lookups

    writer.write(b"GET /rebalance/runs HTTP/1.1\r\nHost: x\r\n\r\n")
    await until(lambda: lookups.sending)
    [line] = lines_of(served)
    await until(lambda: line.writing_paused)
    assert (lookups.working, lookups.sending_bytes, served.capacity.under_way) == (1, size, 1)
    assert line.transport.get_write_buffer_size() <= 1024 * 1024

    status, _, answered = await answer_of(reader)
    assert (status, len(answered)) == (200, size)
    await until(lambda: not served.capacity.under_way)
    assert (lookups.working, lookups.sending, lookups.sending_bytes) == (0, 0, 0)


async def test_nothing_is_told_of_a_caller_who_leaves_in_the_midst_of_an_answer(large):
    """A future whose exception nobody asks for is told with its whole trace, once for every such caller."""
    served, _, writer, _ = large
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    writer.write(b"GET /rebalance/runs HTTP/1.1\r\nHost: x\r\n\r\n")
    await until(lambda: any(line.writing_paused for line in lines_of(served)))
    writer.transport.abort()
    await until(lambda: not served.capacity.under_way)
    await until(lambda: not served.connections.open)
    gc.collect()

    assert told == []


@pytest.mark.parametrize("short", [False, True], ids=["after a while", "sooner when others wait"])
async def test_an_answer_that_makes_no_progress_is_cut(large, monkeypatch, short):
    served, reader, writer, _ = large
    lookups = served.capacity.lookups
    monkeypatch.setattr(large_responses, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(
        large_responses, "STALLED_SECONDS_MAX_SHORT" if short else "STALLED_SECONDS_MAX", 0.01
    )
    monkeypatch.setattr(lookups, "is_short", lambda: short)

    writer.write(b"GET /rebalance/runs HTTP/1.1\r\nHost: x\r\n\r\n")
    await until(lambda: served.capacity.answers_cut)

    await until(lambda: not served.capacity.under_way)
    assert (lookups.working, lookups.sending_bytes) == (0, 0)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await answer_of(reader)


async def test_an_answer_that_is_taken_slowly_is_not_cut(large, monkeypatch):
    served, reader, writer, _ = large
    monkeypatch.setattr(large_responses, "LOOK_SECONDS", 0.001)
    clock = iter(range(10**9))
    looked = []

    class Slow(large_responses.SlicedBody):
        def _unsent_bytes(self) -> int:
            # Each look finds a byte less, as of a caller on a thin line.
            looked.append(1)
            return 10**9 - next(clock)

        def _stalled_seconds_max(self) -> float:
            return 0.0

    monkeypatch.setattr("service.web.middleware.limits.SlicedBody", Slow)
    writer.write(b"GET /rebalance/runs HTTP/1.1\r\nHost: x\r\n\r\n")
    await until(lambda: len(looked) > 50)

    assert (await answer_of(reader))[0] == 200
    assert served.capacity.answers_cut == 0
