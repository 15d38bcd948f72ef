"""A worker that is told to stop finishes what it has in hand, or hands it back; one may also run dry."""

from __future__ import annotations

import os
import signal

import pytest

from scripts.harness.sample_requests import a_batch_body
from tests.e2e.crashing_engine import TAKES_LONG, WORK
from tests.e2e.operation_ends import require_each_once, running, wait_for_ends
from tests.e2e.preloaded import preloaded
from tests.e2e.submissions import WITHIN_WORKERS, a_batch, answered_at_once, operation, submit
from tests.waiting import wait_for

SCENARIOS = 10
LONG = a_batch_body({f"{TAKES_LONG}_{n}": {} for n in range(SCENARIOS)}, positions=20, seed=9)
SHORT = a_batch(scenarios=3, positions=30, seed=10)


@pytest.fixture
def variables(durable_database) -> dict[str, str]:
    return durable_database.variables | WITHIN_WORKERS | {"DPM_ASYNC_LEASE_SECONDS": "3600"}


@pytest.fixture
def begun(durable_database, serve, hire, variables):
    """Has a worker in the midst of a long operation: the worker, the server's address and the operation."""

    def begin(**more: str):
        base = serve(variables).base
        worker = hire(variables | more, command=WORK)
        operation_id = submit(base, LONG)
        wait_for(lambda: operation(base, operation_id)["progress"]["scenarios_done"], "the first scenarios")
        return worker, base, operation_id

    return begin


@pytest.mark.faults
def test_a_worker_without_time_hands_back_and_another_goes_on_from_there(
    durable_database, serve, hire, variables, begun
):
    worker, base, operation_id = begun(DPM_SHUTDOWN_TIMEOUT_SECONDS="1")

    assert worker.stop() == 0

    found = operation(base, operation_id)
    assert (found["status"], found["attempt"]) == ("PENDING", 0)
    done = found["progress"]["scenarios_done"]
    assert 0 < done < SCENARIOS
    other = hire(variables, command=WORK)
    # Not only when its lease has ended, which would be in an hour.
    wait_for_ends(durable_database)
    assert operation(base, operation_id)["attempt"] == 1
    require_each_once(durable_database, {operation_id: 0}, answered_at_once(serve, [LONG]))
    assert other.stop() == 0


@pytest.mark.faults
def test_a_worker_that_has_time_finishes_first(durable_database, serve, begun):
    worker, base, operation_id = begun()
    late = submit(base, SHORT)
    wait_for(lambda: operation(base, late)["finished_at"], "the shorter one")

    assert worker.stop() == 0

    found = operation(base, operation_id)
    assert (found["status"], found["attempt"]) == ("SUCCEEDED", 1)
    accepted = {operation_id: 0, late: 1}
    require_each_once(durable_database, accepted, answered_at_once(serve, [LONG, SHORT]))


@pytest.mark.faults
def test_a_second_signal_hands_back_at_once(durable_database, begun):
    worker, base, operation_id = begun()

    worker.process.send_signal(signal.SIGTERM)
    wait_for(lambda: any(b'"stopping"' in line for line in tuple(worker.lines)), "the first to be taken")
    assert running(durable_database) == {(operation_id, 1)}
    assert worker.stop() == 0

    assert operation(base, operation_id)["status"] == "PENDING"


@pytest.mark.faults
def test_a_worker_that_runs_once_leaves_nothing_undone(durable_database, serve, variables):
    base = serve(variables).base
    accepted = {submit(base, SHORT): 0 for _ in range(12)}

    for _ in range(2):
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("DPM_")}
        done = preloaded().run(["-m", "service", "work", "--once"], inherited | variables)
        assert done.returncode == 0, done.stderr

    ended = require_each_once(durable_database, accepted, answered_at_once(serve, [SHORT]))
    assert {end.status for end in ended.values()} == {"SUCCEEDED"}
