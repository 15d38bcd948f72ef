"""Many callers with one idempotency key, against real servers."""

from __future__ import annotations

import json
import multiprocessing
import urllib.request
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.e2e.clients import Answer, post_at_once

CALLERS = 200
# Processes that share the callers; in the small form all are in this one.
CLIENTS = 4
# Requests wait for their turn, and not for a connection, whose wait is bounded more tightly.
PATIENT = {"DPM_QUEUE_SECONDS_MAX": "60", "DPM_POSTGRES_CONNECTIONS_MAX": "32"}


@pytest.mark.faults
def test_two_hundred_callers_with_one_key_leave_one_run(start, demo_body, faults_in_full):
    keys = [f"one-key-{number}" for number in range(50 if faults_in_full else 2)]
    # They never stop, and all are to be answered: on a slow machine they wait long for their turn.
    base = start(**PATIENT).base
    url = f"{base}/rebalance/simulate"

    if faults_in_full:
        with ProcessPoolExecutor(CLIENTS, mp_context=multiprocessing.get_context("spawn")) as clients:
            asked = [
                clients.submit(post_at_once, [url], demo_body, keys, CALLERS // CLIENTS)
                for _ in range(CLIENTS)
            ]
            by_client = [client.result() for client in asked]
    else:
        by_client = [post_at_once([url], demo_body, keys, CALLERS)]

    for round_no, key in enumerate(keys):
        answers = [answer for rounds in by_client for answer in rounds[round_no]]
        assert len(answers) == CALLERS
        require_one_run(base, key, answers)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("variables", "servers", "requests", "rounds"),
    [("SQL", (2, 2), (20, 20), (2, 20)), ("POSTGRES", (3, 8), (8, 25), (2, 40))],
    indirect=["variables"],
)
def test_servers_on_one_database_agree_on_one_run(
    start, demo_body, faults_in_full, servers, requests, rounds
):
    keys = [f"servers-{number}" for number in range(rounds[faults_in_full])]
    started = [
        start(DPM_ENGINE_PROCESSES="1", DPM_QUEUE_SECONDS_MAX="60") for _ in range(servers[faults_in_full])
    ]
    urls = [f"{server.base}/rebalance/simulate" for server in started]

    by_key = post_at_once(urls, demo_body, keys, requests[faults_in_full])

    for number, (key, answers) in enumerate(zip(keys, by_key, strict=True)):
        assert len(answers) == len(started) * requests[faults_in_full]
        require_one_run(started[number % len(started)].base, key, answers)


def require_one_run(base: str, key: str, answers: list[Answer]) -> None:
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert [answer.replayed for answer in answers].count(False) == 1
    run_id = json.loads(answers[0].body)["rebalance_run_id"]
    with urllib.request.urlopen(f"{base}/rebalance/runs/idempotency/{key}") as found:
        assert json.load(found)["rebalance_run_id"] == run_id
