"""Start, stop and restart of a real server."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from scripts.harness.servers import ROOT, Server, children_of
from tests.e2e.preloaded import preloaded
from tests.waiting import HANG_SECONDS, wait_for

SERVE = ("-m", "service", "serve", "--port", "0")

# Each starts a process or two, and waits for them.
pytestmark = pytest.mark.slow


def fetch(request) -> tuple[int, bytes]:
    with urllib.request.urlopen(request, timeout=HANG_SECONDS) as found:
        return found.status, found.read()


def simulate(base: str, body: bytes, key: str) -> bytes:
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    return fetch(urllib.request.Request(f"{base}/rebalance/simulate", data=body, headers=headers))[1]


@pytest.mark.by_itself
def test_a_started_server_is_live_and_ready_and_stops_cleanly(start):
    server = start()

    live = fetch(f"{server.base}/health/live")
    ready = fetch(f"{server.base}/health/ready")

    assert (live[0], ready[0]) == (200, 200)
    assert server.stop() == 0


@pytest.mark.by_itself
@pytest.mark.parametrize("variables", ["SQL"], indirect=True)
def test_a_restarted_server_replays_what_the_first_answered(start, demo_body):
    first = start()
    answered = simulate(first.base, demo_body, "restart-1")
    first.stop()

    second = start()

    assert simulate(second.base, demo_body, "restart-1") == answered
    run_id = json.loads(answered)["rebalance_run_id"]
    assert answered in fetch(f"{second.base}/rebalance/runs/{run_id}")[1]


@pytest.mark.parametrize("variables", ["IN_MEMORY"], indirect=True)
def test_logs_tell_the_route_and_never_the_payload(start, demo_body):
    server = start()
    simulate(server.base, demo_body, "logged-1")
    server.stop()

    lines = [json.loads(line) for line in server.lines]
    logged = next(line for line in lines if line["event"] == "request")
    assert logged["route"] == "/rebalance/simulate"
    assert logged["status"] == 200
    assert logged["correlation_id"].startswith("corr_")
    assert logged["duration_ms"] > 0
    assert b"pf_demo_balanced_sgd" not in b"".join(server.lines)


@pytest.mark.parametrize("variables", ["IN_MEMORY"], indirect=True)
def test_pages_of_named_origins_and_long_heads_are_let_in_as_the_settings_say(start, variables):
    variables |= {"DPM_CORS_ORIGINS": "https://desk.example", "DPM_HEAD_BYTES_MAX": "60000"}
    asked = (
        b"OPTIONS /rebalance/simulate HTTP/1.1\r\nHost: x\r\nConnection: close\r\nOrigin: https://desk.example\r\n"
        b"Access-Control-Request-Method: POST\r\nCookie: " + b"a" * 50_000 + b"\r\n\r\n"
    )

    head, body = exchange(start().port, asked)

    assert (int(head.split()[1]), body) == (204, b"")
    assert b"Access-Control-Allow-Origin: https://desk.example" in head


@pytest.fixture(scope="module")
def in_memory():
    """One server for those that leave nothing behind in it."""
    with Server({"DPM_SUPPORTABILITY_STORE_BACKEND": "IN_MEMORY"}) as server:
        yield server


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"GARBAGE\r\n\r\n", 400, "HTTP_UNREADABLE"),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400, "HTTP_UNREADABLE"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nLong: " + b"a" * 40_000 + b"\r\n\r\n", 431, "REQUEST_HEAD_TOO_LARGE"),
        (
            b"POST %s\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n{}",
            415,
            "UNSUPPORTED_CONTENT_ENCODING",
        ),
        (b"POST %s\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n", 400, "HTTP_UNREADABLE"),
        (
            b"POST %s\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\n0123456789",
            400,
            "REQUEST_BODY_UNREADABLE",
        ),
    ],
)
def test_what_is_hardly_http_is_refused_like_everything_else(in_memory, sent, status, code):
    target = b"/rebalance/simulate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close"

    head, body = exchange(in_memory.port, sent.replace(b"%s", target))

    assert int(head.split()[1]) == status
    assert b"application/problem+json" in head
    assert json.loads(body)["code"] == code


def exchange(port: int, sent: bytes) -> tuple[bytes, bytes]:
    with socket.create_connection(("127.0.0.1", port), timeout=HANG_SECONDS) as line:
        line.sendall(sent)
        received = b""
        while chunk := line.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    return head, body


@pytest.mark.parametrize(
    "wrong",
    [
        {"DPM_BODY_BYTES_MAX": "much"},
        {"DPM_UNKNOWN_FIELDS": "SOMETIMES"},
        {"DPM_SUPPORTABILITY_POSTGRES_DSN": "host=db password=secret"},
    ],
)
def test_a_wrong_setting_stops_the_start_and_is_named_without_its_value(wrong):
    done = preloaded().run(SERVE, os.environ | wrong)

    assert done.returncode == 3
    assert next(iter(wrong)) in done.stderr
    assert all(value not in done.stderr for value in ("much", "SOMETIMES", "secret"))
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("variables", ["IN_MEMORY"], indirect=True)
def test_a_taken_port_stops_the_start_with_one_line(start):
    taken = start().port

    done = refused_start("--port", str(taken))

    assert done.returncode == 3
    assert str(taken) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_no_database_stops_the_start_with_one_line(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, and longer than the header of one would be" * 10)

    wrong = {"DPM_SUPPORTABILITY_STORE_BACKEND": "SQL", "DPM_SUPPORTABILITY_SQL_PATH": str(path)}
    done = preloaded().run(SERVE, os.environ | wrong)

    assert done.returncode == 3
    assert str(path) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("variables", ["SQL"], indirect=True)
def test_a_killed_server_takes_its_engine_processes_with_it(variables):
    server = Server(variables)
    children = wait_for(lambda: children_of(server.process.pid), "its engine processes")

    server.kill()

    wait_for(lambda: not any(is_running(child) for child in children), "its engine processes to end")


def refused_start(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Started by itself; the others that are refused are forked."""
    return subprocess.run(
        [sys.executable, "-m", "service", "serve", *arguments],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )


def is_running(pid: int) -> bool:
    try:
        # The state letter follows the name in parentheses; Z is a process nobody has waited for yet.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
