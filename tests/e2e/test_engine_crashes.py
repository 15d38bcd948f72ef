"""Scenarios that end the process they run in: their operation alone has to suffer for it."""

from __future__ import annotations

import pytest

from scripts.harness.sample_requests import a_batch_body
from tests.e2e.crashing_engine import KILLS_ENGINE, KILLS_WORKER, WORK
from tests.e2e.operation_ends import require_each_once, wait_for_ends
from tests.e2e.submissions import WITHIN_WORKERS, a_batch, answered_at_once, operation, submit
from tests.waiting import HANG_SECONDS

ATTEMPTS_MAX = 3
SOUND = a_batch(scenarios=4, positions=30, seed=7)


def a_batch_with(scenario: str) -> bytes:
    return a_batch_body({"a": {}, scenario: {}, "z": {}}, positions=30, seed=8)


@pytest.mark.faults
def test_an_operation_that_kills_its_workers_is_given_up_and_others_go_on(durable_database, serve, hire):
    variables = durable_database.variables | WITHIN_WORKERS | {"DPM_ASYNC_LEASE_SECONDS": "2"}
    expected = answered_at_once(serve, [SOUND])
    base = serve(variables).base
    worker = hire(variables, command=WORK)
    accepted = {}
    deaths = 0

    poison = submit(base, a_batch_with(KILLS_WORKER))
    while deaths < ATTEMPTS_MAX:
        worker.process.wait(HANG_SECONDS)
        deaths += 1
        worker = hire(variables, command=WORK)
        accepted[submit(base, SOUND)] = 0
    wait_for_ends(durable_database)

    found = operation(base, poison)
    assert (found["status"], found["attempt"], deaths) == ("FAILED", ATTEMPTS_MAX, ATTEMPTS_MAX)
    assert found["error"] == {
        "code": "DPM_ASYNC_ATTEMPTS_EXHAUSTED",
        "message": "3 attempts ended without a result",
    }
    ended = require_each_once(durable_database, accepted, expected)
    assert {ended[name].status for name in accepted} == {"SUCCEEDED"}
    assert worker.stop() == 0


@pytest.mark.faults
def test_a_scenario_that_kills_its_engine_process_fails_alone(durable_database, serve, hire):
    variables = durable_database.variables | WITHIN_WORKERS
    base = serve(variables).base
    worker = hire(variables, command=WORK)

    poison, sound = submit(base, a_batch_with(KILLS_ENGINE)), submit(base, SOUND)
    wait_for_ends(durable_database)

    found = operation(base, poison)
    assert (found["status"], found["attempt"]) == ("SUCCEEDED", 1)
    assert found["result"]["failed_scenarios"] == {
        KILLS_ENGINE: "SCENARIO_EXECUTION_ERROR: EngineProcessDied"
    }
    assert found["result"]["warnings"] == ["PARTIAL_BATCH_FAILURE"]
    assert sorted(found["result"]["results"]) == ["a", "z"]
    assert operation(base, sound)["status"] == "SUCCEEDED"
    assert worker.stop() == 0
    require_each_once(durable_database, {}, [])
