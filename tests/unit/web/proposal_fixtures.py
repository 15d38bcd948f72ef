"""Proposals as a client brings them about."""

from __future__ import annotations

from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient

PROPOSALS = "/rebalance/proposals"
DEPOSIT = {"currency": "SGD", "amount": "5.00"}
SUMMARY = [
    "proposal_id",
    "portfolio_id",
    "mandate_id",
    "jurisdiction",
    "created_by",
    "created_at",
    "last_event_at",
    "current_state",
    "current_version_no",
    "title",
    "revision",
]
VERSION = [
    "proposal_version_id",
    "proposal_id",
    "version_no",
    "created_at",
    "request_hash",
    "artifact_hash",
    "simulation_hash",
    "status_at_creation",
    "proposal_result",
    "artifact",
    "evidence_bundle",
    "gate_decision",
]
EVENT = [
    "event_id",
    "proposal_id",
    "event_type",
    "from_state",
    "to_state",
    "actor_id",
    "occurred_at",
    "reason",
    "related_version_no",
]
APPROVAL = [
    "approval_id",
    "proposal_id",
    "approval_type",
    "approved",
    "actor_id",
    "occurred_at",
    "details",
    "related_version_no",
]

Client = TestClient[Any, Any]


def simulation(**changes: Any) -> dict[str, Any]:
    """A request that simulates to READY."""
    return {
        "portfolio_snapshot": {
            "portfolio_id": "pf_1",
            "base_currency": "SGD",
            "cash_balances": [{"currency": "SGD", "amount": "10.00"}],
        },
        "market_data_snapshot": {},
        "shelf_entries": [],
        "options": {"enable_proposal_simulation": True},
    } | changes


def creation(**changes: Any) -> dict[str, Any]:
    return {"created_by": "advisor_1", "simulate_request": simulation()} | changes


async def created(client: Client, key: str = "key-1", **changes: Any) -> dict[str, Any]:
    """The answer to a creation."""
    answer = await client.post(PROPOSALS, json=creation(**changes), headers={"Idempotency-Key": key})
    assert answer.status == 200, await answer.text()
    told: dict[str, Any] = await answer.json()
    return told


async def proposal_of(client: Client, key: str = "key-1", **changes: Any) -> str:
    """Where a proposal that was created is found."""
    told = await created(client, key, **changes)
    return f"{PROPOSALS}/{told['proposal']['proposal_id']}"


async def moved(client: Client, path: str, event_type: str, state: str, **more: Any) -> ClientResponse:
    """The answer to an event that is asked for in a state."""
    asked = {"event_type": event_type, "actor_id": "advisor_1", "expected_state": state}
    return await client.post(f"{path}/transitions", json=asked | more)


async def approved(client: Client, path: str, kind: str, state: str, **more: Any) -> ClientResponse:
    asked = {"approval_type": kind, "approved": True, "actor_id": "officer_1", "expected_state": state}
    return await client.post(f"{path}/approvals", json=asked | more)


async def faults_of(answer: ClientResponse) -> list[tuple[str, tuple[Any, ...]]]:
    """The kinds and places of what a request has wrong."""
    problem = await answer.json()
    assert (answer.status, problem["code"]) == (422, "REQUEST_VALIDATION_FAILED"), problem
    return [(entry["type"], tuple(entry["loc"])) for entry in problem["detail"]]


async def refused_with(answer: ClientResponse, status: int) -> str:
    """The detail of an answer that refuses with that status; it begins with the code."""
    problem = await answer.json()
    assert (answer.status, answer.content_type) == (status, "application/problem+json"), problem
    detail: str = problem["detail"]
    assert detail.partition(":")[0] == problem["code"]
    return detail
