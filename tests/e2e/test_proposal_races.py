"""Advisers and reviewers who race each other over a proposal, against real servers: it keeps one history."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import pytest

from scripts.harness.servers import Server
from tests.e2e.clients import Answer
from tests.e2e.databases import Database
from tests.e2e.proposal_fixtures import Desk, beside_runs, code_of, require_sound

CREATORS = 8
VERSIONS = 4
ROUNDS_IN_SMALL = 3
SIMULATING_SECONDS = 0.03
READERS, WRITTEN = 3, 10

# Whoever comes late sees another state than the one they named, or at the last moment a step that is none.
TOO_LATE = {(409, "STATE_CONFLICT"), (422, "INVALID_TRANSITION"), (422, "INVALID_APPROVAL_STATE")}

Race = Callable[[Desk, int], Awaitable[str]]


@pytest.fixture
def servers(new_database, serve) -> tuple[Database, list[Server]]:
    """A database with two servers on it."""
    database: Database = new_database()
    variables = beside_runs(database.variables) | {"DPM_ENGINE_PROCESSES": "1"}
    return database, [serve(variables) for _ in range(2)]


@pytest.mark.faults
def test_creations_with_one_key_leave_one_proposal(servers, faults_in_full):
    database, started = servers

    async def create(desk: Desk, number: int) -> str:
        key = f"one-key-{number}"
        answers = await asyncio.gather(*(desk.create(key) for _ in range(CREATORS)))
        assert {answer.status for answer in answers} == {200}
        assert len({answer.body for answer in answers}) == 1
        assert [answer.replayed for answer in answers].count(False) == 1
        proposal_id = id_of(answers[0])
        assert (await desk.ask(f"/idempotency/{key}"))["proposal_id"] == proposal_id
        require_events(await desk.ask(f"/{proposal_id}/workflow-events"), ["CREATED"])
        return "created"

    rounds = 50 if faults_in_full else ROUNDS_IN_SMALL
    run(started, create, rounds)

    assert len(require_sound(database)) == rounds


@pytest.mark.faults
def test_versions_at_once_get_a_number_each(servers, faults_in_full):
    database, started = servers

    async def add_versions(desk: Desk, number: int) -> str:
        proposal_id = id_of(await desk.create(f"versions-{number}"))
        answers = await asyncio.gather(*(desk.add_version(proposal_id) for _ in range(VERSIONS)))
        assert {answer.status for answer in answers} == {200}
        versions = [json.loads(answer.body)["version"] for answer in answers]
        lineage = await desk.ask(f"/{proposal_id}/lineage")
        found = {row["proposal_version_id"]: row["version_no"] for row in lineage["versions"]}
        assert list(found.values()) == list(range(1, VERSIONS + 2))
        # Each caller was told of a version of their own.
        told = {row["proposal_version_id"]: row["version_no"] for row in versions}
        assert len(told) == VERSIONS
        assert told.items() <= found.items()
        require_events(
            await desk.ask(f"/{proposal_id}/workflow-events"),
            ["CREATED"] + ["NEW_VERSION_CREATED"] * VERSIONS,
        )
        return "versioned"

    run(started, add_versions, 50 if faults_in_full else ROUNDS_IN_SMALL)

    require_sound(database)


@pytest.mark.faults
def test_of_who_approves_and_who_rejects_one_decides(servers, faults_in_full):
    database, started = servers

    async def decide(desk: Desk, number: int) -> str:
        proposal_id = id_of(await desk.create(f"decided-{number}"))
        await accepted(desk.move(proposal_id, "SUBMITTED_FOR_RISK_REVIEW", "DRAFT"))
        # A refusal can be said in two ways.
        refusal = (
            desk.approve(proposal_id, "RISK", False, f"refused-{number}")
            if number % 2
            else desk.move(proposal_id, "REJECTED", "RISK_REVIEW")
        )
        approval = desk.approve(proposal_id, "RISK", True, f"approved-{number}")
        return await one_wins(desk, proposal_id, in_turn(number // 2, [approval, refusal]))

    outcomes = run(started, decide, 100 if faults_in_full else ROUNDS_IN_SMALL)

    require_sound(database)
    assert outcomes.keys() <= {"AWAITING_CLIENT_CONSENT", "REJECTED"}


@pytest.mark.faults
def test_of_who_executes_and_who_cancels_one_decides(servers, faults_in_full):
    database, started = servers

    async def decide(desk: Desk, number: int) -> str:
        proposal_id = id_of(await desk.create(f"executed-{number}"))
        await accepted(desk.move(proposal_id, "SUBMITTED_FOR_COMPLIANCE_REVIEW", "DRAFT"))
        await accepted(desk.approve(proposal_id, "COMPLIANCE", True))
        await accepted(desk.approve(proposal_id, "CLIENT_CONSENT", True))
        racers = [desk.move(proposal_id, event, "EXECUTION_READY") for event in ("EXECUTED", "CANCELLED")]
        return await one_wins(desk, proposal_id, in_turn(number, racers))

    outcomes = run(started, decide, 100 if faults_in_full else ROUNDS_IN_SMALL)

    require_sound(database)
    assert outcomes.keys() <= {"EXECUTED", "CANCELLED"}


@pytest.mark.faults
def test_a_cancelled_proposal_is_not_revived_by_a_version(servers, chance, faults_in_full):
    database, started = servers

    async def cancel_in_its_midst(desk: Desk, proposal_id: str, seen: str) -> Answer:
        # A version takes its time, as it is simulated first.
        await asyncio.sleep(chance.uniform(0.0, SIMULATING_SECONDS))
        return await desk.move(proposal_id, "CANCELLED", seen)

    async def cancel(desk: Desk, number: int) -> str:
        proposal_id = id_of(await desk.create(f"cancelled-{number}"))
        seen = "DRAFT"
        if number % 2:
            await accepted(desk.move(proposal_id, "SUBMITTED_FOR_RISK_REVIEW", "DRAFT"))
            seen = "RISK_REVIEW"
        cancelled, version = await asyncio.gather(
            cancel_in_its_midst(desk, proposal_id, seen), desk.add_version(proposal_id)
        )
        timeline = await desk.ask(f"/{proposal_id}/workflow-events")
        told = [event["event_type"] for event in timeline["events"]]
        assert version.status == 200 or code_of(version) == (422, "PROPOSAL_TERMINAL_STATE")
        assert told.count("NEW_VERSION_CREATED") == (version.status == 200)
        if cancelled.status == 200:
            assert (told[-1], timeline["current_state"]) == ("CANCELLED", "CANCELLED")
        else:
            # The version came first and has taken the proposal back to where nobody saw it.
            assert (code_of(cancelled), seen) == ((409, "STATE_CONFLICT"), "RISK_REVIEW")
            assert (told[-1], timeline["current_state"]) == ("NEW_VERSION_CREATED", "DRAFT")
        late = await desk.add_version(proposal_id)
        assert late.status == (422 if cancelled.status == 200 else 200)
        return f"cancelled {cancelled.status}, version {version.status}"

    run(started, cancel, 100 if faults_in_full else ROUNDS_IN_SMALL)

    require_sound(database)


@pytest.mark.faults
def test_what_is_read_in_the_midst_of_changes_is_of_one_instant(servers, faults_in_full):
    database, started = servers

    async def read_on(desk: Desk, path: str, writing: asyncio.Task[None]) -> int:
        reads = 0
        while not writing.done():
            timeline = await desk.ask(f"{path}/workflow-events")
            assert timeline["current_state"] == timeline["events"][-1]["to_state"]
            lineage = await desk.ask(f"{path}/lineage")
            assert lineage["proposal"]["current_version_no"] == len(lineage["versions"])
            detail = await desk.ask(f"{path}?include_evidence=false")
            assert detail["current_version"]["version_no"] == detail["proposal"]["current_version_no"]
            reads += 1
        return reads

    async def write(desk: Desk, proposal_id: str) -> None:
        for _ in range(WRITTEN):
            await accepted(desk.move(proposal_id, "SUBMITTED_FOR_RISK_REVIEW", "DRAFT"))
            await accepted(desk.add_version(proposal_id))

    async def look(desk: Desk, number: int) -> str:
        proposal_id = id_of(await desk.create(f"read-{number}"))
        writing = asyncio.create_task(write(desk, proposal_id))
        reads = await asyncio.gather(*(read_on(desk, f"/{proposal_id}", writing) for _ in range(READERS)))
        await writing
        assert min(reads) > 1
        return "read"

    run(started, look, 20 if faults_in_full else 1)

    require_sound(database)


def run(servers: Sequence[Server], race: Race, rounds: int) -> Counter[str]:
    """Holds so many races; how many came out in which way."""

    async def hold() -> Counter[str]:
        async with aiohttp.ClientSession() as session:
            desk = Desk(session, [server.base for server in servers])
            return Counter([await race(desk, number) for number in range(rounds)])

    outcomes = asyncio.run(hold())
    print(dict(outcomes))
    assert outcomes.total() == rounds
    return outcomes


async def one_wins(desk: Desk, proposal_id: str, racers: Sequence[Awaitable[Answer]]) -> str:
    """The state that the one racer left the proposal in who won; the others are told that they came late."""
    answers = await asyncio.gather(*racers)
    (won,) = [json.loads(answer.body) for answer in answers if answer.status == 200]
    assert {code_of(answer) for answer in answers if answer.status != 200} <= TOO_LATE
    timeline = await desk.ask(f"/{proposal_id}/workflow-events")
    assert timeline["events"][-1] == won["latest_workflow_event"]
    detail = await desk.ask(f"/{proposal_id}?include_evidence=false")
    state: str = detail["proposal"]["current_state"]
    assert state == timeline["current_state"] == timeline["events"][-1]["to_state"] == won["current_state"]
    assert detail["proposal"]["revision"] == len(timeline["events"])
    return state


def in_turn(number: int, racers: Sequence[Awaitable[Answer]]) -> Sequence[Awaitable[Answer]]:
    """The racers, of whom another begins in every other round."""
    return racers if number % 2 else racers[::-1]


async def accepted(said: Awaitable[Answer]) -> None:
    answer = await said
    assert answer.status == 200, answer


def require_events(timeline: dict[str, Any], event_types: Sequence[str]) -> None:
    """Those events are told, each from where the one before led."""
    events = timeline["events"]
    assert [event["event_type"] for event in events] == event_types
    assert [event["from_state"] for event in events[1:]] == [event["to_state"] for event in events[:-1]]
    assert timeline["current_state"] == events[-1]["to_state"]


def id_of(answer: Answer) -> str:
    assert answer.status == 200, answer
    proposal_id: str = json.loads(answer.body)["proposal"]["proposal_id"]
    return proposal_id
