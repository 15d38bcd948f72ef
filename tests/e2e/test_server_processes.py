"""Several server processes on one port under one supervisor."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scripts.harness.servers import ROOT, Server, children_of
from tests.waiting import HANG_SECONDS, wait_for

# Each starts several processes, and waits for them.
pytestmark = pytest.mark.slow

COUNT = 2


class Servers(Server):
    """A supervisor with COUNT server processes; its log is theirs too."""

    def __init__(self, variables) -> None:
        super().__init__(
            variables,
            command=[
                "-m",
                "service",
                "serve",
                "--port",
                "0",
                "--metrics-port",
                "0",
                "--processes",
                str(COUNT),
            ],
        )
        self.metrics_port = next(
            event["metrics_port"] for event in self.events("listening") if event["processes"] == COUNT
        )

    def events(self, name: str) -> list[dict]:
        told = [json.loads(line) for line in tuple(self.lines) if line.startswith(b"{")]
        return [event for event in told if event["event"] == name]

    def pids(self) -> list[int]:
        return [pid for pid in children_of(self.process.pid) if b"--supervised" in command_of(pid)]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def simulate(base: str, body: bytes, key: str) -> bytes:
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    request = urllib.request.Request(f"{base}/rebalance/simulate", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=HANG_SECONDS) as found:
        return found.read()


def figures(port: int) -> dict[str, list]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=HANG_SECONDS) as found:
        families = text_string_to_metric_families(found.read().decode())
        return {family.name: family.samples for family in families}


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory) -> dict[str, str]:
    path = str(tmp_path_factory.mktemp("shared") / "store.db")
    return {
        "DPM_SUPPORTABILITY_STORE_BACKEND": "SQL",
        "DPM_SUPPORTABILITY_SQL_PATH": path,
        "PROPOSAL_STORE_BACKEND": "SQL",
        "PROPOSAL_SQL_PATH": path,
        "DPM_ENGINE_PROCESSES": "1",
    }


@pytest.fixture
def servers(shared_store):
    with Servers(shared_store) as running:
        yield running


@pytest.fixture(scope="module")
def lasting_servers(shared_store):
    """For tests after which as many go on."""
    with Servers(shared_store) as running:
        yield running


def test_processes_share_a_port_and_a_store_and_a_dead_one_is_replaced(lasting_servers, demo_body):
    servers = lasting_servers
    answered = simulate(servers.base, demo_body, "shared-1")
    before = servers.pids()
    assert len(before) == COUNT

    os.kill(before[0], signal.SIGKILL)

    after = wait_for(
        lambda: len(now := servers.pids()) == COUNT and before[0] not in now and now, "another process"
    )
    assert before[1] in after
    # Connections are spread by the kernel, so that some of these come to each process.
    for _ in range(32):
        assert simulate(servers.base, demo_body, "shared-1") == answered
    wait_for(lambda: len(servers.events("server_process_listening")) > COUNT, "its listening")
    told = figures(servers.metrics_port)
    assert told["lotus_server_process_restarts"][0].value == 1
    assert told["lotus_server_processes"][0].value == COUNT
    assert {one.labels["server_process"] for one in told["lotus_requests_in_flight"]} == {"0", "1"}


def test_the_signal_to_stop_is_passed_on_and_every_process_ends_in_good_order(servers):
    pids = servers.pids()

    assert servers.stop() == 0

    assert [command_of(pid) for pid in pids] == [b""] * COUNT
    assert len(servers.events("draining")) == COUNT
    assert not servers.events("server_process_ended")


def test_no_process_outlives_a_supervisor_that_was_killed(servers):
    pids = servers.pids()

    os.kill(servers.process.pid, signal.SIGKILL)

    wait_for(lambda: not any(b"--supervised" in command_of(pid) for pid in pids), "their end")


def refusal(variables: dict[str, str], *arguments: str) -> tuple[int, str]:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("DPM_", "PROPOSAL_"))
    }
    ended = subprocess.run(
        [sys.executable, "-m", "service", "serve", *arguments],
        cwd=ROOT,
        env=inherited | variables,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("variable", ["DPM_SUPPORTABILITY_STORE_BACKEND", "PROPOSAL_STORE_BACKEND"])
def test_processes_refuse_a_store_in_memory(shared_store, variable):
    status, said = refusal(shared_store | {variable: "IN_MEMORY"}, "--processes", "2", "--port", "0")

    assert status == 3
    assert said.splitlines() == [
        f"SERVER_PROCESSES_REQUIRE_SHARED_STORE: {variable} must be SQL or POSTGRES"
        " where there are several processes"
    ]


def test_processes_refuse_a_port_that_another_server_shares(lasting_servers, shared_store):
    status, said = refusal(shared_store, "--processes", "2", "--port", str(lasting_servers.port))

    assert status == 3
    assert f"port {lasting_servers.port}" in said
    assert len(lasting_servers.pids()) == COUNT
