"""Work that never ends: it is ended, and everybody else is served meanwhile and afterwards."""

from __future__ import annotations

import json
import socket
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from scripts.harness.sample_requests import a_batch_body
from tests.e2e.crashing_engine import NEVER_ENDS, SERVE, WORK
from tests.e2e.operation_ends import wait_for_ends
from tests.e2e.submissions import WITHIN_WORKERS, a_batch, operation, send, submit
from tests.waiting import HANG_SECONDS, wait_for

ANALYZE = "/rebalance/analyze"
MEMORY = {"DPM_SUPPORTABILITY_STORE_BACKEND": "IN_MEMORY", "DPM_ENGINE_PROCESSES": "1"}
# Ends a test that hangs, and decides nothing: a second of processor time may be a minute on a busy machine.
GUARD_SECONDS = 180.0
PATIENT = {"DPM_REQUEST_TIMEOUT_SECONDS": "170"}
# As long as a piece of work may take, unless the test is about something else.
SOON = {"DPM_ENGINE_SECONDS_MAX": "1"}
NOT_SOON = {"DPM_ENGINE_SECONDS_MAX": "3600"}
ENDED = "SCENARIO_EXECUTION_ERROR: ENGINE_DEADLINE_EXCEEDED"


def endless(number: int) -> bytes:
    return a_batch_body({"a": {}, f"{NEVER_ENDS}_{number}": {}, "z": {}}, positions=30, seed=number)


def require_alive(base: str) -> None:
    with urllib.request.urlopen(f"{base}/health/live", timeout=HANG_SECONDS) as answer:
        assert answer.status == 200


def require_decent_work(base: str, seed: int) -> None:
    """Something that needs an engine process is done."""
    answer = send(f"{base}{ANALYZE}", a_batch(scenarios=3, positions=30, seed=seed))
    assert answer.status == 200, answer
    assert len(json.loads(answer.body)["results"]) == 2


def test_batches_that_never_end_fail_by_scenario_while_others_are_served(serve):
    server = serve(MEMORY | PATIENT | SOON, command=SERVE)
    with ThreadPoolExecutor(2) as callers:
        attacks = [callers.submit(send, f"{server.base}{ANALYZE}", endless(number)) for number in range(2)]

        def are_over() -> bool:
            require_alive(server.base)
            return all(attack.done() for attack in attacks)

        wait_for(are_over, "the ends of the attacks")

    for number, attack in enumerate(attacks):
        answer = attack.result()
        assert answer.status == 200, answer
        told = json.loads(answer.body)
        assert sorted(told["results"]) == ["a", "z"]
        assert told["failed_scenarios"] == {f"{NEVER_ENDS}_{number}": ENDED}
    require_decent_work(server.base, seed=7)
    assert server.stop() == 0


def test_work_ends_with_the_request_that_asked_for_it(serve):
    server = serve(MEMORY | NOT_SOON | {"DPM_REQUEST_TIMEOUT_SECONDS": "2"}, command=SERVE)
    with ThreadPoolExecutor(3) as callers:
        given_up = list(
            callers.map(lambda number: send(f"{server.base}{ANALYZE}", endless(number)), range(3))
        )

    assert {json.loads(answer.body)["code"] for answer in given_up} <= {
        "REQUEST_TIMED_OUT",
        "SERVICE_OVERLOADED",
    }
    # One piece of work at a time has a process, and none of these would ever have left it.
    decent = a_batch(scenarios=3, positions=30, seed=7)
    wait_for(lambda: send(f"{server.base}{ANALYZE}", decent).status == 200, "ordinary work")
    assert server.stop() == 0


def test_callers_who_go_leave_nothing_behind_that_stops_the_others(serve):
    server = serve(MEMORY | PATIENT | SOON, command=SERVE)
    address = urlsplit(server.base)
    body = endless(1)
    head = f"POST {ANALYZE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
    for _ in range(2):
        with socket.create_connection((address.hostname, address.port)) as line:
            line.sendall(f"{head}{len(body)}\r\n\r\n".encode() + body)
        require_alive(server.base)

    require_decent_work(server.base, seed=8)
    assert server.stop() == 0


@pytest.mark.faults
def test_three_batches_that_never_end_stop_no_worker(durable_database, serve, hire):
    variables = durable_database.variables | WITHIN_WORKERS | SOON
    base = serve(variables).base
    worker = hire(variables, command=WORK)

    attacks = [submit(base, endless(number)) for number in range(3)]
    decent = submit(base, a_batch(scenarios=3, positions=30, seed=7))
    wait_for_ends(durable_database)

    for number, attack in enumerate(attacks):
        found = operation(base, attack)
        assert (found["status"], found["attempt"]) == ("SUCCEEDED", 1)
        assert found["result"]["failed_scenarios"] == {f"{NEVER_ENDS}_{number}": ENDED}
        assert sorted(found["result"]["results"]) == ["a", "z"]
    found = operation(base, decent)
    assert (found["status"], len(found["result"]["results"])) == ("SUCCEEDED", 2)
    assert worker.stop() == 0
