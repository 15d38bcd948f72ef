"""Proposals as advisers and reviewers act on them, and as the database has them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import cycle, pairwise
from typing import Any

import aiohttp

from scripts.harness.sample_requests import a_proposal_body
from tests.e2e.clients import Answer, unless_turned_away
from tests.e2e.databases import Ask, Database, Rows

PROPOSALS = "/rebalance/proposals"
REQUEST = json.loads(a_proposal_body(3, seed=1))

ENDED = {"EXECUTED", "REJECTED", "CANCELLED", "EXPIRED"}
# The event and the state of who approves, by what they approve; who refuses, rejects (HTTP contract 7.3).
APPROVED_BY = {
    "RISK": ("RISK_APPROVED", "RISK_REVIEW"),
    "COMPLIANCE": ("COMPLIANCE_APPROVED", "COMPLIANCE_REVIEW"),
    "CLIENT_CONSENT": ("CLIENT_CONSENT_RECORDED", "AWAITING_CLIENT_CONSENT"),
}
# What else leads from each state to which; everything that has not ended can be cancelled or versioned.
LEADS_TO = {
    ("DRAFT", "SUBMITTED_FOR_RISK_REVIEW"): "RISK_REVIEW",
    ("DRAFT", "SUBMITTED_FOR_COMPLIANCE_REVIEW"): "COMPLIANCE_REVIEW",
    ("RISK_REVIEW", "RISK_APPROVED"): "AWAITING_CLIENT_CONSENT",
    ("RISK_REVIEW", "REJECTED"): "REJECTED",
    ("COMPLIANCE_REVIEW", "COMPLIANCE_APPROVED"): "AWAITING_CLIENT_CONSENT",
    ("COMPLIANCE_REVIEW", "REJECTED"): "REJECTED",
    ("AWAITING_CLIENT_CONSENT", "CLIENT_CONSENT_RECORDED"): "EXECUTION_READY",
    ("AWAITING_CLIENT_CONSENT", "REJECTED"): "REJECTED",
    ("EXECUTION_READY", "EXECUTED"): "EXECUTED",
    ("EXECUTION_READY", "EXPIRED"): "EXPIRED",
}

KEPT = "SELECT proposal_id, state, version_no, revision FROM proposals"
EVENTS = (
    "SELECT proposal_id, event_no, event_type, from_state, to_state, event_id "
    "FROM proposal_events ORDER BY proposal_id, event_no"
)
VERSIONS = (
    "SELECT proposal_id, version_no, proposal_version_id, artifact_id "
    "FROM proposal_versions ORDER BY proposal_id, version_no"
)
APPROVALS = "SELECT proposal_id, event_no, approval_type, approved FROM proposal_approvals"
KEYS = "SELECT family, scope, proposal_id, version_no FROM proposal_keys"
EDGES = "SELECT source_entity_id, target_entity_id FROM dpm_lineage_edges WHERE edge_type = 'DERIVED_FROM'"


def beside_runs(variables: Mapping[str, str]) -> dict[str, str]:
    """What has a server keep its proposals where it keeps its runs."""
    places = {
        name.replace("DPM_SUPPORTABILITY", "PROPOSAL"): value
        for name, value in variables.items()
        if name.startswith("DPM_SUPPORTABILITY_")
    }
    return {**variables, **places}


def a_creation() -> dict[str, Any]:
    return {"created_by": "advisor-1", "simulate_request": REQUEST, "metadata": {"title": "Switch"}}


def a_version() -> dict[str, Any]:
    return {"created_by": "advisor-2", "simulate_request": REQUEST}


def a_move(event_type: str, seen: str) -> dict[str, Any]:
    """An event, told by somebody who saw the proposal in that state."""
    return {"event_type": event_type, "actor_id": "advisor-1", "expected_state": seen}


def an_approval(approval_type: str, approved: bool) -> dict[str, Any]:
    """An approval given or refused by somebody who saw the proposal in the state this is done in."""
    return {
        "approval_type": approval_type,
        "approved": approved,
        "actor_id": "reviewer-1",
        "expected_state": APPROVED_BY[approval_type][1],
    }


class Desk:
    """Takes what advisers and reviewers say to one server after the other."""

    def __init__(self, session: aiohttp.ClientSession, bases: Sequence[str]) -> None:
        self._session = session
        self._bases = cycle(bases)

    async def create(self, key: str) -> Answer:
        return await self.say("", a_creation(), key)

    async def add_version(self, proposal_id: str, key: str | None = None) -> Answer:
        return await self.say(f"/{proposal_id}/versions", a_version(), key)

    async def move(self, proposal_id: str, event_type: str, seen: str, key: str | None = None) -> Answer:
        return await self.say(f"/{proposal_id}/transitions", a_move(event_type, seen), key)

    async def approve(
        self, proposal_id: str, approval_type: str, approved: bool, key: str | None = None
    ) -> Answer:
        return await self.say(f"/{proposal_id}/approvals", an_approval(approval_type, approved), key)

    async def say(self, path: str, document: Mapping[str, Any], key: str | None) -> Answer:
        headers = {} if key is None else {"Idempotency-Key": key}
        url = f"{next(self._bases)}{PROPOSALS}{path}"

        async def asked() -> Answer:
            async with self._session.post(url, json=document, headers=headers) as found:
                replayed = found.headers.get("Idempotent-Replayed") == "true"
                return Answer(found.status, replayed, await found.read(), found.headers.get("Retry-After"))

        return await unless_turned_away(asked)

    async def ask(self, path: str) -> Any:
        async with self._session.get(f"{next(self._bases)}{PROPOSALS}{path}") as found:
            assert found.status == 200, await found.read()
            return json.loads(await found.read())


def code_of(answer: Answer) -> tuple[int, str | None]:
    """The status of an answer, with the code of a refusal."""
    return answer.status, None if answer.status < 400 else json.loads(answer.body)["code"]


def require_sound(database: Database) -> dict[str, list[str]]:
    """Every proposal is what its events make of it, and each part of it is there with all that belongs to it.

    Gives the ids of the events of each proposal, in order.
    """
    with database.snapshot() as ask:
        events, versions = by_proposal(ask(EVENTS)), by_proposal(ask(VERSIONS))
        proposals = {row[0]: row[1:] for row in ask(KEPT)}
        assert events.keys() == versions.keys() == proposals.keys()
        for proposal_id, (state, version_no, revision) in proposals.items():
            told = events[proposal_id]
            assert [row[0] for row in told] == list(range(1, revision + 1)), proposal_id
            assert [row[0] for row in versions[proposal_id]] == list(range(1, version_no + 1)), proposal_id
            assert (state, version_no) == follow(told), proposal_id
        require_approvals(ask, events)
        require_keys(ask, proposals)
        require_lineage(ask, versions)
    return {proposal_id: [row[-1] for row in told] for proposal_id, told in events.items()}


def by_proposal(rows: Rows) -> dict[str, Rows]:
    """The rows of each proposal without its id, which comes first."""
    found: dict[str, Rows] = defaultdict(list)
    for proposal_id, *rest in rows:
        found[proposal_id].append(tuple(rest))
    return dict(found)


def follow(events: Rows) -> tuple[str, int]:
    """The state and the version that events lead to, each from where the one before led."""
    state, version_no = None, 0
    for _, event_type, from_state, to_state, _ in events:
        assert from_state == state and state not in ENDED, events
        if event_type in ("CREATED", "NEW_VERSION_CREATED"):
            assert (event_type == "CREATED") == (version_no == 0), events
            state, version_no = "DRAFT", version_no + 1
        else:
            state = "CANCELLED" if event_type == "CANCELLED" else LEADS_TO[state, event_type]
        assert to_state == state, events
    return state, version_no


def require_approvals(ask: Ask, events: Mapping[str, Rows]) -> None:
    """Each approval is of an event that says the same, and what is approved is in no event without one."""
    said = {
        (proposal_id, event_no): APPROVED_BY[kind][0] if approved else "REJECTED"
        for proposal_id, event_no, kind, approved in ask(APPROVALS)
    }
    told = {(proposal_id, row[0]): row[1] for proposal_id, rows in events.items() for row in rows}
    assert said.items() <= told.items()
    approving = {event for event, _ in APPROVED_BY.values()}
    assert {place for place, event in told.items() if event in approving} <= said.keys()


def require_keys(ask: Ask, proposals: Mapping[str, Sequence[Any]]) -> None:
    """Each key stands for something that is there, and each proposal was created under one key or by none."""
    created = []
    for family, scope, proposal_id, version_no in ask(KEYS):
        assert version_no <= proposals[proposal_id][1], proposal_id
        assert scope == ("" if family == "CREATE" else proposal_id)
        if family == "CREATE":
            created.append(proposal_id)
    assert sorted(created) == sorted(proposals)


def require_lineage(ask: Ask, versions: Mapping[str, Rows]) -> None:
    """Every artifact leads to its version and every version to the one before, and nothing else does."""
    ours = {row[1] for rows in versions.values() for row in rows}
    expected = []
    for rows in versions.values():
        expected += [(artifact_id, version_id) for _, version_id, artifact_id in rows]
        expected += [(row[1], before[1]) for before, row in pairwise(rows)]
    assert sorted(edge for edge in ask(EDGES) if edge[1] in ours) == sorted(expected)
