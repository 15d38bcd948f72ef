"""Starting a worker, or not, and stopping it."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from scripts.harness.postgres import free_port
from service.cli.commands import main
from tests.conftest import ROOT
from tests.waiting import HANG_SECONDS, wait_for

EXIT_REFUSED = 3


def environment(variables):
    return {name: value for name, value in os.environ.items() if not name.startswith("DPM_")} | variables


def run(*arguments, **variables):
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=ROOT,
        env=environment(variables),
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )


def refused(*arguments, **variables):
    """What a command exits with and says, without a process of its own."""
    cleared = {name: None for name in os.environ if name.startswith("DPM_")}
    # Loggers are set up once for a process, and this one belongs to all tests.
    with patch("service.observability.logs.set_up"):
        ended = CliRunner(env=cleared | variables).invoke(main, arguments)
    return ended.exit_code, ended.stderr


def nowhere():
    return f"postgresql://postgres@127.0.0.1:{free_port()}/postgres"


@contextmanager
def worker(**variables):
    """A worker on a free port, and that port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "worker", "--port", "0"],
        cwd=ROOT,
        env=environment({"DPM_SUPPORTABILITY_STORE_BACKEND": "POSTGRES", **variables}),
        stderr=subprocess.PIPE,
    )
    try:
        events = (json.loads(line) for line in process.stderr)
        yield process, next(event["port"] for event in events if event["event"] == "worker_listening")
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=HANG_SECONDS)


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=HANG_SECONDS) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read()


@pytest.mark.parametrize("command", ["serve", "worker", "purge", "verify"])
def test_nothing_starts_for_workers_without_the_store_that_wakes_them(command, tmp_path):
    path = tmp_path / "store.db"

    code, told = refused(
        command,
        DPM_ASYNC_EXECUTION_MODE="WORKER",
        DPM_SUPPORTABILITY_STORE_BACKEND="SQL",
        DPM_SUPPORTABILITY_SQL_PATH=str(path),
    )

    assert code == EXIT_REFUSED
    assert told.startswith("DPM_ASYNC_WORKER_REQUIRES_POSTGRES")
    assert not path.exists()


@pytest.mark.parametrize("once", [[], ["--once"]])
@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({}, "DPM_ASYNC_WORKER_REQUIRES_POSTGRES"),
        (
            {"DPM_SUPPORTABILITY_STORE_BACKEND": "POSTGRES"},
            "DPM_SUPPORTABILITY_POSTGRES_DSN_REQUIRED",
        ),
        ({"DPM_WORKER_CONCURRENCY": "1"}, "invalid settings: DPM_WORKER_CONCURRENCY"),
    ],
)
def test_a_worker_needs_its_store_and_an_address(once, variables, code):
    exited, told = refused("worker", *once, **variables)

    assert exited == EXIT_REFUSED
    assert told.startswith(code)
    assert len(told.splitlines()) == 1


@pytest.mark.slow
def test_working_once_is_refused_while_the_database_is_away():
    ended = run(
        "worker",
        "--once",
        DPM_SUPPORTABILITY_STORE_BACKEND="POSTGRES",
        DPM_SUPPORTABILITY_POSTGRES_DSN=nowhere(),
    )

    assert ended.returncode == EXIT_REFUSED
    assert ended.stderr.startswith("DPM_SUPPORTABILITY_POSTGRES_CONNECTION_FAILED")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_worker_starts_while_the_database_is_away_and_stops_when_asked():
    with worker(DPM_SUPPORTABILITY_POSTGRES_DIRECT_DSN=nowhere()) as (process, port):
        status, body = get(port, "/health/ready")
        assert (status, json.loads(body)["code"]) == (503, "DPM_SUPPORTABILITY_POSTGRES_CONNECTION_FAILED")
        assert get(port, "/health/live")[0] == 200

        process.send_signal(signal.SIGTERM)

        assert process.wait(HANG_SECONDS) == 0


@pytest.mark.slow
def test_a_worker_with_nothing_to_do_becomes_ready_and_stops_when_asked(postgres_database):
    with worker(DPM_SUPPORTABILITY_POSTGRES_DSN=postgres_database) as (process, port):
        wait_for(lambda: get(port, "/health/ready")[0] == 200, "the worker to be ready")
        assert b"lotus_operations_in_flight 0.0" in get(port, "/metrics")[1]

        process.send_signal(signal.SIGINT)

        assert process.wait(HANG_SECONDS) == 0


@pytest.mark.slow
def test_working_once_ends_when_nothing_is_left(postgres_database):
    ended = run(
        "worker",
        "--once",
        DPM_SUPPORTABILITY_STORE_BACKEND="POSTGRES",
        DPM_SUPPORTABILITY_POSTGRES_DSN=postgres_database,
    )

    assert ended.returncode == 0
    assert [json.loads(line)["event"] for line in ended.stderr.splitlines()] == ["stopped"]


@pytest.mark.slow
def test_a_server_does_not_load_what_only_workers_need():
    looked = "import service.cli.commands, service.wiring.server, service.storage.postgres.store, sys;"
    shown = "print(sorted({'pgqueuer', 'pydantic'} & sys.modules.keys()))"

    ended = subprocess.run(
        [sys.executable, "-c", looked + shown], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert ended.stdout.strip() == "[]"
