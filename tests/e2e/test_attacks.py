"""Attack, then ordinary work is served: on every store, by a server and with a worker.

Health is asked for all the while and answered each time; how fast is the benchmark's business.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from scripts.harness import attacks
from scripts.harness.attacks import Probes
from scripts.harness.sample_requests import a_batch_body, a_body, a_proposal_body
from scripts.harness.servers import Server, children_of
from tests.e2e.clients import get
from tests.e2e.submissions import WITHIN_WORKERS, operation, send, submit
from tests.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.faults]

MEMORY_BYTES_MAX = 400 * 2**20
# Often enough to meet every attack, and seldom enough to be no attack itself.
PROBE_PAUSE_SECONDS = 0.05
SERVING = {
    "DPM_WORKFLOW_ENABLED": "true",
    "DPM_WORKFLOW_REQUIRES_REVIEW_FOR_STATUSES": "READY,PENDING_REVIEW,BLOCKED",
    "DPM_LINEAGE_APIS_ENABLED": "true",
    "DPM_ENGINE_PROCESSES": "1",
}
# Attacks are done with sooner; the rule is the same.
ENGINE_SECONDS_IN_SMALL, ENGINE_SECONDS = "2", "5"
# They take long, and no store has a part in them until they are read and computed. In the small form they
# meet the one in memory alone.
BEFORE_A_STORE = {
    "150 caps, the method escaped",
    "200 caps",
    "a wide answer, compressed",
    "five million brackets",
    "two million wrong members",
}
KEYS = count()

Start = Callable[..., Server]


@pytest.fixture(scope="module")
def serving(faults_in_full: bool) -> dict[str, str]:
    return SERVING | {"DPM_ENGINE_SECONDS_MAX": ENGINE_SECONDS if faults_in_full else ENGINE_SECONDS_IN_SMALL}


def ask(base: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    return attacks.ask(base, path, body, f"ordinary-{next(KEYS)}")


def require_ordinary_work(base: str, in_full: bool) -> None:
    """One of everything is served."""
    assert ask(base, attacks.SIMULATE, a_body(10, seed=3))[0] == 200
    assert ask(base, attacks.SIMULATE, a_body(1_000 if in_full else 300, seed=4))[0] == 200
    assert ask(base, attacks.ANALYZE, a_batch_body({"a": {}, "b": {"target_method": "SOLVER"}}, 50))[0] == 200
    assert ask(base, attacks.PROPOSE, a_proposal_body(10, seed=5))[0] == 200
    assert ask(base, "/rebalance/runs?limit=5")[0] == 200
    assert get(f"{base}/health/ready").status == 200


@contextmanager
def attacked(server: Server, in_full: bool) -> Iterator[None]:
    """Health is answered throughout, ordinary work is served afterwards, and memory stays bounded."""
    with Probes(server.base, pause_seconds=PROBE_PAUSE_SECONDS) as probes:
        yield
        require_ordinary_work(server.base, in_full)
    assert probes.statuses == {200}
    assert probes.seconds, "health was never asked for"
    assert attacks.peak_memory_bytes([server.process.pid]) <= MEMORY_BYTES_MAX


@pytest.fixture
def server(start: Start, variables: dict[str, str], serving: dict[str, str]) -> Server:
    return start(**serving, **proposals_beside(variables))


def proposals_beside(variables: dict[str, str]) -> dict[str, str]:
    """Proposals in the store of the runs."""
    return {
        "PROPOSAL_STORE_BACKEND": variables["DPM_SUPPORTABILITY_STORE_BACKEND"],
        "PROPOSAL_SQL_PATH": variables.get("DPM_SUPPORTABILITY_SQL_PATH", ""),
        "PROPOSAL_POSTGRES_DSN": variables.get("DPM_SUPPORTABILITY_POSTGRES_DSN", ""),
    }


def a_run(base: str) -> str:
    run_id: str = json.loads(ask(base, attacks.SIMULATE, a_body(10, seed=1))[1])["rebalance_run_id"]
    return run_id


def test_hostile_requests_are_answered_or_refused_and_ordinary_ones_served(server, variables, faults_in_full):
    in_memory = variables["DPM_SUPPORTABILITY_STORE_BACKEND"] == "IN_MEMORY"
    hostile = attacks.requests_of(a_run(server.base))
    if not (faults_in_full or in_memory):
        hostile = tuple(one for one in hostile if one.name not in BEFORE_A_STORE)

    with attacked(server, faults_in_full):
        answered = {one.name: attacks.send(server.base, one, f"hostile-{next(KEYS)}") for one in hostile}

    assert {one.name: answered[one.name] for one in hostile if answered[one.name] not in one.statuses} == {}


@pytest.mark.one_store
def test_work_whose_callers_are_gone_keeps_nobody_waiting(server, faults_in_full):
    body = attacks.many_caps(200, 4_000)

    with attacked(server, faults_in_full):
        for _ in range(20 if faults_in_full else 3):
            attacks.leave(server.port, attacks.post_text(attacks.SIMULATE, body, f"gone-{next(KEYS)}"))


@pytest.mark.one_store
def test_callers_who_never_read_hold_no_memory(server, faults_in_full):
    status, wide = ask(server.base, attacks.SIMULATE, a_body(3_000, seed=9))
    assert status == 200
    run_id = json.loads(wide)["rebalance_run_id"]

    def text(number: int) -> bytes:
        return f"GET /rebalance/runs/{run_id} HTTP/1.1\r\nHost: x\r\n\r\n".encode()

    callers = 300 if faults_in_full else 100
    with attacked(server, faults_in_full), attacks.never_reading(server.port, text, callers):
        require_ordinary_work(server.base, faults_in_full)


@pytest.mark.one_store
def test_silent_connections_take_no_server_off_the_net(start, variables, serving, faults_in_full):
    server = start(**serving, **proposals_beside(variables), DPM_CONNECTIONS_MAX="100")

    with attacked(server, faults_in_full), attacks.silent(server.port, 150):
        require_ordinary_work(server.base, faults_in_full)


@pytest.mark.parametrize("variables", ["POSTGRES"], indirect=True)
def test_batches_that_take_long_stall_no_worker(start, hire, variables, serving, faults_in_full):
    chosen = serving | WITHIN_WORKERS | proposals_beside(variables)
    server = start(**chosen)
    worker = hire(variables | chosen)
    batch = attacks.large_scenarios(20, 1_500 if faults_in_full else 500)
    hostile = [submit(server.base, batch) for _ in range(6 if faults_in_full else 3)]

    with attacked(server, faults_in_full):
        ordinary = submit(server.base, a_batch_body({"a": {}, "b": {}}, 20))
        cancelled = [send(f"{server.base}/rebalance/operations/{one}/cancel").status for one in hostile]
        wait_until_ended(server.base, ordinary)

    assert operation(server.base, ordinary)["status"] == "SUCCEEDED"
    assert set(cancelled) <= {200, 409}
    for one in hostile:
        wait_until_ended(server.base, one)
    assert children_of(worker.process.pid), "the worker has its engine processes"


def wait_until_ended(base: str, operation_id: str) -> None:
    wait_for(
        lambda: operation(base, operation_id)["status"] not in {"PENDING", "RUNNING"}, "the operation's end"
    )
