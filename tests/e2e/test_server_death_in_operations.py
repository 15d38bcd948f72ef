"""A server killed in the midst of an operation: it is executable again soon after, and is executed once."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import aiohttp
import pytest

from tests.e2e.operation_ends import require_each_once, running
from tests.e2e.submissions import a_batch, answered_at_once, operation, send, submit
from tests.waiting import wait_for

LEASE_SECONDS = 1
BODY = a_batch(scenarios=20, positions=200, seed=6)


@pytest.mark.faults
@pytest.mark.parametrize("mode", ["INLINE", "ACCEPT_ONLY"])
def test_an_operation_of_a_killed_server_is_executable_again(
    new_database, serve, chance, faults_in_full, mode
):
    database = new_database()
    variables = database.variables | {
        "DPM_ASYNC_EXECUTION_MODE": mode,
        "DPM_ASYNC_LEASE_SECONDS": str(LEASE_SECONDS),
        # What is begun again after a kill is never given up here.
        "DPM_ASYNC_MAX_ATTEMPTS": "50",
    }
    expected = answered_at_once(serve, [BODY])
    accepted, met, staged = {}, 0, 0

    while len(accepted) < (30 if faults_in_full else 1) or not met:
        server = serve(variables)
        with ThreadPoolExecutor(1) as caller:
            caller.submit(begin, server.base, mode)
            [(operation_id, _)] = wait_for(lambda: running(database), "a running operation")
            time.sleep(chance.uniform(0.0, 0.15))
            server.kill()
        if not running(database):
            # It had ended a moment before.
            accepted[operation_id] = 0
            continue
        staged += count_staged(database)
        server = serve(variables)
        wait_for(
            lambda base=server.base, name=operation_id: operation(base, name)["is_executable"],
            "an operation that is executable again",
        )
        met += 1
        answer = send(f"{server.base}/rebalance/operations/{operation_id}/execute")
        assert answer.status == 200, answer
        said = json.loads(answer.body)
        assert (said["status"], said["attempt"]) == ("SUCCEEDED", 2)
        accepted[operation_id] = 0
        server.stop()

    require_each_once(database, accepted, expected)
    print(f"{met} of {len(accepted)} kills met an operation; {staged} scenarios were not done again")


def begin(base: str, mode: str) -> None:
    """Has the server at work on an operation; its answer is lost with it."""
    with suppress(aiohttp.ClientError):
        if mode == "INLINE":
            send(f"{base}/rebalance/analyze/async", BODY)
        else:
            send(f"{base}/rebalance/operations/{submit(base, BODY)}/execute")


def count_staged(database) -> int:
    with database.snapshot() as ask:
        return int(ask("SELECT count(*) FROM dpm_operation_scenarios")[0][0])
