"""More than a server can do is refused at once, and what is slow keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import aiohttp
import pytest

from scripts.bench_overload import run_flood
from scripts.load import post_of
from tests.builders import a_body
from tests.e2e.clients import Answer, get, post, post_at_once
from tests.waiting import HANG_SECONDS, wait_for

# Each starts a process or two, and loads it for a while.
pytestmark = pytest.mark.slow

MEMORY = {"DPM_SUPPORTABILITY_STORE_BACKEND": "IN_MEMORY"}
SIMULATE = "/rebalance/simulate"


def exchange(line: socket.socket) -> tuple[int, dict]:
    line.settimeout(HANG_SECONDS)
    received = b""
    while b"\r\n\r\n" not in received:
        received += line.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += line.recv(65536)
    return int(head.split()[1]), json.loads(body)


@pytest.fixture
def begin() -> Iterator[Callable[[int, bytes], socket.socket]]:
    """Connects and sends something."""
    with ExitStack() as lines:

        def connect(port: int, text: bytes) -> socket.socket:
            line = lines.enter_context(socket.create_connection(("127.0.0.1", port), timeout=HANG_SECONDS))
            line.sendall(text)
            return line

        yield connect


def head_of(length: int, key: str = "slow") -> bytes:
    return (
        f"POST {SIMULATE} HTTP/1.1\r\nHost: x\r\nIdempotency-Key: {key}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def test_a_flood_is_refused_with_a_time_to_come_back_and_work_goes_on(serve, demo_body):
    server = serve(MEMORY | {"DPM_REQUESTS_MAX": "8"})
    probes, told, over = [], [], threading.Event()

    def probe() -> None:
        while not over.is_set():
            probes.append(get(f"{server.base}/health/ready").status)
            told.extend(line for line in list(server.lines) if b'"event":"overloaded"' in line)

    probing = threading.Thread(target=probe)
    probing.start()
    flood = run_flood(server.port, post_of(SIMULATE, demo_body), per_second=1500, seconds=4)
    over.set()
    probing.join()

    # It is neither broken nor silent: each request is done or refused, and a good many of either.
    assert flood.statuses == {200, 503}
    assert flood.per_second(200) > 5
    assert flood.per_second(503) > 5
    # Whoever looks after the process is answered all the while.
    assert set(probes) == {200}
    assert told, "nobody who watches the process hears of it"
    # And when it is over, it is over.
    [[answer]] = post_at_once([server.base + SIMULATE], demo_body, ["afterwards"], 1)
    assert answer.status == 200


def test_a_burst_is_done_and_not_refused(serve, demo_body):
    server = serve(MEMORY)

    [answers] = post_at_once([server.base + SIMULATE], demo_body, ["burst"], 200)

    assert {answer.status for answer in answers} == {200}


def test_slow_bodies_and_heads_are_given_up_and_keep_nobody_waiting(serve, begin, demo_body):
    server = serve(MEMORY | {"DPM_REQUESTS_MAX": "2", "DPM_RECEIVE_SECONDS_MAX": "5"})
    bodies = [begin(server.port, head_of(1000, f"slow-{number}") + b"{") for number in range(3)]
    heads = [begin(server.port, head_of(1000)[:30]) for _ in range(20)]

    for number in range(10):
        [[answer]] = post_at_once([server.base + SIMULATE], demo_body, [f"quick-{number}"], 1)
        assert answer.status == 200
        for line in bodies:
            # One byte now and then does not make it quick.
            line.sendall(b" ")

    for line in (*bodies, *heads):
        status, refused = exchange(line)
        assert (status, refused["code"]) == (408, "REQUEST_TOO_SLOW")
    for line in heads:
        assert line.recv(1) == b""


def test_a_body_that_will_be_too_large_is_refused_before_it_is_sent(serve, begin):
    server = serve(MEMORY | {"DPM_BODY_BYTES_MAX": "1000"})

    status, refused = exchange(begin(server.port, head_of(1001)))

    assert (status, refused["code"]) == (413, "REQUEST_BODY_TOO_LARGE")


@pytest.mark.parametrize("variables", ["SQL", "POSTGRES"], indirect=True)
def test_work_that_is_given_up_is_whole_or_not_there_and_its_key_says_which(start):
    server = start(DPM_REQUEST_SECONDS_MAX="1", DPM_ENGINE_PROCESSES="1")
    large = a_body(positions=1000, seed=7)
    keys = [f"given-up-{number}" for number in range(40)]

    answers = at_once(server.base + SIMULATE, large, keys)

    refused = [key for key, answer in answers.items() if answer.status != 200]
    assert refused
    for key in refused:
        assert answers[key].status == 503
        assert json.loads(answers[key].body)["code"] in {"REQUEST_TIMED_OUT", "SERVICE_OVERLOADED"}
        assert answers[key].retry_after
    # Whoever was refused learns what became of it by asking again, and it is done once.
    for key in refused:

        def is_done(key: str = key) -> bool:
            return at_once(server.base + SIMULATE, large, [key])[key].status == 200

        wait_for(is_done, "the answer to who was refused")
    runs = json.loads(get(f"{server.base}/rebalance/runs?limit=100").body)["items"]
    assert sorted(run["idempotency_key"] for run in runs) == sorted(keys)


def at_once(url: str, body: bytes, keys: Sequence[str]) -> dict[str, Answer]:
    """One request for each key, all at the same moment."""

    async def ask() -> list[Answer]:
        async with aiohttp.ClientSession() as session:
            return await asyncio.gather(*(post(session, url, body, key) for key in keys))

    return dict(zip(keys, asyncio.run(ask()), strict=True))
