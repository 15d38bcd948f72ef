"""Many callers who would execute one operation at the same moment: one of them does."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.e2e.clients import post_at_once
from tests.e2e.databases import PostgresDatabase
from tests.e2e.operation_ends import require_each_once
from tests.e2e.submissions import a_batch, answered_at_once, submit

CALLERS = 64
BODY = a_batch(scenarios=6, positions=40, seed=5)


@pytest.mark.faults
def test_of_many_who_execute_one_operation_one_does(new_database, serve, faults_in_full):
    database = new_database()
    # Servers share a database only where it is one of servers.
    servers = 2 if isinstance(database, PostgresDatabase) else 1
    expected = answered_at_once(serve, [BODY])
    bases = [
        serve(database.variables | {"DPM_ASYNC_EXECUTION_MODE": "ACCEPT_ONLY"}).base for _ in range(servers)
    ]
    accepted = {}

    for _ in range(40 if faults_in_full else 2):
        operation_id = submit(bases[0], BODY)
        accepted[operation_id] = 0
        urls = [f"{base}/rebalance/operations/{operation_id}/execute" for base in bases]
        [answers] = post_at_once(urls, b"", ["unused"], CALLERS // servers, patient=True)

        assert Counter(answer.status for answer in answers) == {200: 1, 409: CALLERS - 1}
        said = {answer.status: json.loads(answer.body) for answer in answers}
        assert (said[200]["status"], said[200]["attempt"]) == ("SUCCEEDED", 1)
        assert said[409]["code"] == "DPM_ASYNC_OPERATION_NOT_EXECUTABLE"

    require_each_once(database, accepted, expected)
