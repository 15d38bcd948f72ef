"""Reviewers who race each other, against real servers: their decisions form one chain."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import aiohttp
import pytest

from scripts.harness.servers import Server
from tests.e2e.clients import ask
from tests.e2e.databases import Database

REVIEWERS = 32
ACTIONS = ("APPROVE", "REJECT", "REQUEST_CHANGES")

# Every run is to be reviewed, whatever came of it.
REVIEWED = {
    "DPM_WORKFLOW_ENABLED": "true",
    "DPM_WORKFLOW_REQUIRES_REVIEW_FOR_STATUSES": "READY,PENDING_REVIEW,BLOCKED",
}

# The states and what leads from each to which, as the HTTP contract has them (7.2).
LEADS_TO = {
    ("PENDING_REVIEW", "APPROVE"): "APPROVED",
    ("PENDING_REVIEW", "REJECT"): "REJECTED",
    ("PENDING_REVIEW", "REQUEST_CHANGES"): "PENDING_REVIEW",
    ("APPROVED", "REJECT"): "REJECTED",
    ("APPROVED", "REQUEST_CHANGES"): "PENDING_REVIEW",
    ("REJECTED", "REQUEST_CHANGES"): "PENDING_REVIEW",
}


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a reviewer sent, and what came back."""

    actor_id: str
    status: int
    answer: dict[str, Any]


@pytest.fixture
def servers(new_database, serve) -> tuple[Database, list[Server]]:
    """A database with a server on it; on PostgreSQL with two."""
    database: Database = new_database()
    backend = database.variables["DPM_SUPPORTABILITY_STORE_BACKEND"]
    return database, [serve(database.variables | REVIEWED) for _ in range(2 if backend == "POSTGRES" else 1)]


@pytest.mark.faults
def test_the_decisions_of_racing_reviewers_form_one_chain(servers, demo_body, faults_in_full):
    database, started = servers

    for number in range(20 if faults_in_full else 2):
        run_id, reviewed = asyncio.run(race(started, demo_body, f"chain-{number}", ACTIONS))

        acknowledged = {review.actor_id: review for review in reviewed if review.status == 200}
        refused = [review for review in reviewed if review.status != 200]
        assert {(review.status, review.answer["code"]) for review in refused} <= {
            (409, "DPM_WORKFLOW_INVALID_TRANSITION")
        }
        chain = decisions_of(database, run_id)
        assert [decision_no for decision_no, *_ in chain] == list(range(1, len(chain) + 1))
        # Each acknowledged decision is there once, as its reviewer was told, and no other.
        assert sorted(actor for _, _, actor, _ in chain) == sorted(acknowledged)
        state = "PENDING_REVIEW"
        for _, decision_id, actor, action in chain:
            state = LEADS_TO[state, action]
            told = acknowledged[actor].answer
            assert (told["workflow_status"], told["latest_decision"]["decision_id"]) == (state, decision_id)
        assert history_of(started[-1], run_id) == [decision_id for _, decision_id, *_ in chain]


@pytest.mark.faults
def test_of_reviewers_who_saw_one_state_one_decides(servers, demo_body, faults_in_full):
    database, started = servers

    for number in range(20 if faults_in_full else 2):
        run_id, reviewed = asyncio.run(
            race(
                started,
                demo_body,
                f"saw-{number}",
                ("APPROVE", "REJECT"),
                expected_workflow_status="PENDING_REVIEW",
            )
        )

        (first,) = [review for review in reviewed if review.status == 200]
        # Whoever loses at the last moment had seen the state that held, and could not take its next number.
        assert {(review.status, review.answer["code"]) for review in reviewed if review is not first} <= {
            (409, "DPM_WORKFLOW_STATE_CONFLICT"),
            (409, "DPM_WORKFLOW_INVALID_TRANSITION"),
        }
        late = asyncio.run(decide_late(started[-1], run_id))
        assert (late.status, late.answer["code"]) == (409, "DPM_WORKFLOW_STATE_CONFLICT")
        assert [actor for _, _, actor, _ in decisions_of(database, run_id)] == [first.actor_id]


async def race(
    servers: Sequence[Server], body: bytes, key: str, actions: Sequence[str], **expected: str
) -> tuple[str, list[Reviewed]]:
    """The id of a new run, and what all reviewers were answered who decided on it at the same moment."""
    connector = aiohttp.TCPConnector(limit=REVIEWERS)
    async with aiohttp.ClientSession(connector=connector) as session:
        run = await ask(session, f"{servers[0].base}/rebalance/simulate", body, key)
        run_id = json.loads(run.body)["rebalance_run_id"]
        reviewers = zip(range(REVIEWERS), cycle(servers), cycle(actions), strict=False)
        return run_id, await asyncio.gather(
            *(
                decide(session, server, run_id, actor_id=f"reviewer-{number}", action=action, **expected)
                for number, server, action in reviewers
            )
        )


async def decide_late(server: Server, run_id: str) -> Reviewed:
    """A decision of somebody who still sees the run as it was before any."""
    async with aiohttp.ClientSession() as session:
        return await decide(
            session,
            server,
            run_id,
            actor_id="late",
            action="REQUEST_CHANGES",
            expected_workflow_status="PENDING_REVIEW",
        )


async def decide(session: aiohttp.ClientSession, server: Server, run_id: str, **decision: str) -> Reviewed:
    url = f"{server.base}/rebalance/runs/{run_id}/workflow/actions"
    answer = await ask(session, url, json.dumps({"reason_code": "RACED"} | decision).encode(), None)
    return Reviewed(decision["actor_id"], answer.status, json.loads(answer.body))


def history_of(server: Server, run_id: str) -> list[str]:
    with urllib.request.urlopen(f"{server.base}/rebalance/runs/{run_id}/workflow/history") as found:
        return [decision["decision_id"] for decision in json.load(found)["decisions"]]


def decisions_of(database: Database, run_id: str) -> list[tuple[int, str, str, str]]:
    with database.snapshot() as ask:
        return ask(
            "SELECT decision_no, decision_id, actor_id, action FROM dpm_workflow_decisions "
            f"WHERE rebalance_run_id = '{run_id}' ORDER BY decision_no"
        )
