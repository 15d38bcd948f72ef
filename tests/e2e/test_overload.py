"""More than a server can do is refused at once, and what is slow keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from scripts.harness.closed_loop_load import post_of, run
from scripts.harness.flood import run_flood
from scripts.harness.sample_requests import a_body
from tests.e2e.clients import Answer, get, post, post_at_once
from tests.waiting import HANG_SECONDS, wait_for

# Each starts a process or two, and loads it for a while.
pytestmark = pytest.mark.slow

MEMORY = {"DPM_SUPPORTABILITY_STORE_BACKEND": "IN_MEMORY"}
SIMULATE = "/rebalance/simulate"
UNREAD_CALLERS = 200


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
    server = serve(MEMORY | {"DPM_QUEUE_SECONDS_MAX": "1"})
    probes, told = [], []
    over = threading.Event()

    def probe() -> None:
        while not over.is_set():
            probes.append(get(f"{server.base}/health/ready").status)
            told.extend(line for line in list(server.lines) if b'"event":"overloaded"' in line)

    probing = threading.Thread(target=probe)
    probing.start()
    try:
        # Some times as much as any machine does.
        flood = run_flood(server.port, post_of(SIMULATE, demo_body), per_second=1500, seconds=3)
    finally:
        over.set()
        probing.join()

    # It is neither broken nor silent: each request is done or refused.
    assert flood.statuses == {200, 503}
    assert flood.unanswered == 0
    # Whoever looks after the process is answered all the while.
    assert set(probes) == {200}
    assert told, "nobody who watches the process hears of it"
    # And when it is over, it is over.
    [[answer]] = post_at_once([server.base + SIMULATE], demo_body, ["afterwards"], 1)
    assert answer.status == 200


@pytest.mark.parametrize("variables", ["IN_MEMORY", "SQL", "POSTGRES"], indirect=True)
def test_a_crowd_that_asks_again_at_once_is_served_and_not_refused(start, demo_body):
    # A connection for each place: how long one is waited for is not what is looked at here.
    server = start(DPM_QUEUE_SECONDS_MAX="60", DPM_POSTGRES_CONNECTIONS_MAX="32")

    load = run(server.port, post_of(SIMULATE, demo_body), connections=256, seconds=1.0)

    assert set(load.statuses) == {200}


def test_a_burst_is_done_and_not_refused(serve, demo_body):
    server = serve(MEMORY | {"DPM_QUEUE_SECONDS_MAX": "60"})

    [answers] = post_at_once([server.base + SIMULATE], demo_body, ["burst"], 200)

    assert {answer.status for answer in answers} == {200}


def test_slow_bodies_and_heads_are_given_up_and_keep_nobody_waiting(serve, begin, demo_body):
    server = serve(MEMORY | {"DPM_CONCURRENT_REQUESTS_MAX": "2", "DPM_RECEIVE_TIMEOUT_SECONDS": "3"})
    bodies = [begin(server.port, head_of(1000, f"slow-{number}") + b"{") for number in range(3)]
    heads = [begin(server.port, head_of(1000)[:30]) for _ in range(20)]
    silent = [begin(server.port, b"") for _ in range(20)]

    # As many as there are places are under way, and hold none of them.
    [[answer]] = post_at_once([server.base + SIMULATE], demo_body, ["quick"], 1)
    assert answer.status == 200
    for line in bodies:
        # One byte now and then does not make it quick.
        line.sendall(b" ")

    for line in (*bodies, *heads):
        status, refused = exchange(line)
        assert (status, refused["code"]) == (408, "REQUEST_TOO_SLOW")
    for line in (*heads, *silent):
        assert line.recv(1) == b""


def test_silent_connections_do_not_take_a_server_off_the_net(serve, begin, demo_body):
    server = serve(MEMORY | {"DPM_CONNECTIONS_MAX": "50"})

    silent = [begin(server.port, b"") for _ in range(120)]

    for number in range(3):
        [[answer]] = post_at_once([server.base + SIMULATE], demo_body, [f"decent-{number}"], 1)
        assert answer.status == 200
    # Who was silent for longest went first.
    assert silent[0].recv(1) == b""


def test_a_server_that_has_no_files_left_closes_idle_connections_and_is_not_kept_busy_by_it(
    serve, begin, demo_body
):
    server = serve(MEMORY)
    begin(server.port, b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").recv(1000)
    files = len(os.listdir(f"/proc/{server.process.pid}/fd"))
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (files + 20, hard))

    silent = [begin(server.port, b"") for _ in range(60)]

    for number in range(3):
        [[answer]] = post_at_once([server.base + SIMULATE], demo_body, [f"decent-{number}"], 1)
        assert answer.status == 200
    assert silent[0].recv(1) == b""
    told = [line for line in list(server.lines) if b'"event":"accept_failed"' in line]
    assert len(told) <= 5


def test_answers_that_nobody_takes_are_cut_and_hold_a_bounded_memory(serve, begin):
    server = serve(MEMORY)
    body = a_body(positions=5000, seed=7)
    asked = urllib.request.Request(server.base + SIMULATE, body, {"Idempotency-Key": "large"}, method="POST")
    asked.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(asked, timeout=60) as answer:
        run_id = json.load(answer)["rebalance_run_id"]
    path = f"/rebalance/runs/{run_id}"
    size = len(get(server.base + path).body)
    assert size > 4_000_000

    lines = [
        begin(server.port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()) for _ in range(UNREAD_CALLERS)
    ]

    # All of them at once would hold some 800 MB.
    wait_for(
        lambda: any(b'"event":"answer_cut"' in line for line in list(server.lines)), "an answer that is cut"
    )
    assert peak_mib(server.process.pid) < 400
    # One who reads is served among them.
    answered = wait_for(
        lambda: answer if (answer := get(server.base + path)).status == 200 else None, "an answer to a reader"
    )
    assert len(answered.body) == size
    assert peak_mib(server.process.pid) < 400
    for line in lines:
        line.close()


def peak_mib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def test_a_body_that_will_be_too_large_is_refused_before_it_is_sent(serve, begin):
    server = serve(MEMORY | {"DPM_BODY_BYTES_MAX": "1000"})

    status, refused = exchange(begin(server.port, head_of(1001)))

    assert (status, refused["code"]) == (413, "REQUEST_BODY_TOO_LARGE")


@pytest.mark.parametrize("variables", ["SQL", "POSTGRES"], indirect=True)
def test_work_that_is_given_up_is_whole_or_not_there_and_its_key_says_which(start):
    server = start(DPM_REQUEST_TIMEOUT_SECONDS="1", DPM_ENGINE_PROCESSES="1")
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
        wait_for(
            lambda key=key: at_once(server.base + SIMULATE, large, [key])[key].status == 200, "its answer"
        )
    runs = json.loads(get(f"{server.base}/rebalance/runs?limit=100").body)["items"]
    assert sorted(run["idempotency_key"] for run in runs) == sorted(keys)


def at_once(url: str, body: bytes, keys: Sequence[str]) -> dict[str, Answer]:
    """One request for each key, all at the same moment."""

    async def ask() -> list[Answer]:
        async with aiohttp.ClientSession() as session:
            return await asyncio.gather(*(post(session, url, body, key) for key in keys))

    return dict(zip(keys, asyncio.run(ask()), strict=True))
