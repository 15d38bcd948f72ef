"""A server killed at any moment has kept what advisers were told, nothing by halves, and nothing twice."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import Mapping

import aiohttp
import pytest

from scripts.harness.servers import Server
from service.domains.proposals.documents import whole_answer
from tests.e2e.advisers import Advisers, Submitters
from tests.e2e.clients import Answer
from tests.e2e.databases import Database
from tests.e2e.operation_ends import wait_for_ends
from tests.e2e.proposal_fixtures import Desk, beside_runs, require_sound

SECONDS_MAX = 0.6
# A database is left for a new one after so many kills, so that looking at all of it stays affordable.
KILLS_PER_DATABASE = 20
PROPOSALS_VERSIONED = 4

# What is begun again after a kill is never given up here.
BEGUN_AGAIN = {
    "DPM_ASYNC_LEASE_SECONDS": "1",
    "DPM_ASYNC_MAX_ATTEMPTS": "100",
    "DPM_ENGINE_PROCESSES": "1",
}

ANSWERS = (
    "SELECT k.idempotency_key, k.answer, v.result, v.artifact, v.evidence FROM proposal_keys k"
    " JOIN proposal_versions v ON v.proposal_id = k.proposal_id AND v.version_no = k.version_no"
)
CREATED = "SELECT idempotency_key, proposal_id FROM proposal_keys WHERE family = 'CREATE'"
OPERATIONS = "SELECT operation_id, operation_type, status, attempt, result FROM dpm_operations"
VERSIONS = "SELECT proposal_version_id, proposal_id FROM proposal_versions"
CAUSES = "SELECT source_entity_id, target_entity_id FROM dpm_lineage_edges WHERE edge_type = 'CAUSED_BY'"


@pytest.mark.faults
def test_what_advisers_were_told_is_there_after_a_kill(new_database, serve, chance, faults_in_full):
    kills = 200 if faults_in_full else 3
    totals: Counter[str] = Counter()

    for first in range(0, kills, KILLS_PER_DATABASE):
        database = new_database()
        variables = beside_runs(database.variables) | {"DPM_ENGINE_PROCESSES": "1"}
        server = serve(variables)
        advisers = Advisers(server.base, f"kill-{first}", chance)
        for _ in range(min(KILLS_PER_DATABASE, kills - first)):
            time.sleep(chance.uniform(0.02, SECONDS_MAX))
            server.kill()
            require_told(database, dict(advisers.acknowledged))
            require_sound(database)
            server = serve(variables, port=server.port)
            advisers.require_going()
        advisers.stop()
        require_told(database, advisers.acknowledged)
        # Every act was answered in the end, so what nobody was told of is an effect that came twice.
        told = Counter(event_of(answer) for answer in advisers.acknowledged.values())
        assert told == Counter(event for events in require_sound(database).values() for event in events)
        server.stop()
        totals += Counter(told=len(told), lost=advisers.lost, replayed=advisers.replayed)

    print(f"{kills} kills: {dict(totals)}")
    assert totals["told"] > kills


@pytest.mark.faults
def test_what_was_accepted_is_done_once_by_the_servers_that_follow(
    new_database, serve, chance, faults_in_full
):
    database = new_database()
    variables = beside_runs(database.variables) | BEGUN_AGAIN | {"DPM_ASYNC_EXECUTION_MODE": "INLINE"}
    server = serve(variables)
    proposal_ids = some_proposals(server)
    submitters = Submitters(server.base, "accepted", proposal_ids, every=0.05 if faults_in_full else 0.3)

    for _ in range(40 if faults_in_full else 2):
        time.sleep(chance.uniform(0.02, SECONDS_MAX))
        server.kill()
        server = serve(variables, port=server.port)
        submitters.require_going()
    submitters.stop()
    wait_for_ends(database)

    require_done_once(database, submitters, proposal_ids)


@pytest.mark.faults
def test_what_was_accepted_is_done_once_by_the_workers_that_follow(
    durable_database, serve, hire, chance, faults_in_full
):
    variables = beside_runs(durable_database.variables) | BEGUN_AGAIN | {"DPM_ASYNC_EXECUTION_MODE": "WORKER"}
    server = serve(variables)
    proposal_ids = some_proposals(server)
    worker = hire(variables)
    submitters = Submitters(server.base, "accepted", proposal_ids, every=0.3 if faults_in_full else 1.0)

    for _ in range(20 if faults_in_full else 1):
        time.sleep(chance.uniform(0.02, SECONDS_MAX))
        worker.kill()
        worker = hire(variables)
        time.sleep(chance.uniform(0.02, SECONDS_MAX))
        server.kill()
        server = serve(variables, port=server.port)
        submitters.require_going()
    submitters.stop()
    wait_for_ends(durable_database)

    require_done_once(durable_database, submitters, proposal_ids)
    assert worker.stop() == 0


def some_proposals(server: Server) -> list[str]:
    """The ids of proposals that were created before anything happens."""

    async def create() -> list[str]:
        async with aiohttp.ClientSession() as session:
            desk = Desk(session, [server.base])
            answers = [await desk.create(f"before-{number}") for number in range(PROPOSALS_VERSIONED)]
            return [json.loads(answer.body)["proposal"]["proposal_id"] for answer in answers]

    return asyncio.run(create())


def event_of(answer: Answer) -> str:
    event_id: str = json.loads(answer.body)["latest_workflow_event"]["event_id"]
    return event_id


def require_told(database: Database, acknowledged: Mapping[str, Answer]) -> None:
    """What each key stands for is what its caller was told, to the byte, and its event is in the history."""
    history = {event for events in require_sound(database).values() for event in events}
    with database.snapshot() as ask:
        kept = {key: whole_answer(*map(bytes, documents)) for key, *documents in ask(ANSWERS)}
    for key, answer in acknowledged.items():
        assert kept.get(key) == answer.body, key
        assert event_of(answer) in history, key


def require_done_once(database: Database, submitters: Submitters, proposal_ids: list[str]) -> None:
    """Every accepted operation succeeded with a version of its own; equal creations share their proposal."""
    require_sound(database)
    with database.snapshot() as ask:
        operations = {row[0]: row[1:] for row in ask(OPERATIONS)}
        owners = dict(ask(VERSIONS))
        created = dict(ask(CREATED))
        caused: dict[str, list[str]] = defaultdict(list)
        for version_id, operation_id in ask(CAUSES):
            caused[operation_id].append(version_id)
    accepted = submitters.creations | submitters.versions
    assert accepted.keys() <= operations.keys()
    assert {status for _, status, *_ in operations.values()} == {"SUCCEEDED"}
    made_by: dict[str, list[str]] = defaultdict(list)
    for operation_id, (kind, _, _, result) in operations.items():
        answer = json.loads(result)
        proposal_id, version_id = answer["proposal"]["proposal_id"], answer["version"]["proposal_version_id"]
        assert owners[version_id] == proposal_id
        made = caused.pop(operation_id, [])
        if kind == "CREATE_PROPOSAL":
            # One whose key was taken by an equal one was told what that one made.
            assert made in ([], [version_id]), operation_id
            made_by[proposal_id] += made
        else:
            assert made == [version_id], operation_id
            assert proposal_id == submitters.versions.get(operation_id, proposal_id)
    assert caused == {}
    for operation_id, key in submitters.creations.items():
        result = json.loads(operations[operation_id][3])
        assert created[key] == result["proposal"]["proposal_id"], key
    assert {proposal_id: len(made) for proposal_id, made in made_by.items()} == dict.fromkeys(
        set(created.values()) - set(proposal_ids), 1
    )
    tried = Counter(row[2] for row in operations.values())
    print(f"accepted {dict(submitters.accepted)}, {submitters.lost} requests lost, by attempts {dict(tried)}")
