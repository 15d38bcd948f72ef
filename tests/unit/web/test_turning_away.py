"""What a request says of itself is believed only where nobody could read it differently."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from service.clock import TimeOrderedIds
from service.settings import read
from service.web.listening import Door, HttpConnection
from service.web.overload import CAPACITY
from service.web.turning_away import beginning_of, refusal_of
from tests.waiting import HANG_SECONDS, turns

HEAD = b"POST /rebalance/simulate HTTP/1.1\r\nHost: x\r\n"


def test_a_plain_request_is_read_from_its_first_bytes():
    found = beginning_of(
        b"POST /rebalance/simulate?a=1%202 HTTP/1.1\r\nHost: x\r\nCONTENT-length: 10 \r\n"
        b"x-correlation-ID: mine\r\n\r\n{12"
    )

    assert found == ("POST", "/rebalance/simulate", 10, 7, "mine")
    assert beginning_of(b"GET /rebalance/runs HTTP/1.1\r\nHost: x\r\n\r\n") == (
        "GET",
        "/rebalance/runs",
        0,
        0,
        "",
    )


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(HEAD, id="half a head"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", id="chunks"),
        pytest.param(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", id="two lengths"),
        pytest.param(HEAD + b"Content-Length: 1\r\ncontent-length: 1\r\n\r\n{", id="one length twice"),
        pytest.param(HEAD + b"Content-Length: +1\r\n\r\n{", id="a sign"),
        pytest.param(HEAD + b"Content-Length: 1, 1\r\n\r\n{", id="a list"),
        pytest.param(HEAD + b"Content-Length : 1\r\n\r\n{", id="a blank before the colon"),
        pytest.param(HEAD + b"X: a\r\n Content-Length: 1\r\n\r\n{", id="a folded line"),
        pytest.param(HEAD + b"X: a\nContent-Length: 1\r\n\r\n{", id="a bare line feed"),
        pytest.param(HEAD + b"X: a\rContent-Length: 1\r\n\r\n{", id="a bare return"),
        pytest.param(HEAD + b"X: \0\r\n\r\n", id="a zero"),
        pytest.param(HEAD + b"\xc3: 1\r\n\r\n", id="a name that is none"),
        pytest.param(HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", id="an expectation"),
        pytest.param(HEAD + b"Connection: close\r\n\r\n", id="an end"),
        pytest.param(HEAD + b"Upgrade: h2c\r\n\r\n", id="another protocol"),
        pytest.param(HEAD + b"\r\nGET / HTTP/1.1\r\n\r\n", id="the next one"),
        pytest.param(HEAD + b"X-Correlation-Id: a\r\nX-Correlation-Id: b\r\n\r\n", id="two correlation ids"),
        pytest.param(HEAD + b"X-Correlation-Id: \xff\r\n\r\n", id="a correlation id that is not plain"),
        pytest.param(b"POST http://x/a HTTP/1.1\r\nHost: x\r\n\r\n", id="a whole address"),
        pytest.param(b"POST //x HTTP/1.1\r\nHost: x\r\n\r\n", id="two slashes"),
        pytest.param(b'POST /a"b HTTP/1.1\r\nHost: x\r\n\r\n', id="a quote"),
        pytest.param(b"POST /a HTTP/1.0\r\nHost: x\r\n\r\n", id="an older version"),
        pytest.param(b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n", id="another method"),
    ],
)
def test_everything_else_takes_the_long_way(data):
    assert beginning_of(data) is None


def test_the_answer_is_a_problem_of_the_length_it_says():
    head, _, body = refusal_of("/rebalance/simulate", "mine").partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert b"X-Correlation-Id: mine" in head.split(b"\r\n")
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "SERVICE_OVERLOADED",
        "instance": "/rebalance/simulate",
        "code": "SERVICE_OVERLOADED",
    }


@pytest.fixture
async def behind_a_door(start):
    """The capacity of an application, and connections to it that pass its door."""
    client = await start(body_bytes_max=100_000, serving=replace(read().serving, requests_max=1))
    capacity = client.app[CAPACITY]
    door = Door(capacity=capacity, new_id=TimeOrderedIds(), body_bytes_max=100_000)
    loop = asyncio.get_running_loop()
    handlers = client.server.runner.server
    listener = await loop.create_server(lambda: HttpConnection(handlers, loop, door), "127.0.0.1", 0)
    writers = []

    async def connect():
        reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
        writers.append(writer)
        return reader, writer

    # As many connections as it takes for the door to look at all.
    for _ in range(20):
        await connect()
    yield capacity, connect, handlers
    for writer in writers:
        writer.close()
    listener.close()


def a_post(body: bytes, key: str = "k") -> bytes:
    return HEAD + f"Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), timeout=HANG_SECONDS)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return int(head.split()[1]), await reader.readexactly(length)


async def test_a_refused_connection_stays_and_is_served_when_there_is_room(behind_a_door, demo):
    capacity, connect, _ = behind_a_door
    body = json.dumps(demo).encode()
    reader, writer = await connect()

    for expected in (503, 503, 200, 503, 200):
        capacity.work.coming = 10_000 if expected == 503 else 0
        writer.write(a_post(body, f"key-{expected}"))
        status, answered = await answer_of(reader)
        assert status == expected, answered
    assert capacity.refused == 3
    assert capacity.under_way == 0


async def test_the_rest_of_a_refused_body_is_no_request(behind_a_door, demo):
    capacity, connect, _ = behind_a_door
    body = json.dumps(demo).encode()
    reader, writer = await connect()
    whole = a_post(b"GET / HTTP/1.1\r\n\r\n" * 50)

    capacity.work.coming = 10_000
    writer.write(whole[:100])
    assert (await answer_of(reader))[0] == 503
    for begin in range(100, len(whole) - 10, 97):
        writer.write(whole[begin : min(begin + 97, len(whole) - 10)])
        await turns(5)
    capacity.work.coming = 0
    # The last of it, and at once the next request.
    writer.write(whole[-10:] + a_post(body))

    status, answered = await answer_of(reader)
    assert status == 200, answered
    assert capacity.refused == 1


async def test_what_is_sent_ahead_is_answered_in_its_turn(behind_a_door, demo):
    capacity, connect, _ = behind_a_door
    body = json.dumps(demo).encode()
    reader, writer = await connect()

    writer.write(a_post(body, "first"))
    while not capacity.under_way:
        await asyncio.sleep(0)
    # Were this refused on the spot, its answer would be taken for that of the one before.
    capacity.lookups.coming = 10_000
    writer.write(b"GET /rebalance/runs HTTP/1.1\r\nHost: x\r\n\r\n")

    assert [(await answer_of(reader))[0] for _ in range(2)] == [200, 503]


async def test_health_is_asked_for_at_the_door_too(behind_a_door):
    capacity, connect, _ = behind_a_door
    capacity.lookups.coming = 10_000
    reader, writer = await connect()

    writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")

    assert (await answer_of(reader))[0] == 200


async def test_a_head_that_does_not_come_is_not_waited_for(behind_a_door):
    _, connect, handlers = behind_a_door
    reader, writer = await connect()
    idle_reader, _ = await connect()
    writer.write(HEAD[:20])
    await turns(20)

    for line in handlers.connections:
        line.close_if_slow(0.0)

    status, answered = await answer_of(reader)
    assert (status, json.loads(answered)["code"]) == (408, "REQUEST_TOO_SLOW")
    assert await reader.read() == b""
    assert not idle_reader.at_eof()
