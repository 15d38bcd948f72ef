"""Many callers with one idempotency key, against a real server."""

from __future__ import annotations

import json
import multiprocessing
import urllib.request
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.e2e.clients import post_at_once

CLIENTS = 4
REQUESTS_PER_CLIENT = 50


@pytest.mark.faults
def test_two_hundred_callers_with_one_key_leave_one_run(start, demo_body, faults_in_full):
    keys = [f"one-key-{number}" for number in range(50 if faults_in_full else 4)]
    url = start().base

    with ProcessPoolExecutor(CLIENTS, mp_context=multiprocessing.get_context("spawn")) as clients:
        asked = [
            clients.submit(post_at_once, f"{url}/rebalance/simulate", demo_body, keys, REQUESTS_PER_CLIENT)
            for _ in range(CLIENTS)
        ]
        by_client = [client.result() for client in asked]

    for round_no, key in enumerate(keys):
        answers = [answer for rounds in by_client for answer in rounds[round_no]]
        assert len(answers) == CLIENTS * REQUESTS_PER_CLIENT
        assert {answer.status for answer in answers} == {200}
        assert len({answer.body for answer in answers}) == 1
        assert [answer.replayed for answer in answers].count(False) == 1
        run_id = json.loads(answers[0].body)["rebalance_run_id"]
        with urllib.request.urlopen(f"{url}/rebalance/runs/idempotency/{key}") as found:
            assert json.load(found)["rebalance_run_id"] == run_id


@pytest.mark.faults
@pytest.mark.parametrize("variables", ["SQL"], indirect=True)
def test_two_servers_on_one_file_agree_on_one_run(start, demo_body, faults_in_full):
    keys = [f"two-servers-{number}" for number in range(20 if faults_in_full else 3)]
    servers = [start(), start()]

    with ProcessPoolExecutor(len(servers), mp_context=multiprocessing.get_context("spawn")) as clients:
        asked = [
            clients.submit(post_at_once, f"{server.base}/rebalance/simulate", demo_body, keys, 20)
            for server in servers
        ]
        by_server = [client.result() for client in asked]

    for round_no in range(len(keys)):
        answers = [answer for rounds in by_server for answer in rounds[round_no]]
        assert {answer.status for answer in answers} == {200}
        assert len({answer.body for answer in answers}) == 1
        assert [answer.replayed for answer in answers].count(False) == 1
