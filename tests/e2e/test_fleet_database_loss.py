"""A PostgreSQL that is restarted under a fleet: what was accepted ends, and the workers live on."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from tests.e2e.clients import wait_until_ready
from tests.e2e.databases import away
from tests.e2e.operation_ends import require_each_once, wait_for_ends
from tests.e2e.submissions import WITHIN_WORKERS, Submissions, a_batch, answered_at_once, operation, submit

WORKERS = 2
BODIES = [a_batch(scenarios=12, positions=60, seed=seed) for seed in range(3)]


@pytest.mark.faults
def test_a_fleet_outlives_the_restarts_of_its_database(
    durable_postgres, durable_database, serve, hire, chance, faults_in_full
):
    # Attempts may be lost with each restart; it is not they that are counted here.
    variables = durable_database.variables | WITHIN_WORKERS | {"DPM_ASYNC_MAX_ATTEMPTS": "50"}
    if not faults_in_full:
        variables |= {"DPM_ASYNC_LEASE_SECONDS": "2"}
    expected = answered_at_once(serve, BODIES)
    server = serve(variables)
    fleet = [hire(variables) for _ in range(WORKERS)]
    submissions = Submissions(server.base, BODIES, every=0.1, database_dies=True)
    restarts, away_times = 60 if faults_in_full else 2, 0

    while away_times < restarts or not submissions.refused:
        away_times += 1
        time.sleep(chance.uniform(0.5, 2.0))
        with away(durable_postgres):
            time.sleep(chance.uniform(0.1, 1.0))
        for process in (server, *fleet):
            wait_until_ready(process.base)
        submissions.require_going()
    accepted = submissions.stop()
    wait_for_ends(durable_database)

    assert all(worker.process.poll() is None for worker in fleet)
    last = submit(server.base, BODIES[0])
    wait_for_ends(durable_database)
    assert operation(server.base, last)["attempt"] == 1
    ended = require_each_once(durable_database, accepted | {last: 0}, expected)
    print(f"{away_times} restarts, {len(accepted)} operations accepted, {submissions.refused} refused")
    print(f"{Counter(end.attempt for end in ended.values())} attempts")
    assert {end.status for end in ended.values()} == {"SUCCEEDED"}
    assert all(worker.stop() == 0 for worker in fleet)
