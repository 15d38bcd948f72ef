"""The same acts on proposals get the same bytes from every store: answers, replays, refusals, lists."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from service.settings.process import ArtifactMode
from tests.e2e.proposal_fixtures import PROPOSALS, REQUEST, a_creation, a_move, a_version, an_approval
from tests.e2e.test_equal_answers import Sides, sides
from tests.waiting import until

PACKS = ("goldens", "advisory-generated")
# All in the full form; enough to meet every kind of them otherwise.
STRIDE_IN_SMALL = 16


@pytest.fixture
async def asked(tmp_path, new_durable_database) -> AsyncIterator[Sides]:
    async with sides(ArtifactMode.DERIVED, tmp_path / "equal.db", new_durable_database().dsn) as found:
        yield found


@pytest.mark.faults
async def test_every_store_answers_the_life_of_a_proposal_with_the_same_bytes(asked):
    created = await said(asked, "", a_creation(), key="life")
    assert await said(asked, "", a_creation(), key="life") == created
    await said(asked, "", a_creation() | {"created_by": "another"}, key="life")
    path = f"/{json.loads(created)['proposal']['proposal_id']}"

    for document, key in (
        (a_move("RISK_APPROVED", "DRAFT"), None),
        (a_move("SUBMITTED_FOR_RISK_REVIEW", "DRAFT"), "submitted"),
        (a_move("SUBMITTED_FOR_RISK_REVIEW", "DRAFT"), "submitted"),
        (a_move("RISK_APPROVED", "RISK_REVIEW"), None),
    ):
        await said(asked, f"{path}/transitions", document, key)
    await said(
        asked, f"{path}/approvals", an_approval("RISK", True) | {"details": {"note": "Zürich"}}, "risk"
    )
    await said(asked, f"{path}/versions", a_version() | {"expected_revision": 2}, "stale")
    await said(asked, f"{path}/versions", a_version(), "second")
    await said(asked, f"{path}/versions", a_version(), "second")
    await said(asked, f"{path}/transitions", a_move("SUBMITTED_FOR_COMPLIANCE_REVIEW", "DRAFT"), None)
    await said(asked, f"{path}/approvals", an_approval("COMPLIANCE", True), None)
    await said(asked, f"{path}/approvals", an_approval("CLIENT_CONSENT", True), "consent")
    executed = await said(asked, f"{path}/transitions", a_move("EXECUTED", "EXECUTION_READY"), None)
    await said(asked, f"{path}/versions", a_version(), None)

    assert json.loads(executed)["current_state"] == "EXECUTED"
    await looked_at(asked, path)
    await asked.ask("GET", f"{PROPOSALS}/idempotency/life")


@pytest.mark.faults
async def test_every_store_answers_accepted_work_with_the_same_bytes(asked):
    created = await done(asked, "/async", a_creation(), key="later")
    path = f"/{created['result']['proposal']['proposal_id']}"
    again = await done(asked, "/async", a_creation(), key="later")
    conflict = await done(asked, "/async", a_creation() | {"created_by": "another"}, key="later")
    versioned = await done(asked, f"{path}/versions/async", a_version())
    nowhere = await done(asked, "/pp_nobody/versions/async", a_version())

    assert again["result"] == created["result"]
    assert conflict["error"]["code"] == "ProposalIdempotencyConflictError"
    assert versioned["result"]["version"]["version_no"] == 2
    assert nowhere["error"]["code"] == "ProposalNotFoundError"
    await looked_at(asked, path)


@pytest.mark.faults
async def test_every_store_lists_proposals_with_the_same_bytes(asked):
    portfolio_id = REQUEST["portfolio_snapshot"]["portfolio_id"]
    for number in range(7):
        created = await said(asked, "", a_creation() | {"created_by": f"advisor-{number % 2}"}, f"l-{number}")
        if number % 3 == 0:
            path = f"/{json.loads(created)['proposal']['proposal_id']}/transitions"
            await said(asked, path, a_move("CANCELLED", "DRAFT"), None)

    for query, expected in (
        ("", 7),
        ("state=CANCELLED&", 3),
        ("created_by=advisor-1&", 3),
        (f"portfolio_id={portfolio_id}&", 7),
        ("state=DRAFT&created_by=advisor-0&", 2),
        ("state=NOWHERE&", 0),
    ):
        found = []
        page = await asked.get(f"{PROPOSALS}?{query}limit=2")
        found += page["items"]
        while page["next_cursor"]:
            page = await asked.get(f"{PROPOSALS}?{query}limit=2&cursor={page['next_cursor']}")
            found += page["items"]
        assert len(found) == expected, query
        assert all(after["created_at"] < before["created_at"] for before, after in pairwise(found))


@pytest.mark.slow
@pytest.mark.faults
async def test_every_store_answers_what_was_recorded_with_the_same_bytes(asked, conformance, faults_in_full):
    requests = requests_of(conformance)[:: 1 if faults_in_full else STRIDE_IN_SMALL]

    for number, (case, request) in enumerate(requests):
        for endpoint in ("/simulate", "/artifact"):
            for _ in range(2):
                await said(asked, endpoint, request, key=case)
        created = json.loads(
            await said(asked, "", a_creation() | {"simulate_request": request}, f"create-{number}")
        )
        if "proposal" in created:
            path = f"/{created['proposal']['proposal_id']}"
            await said(asked, f"{path}/versions", a_version() | {"simulate_request": request}, None)
            await looked_at(asked, path)

    print(f"{len(requests)} recorded requests")


async def said(asked: Sides, path: str, document: dict[str, Any], key: str | None) -> bytes:
    """The one answer of all stores, whether the act was taken or refused."""
    headers = {"X-Correlation-Id": "corr:equal"} | ({} if key is None else {"Idempotency-Key": key})
    return await asked.ask("POST", f"{PROPOSALS}{path}", json=document, headers=headers)


async def done(asked: Sides, path: str, document: dict[str, Any], key: str | None = None) -> dict[str, Any]:
    """The end of what was accepted, once every store has come to it."""
    accepted = json.loads(await said(asked, path, document, key))
    for client in asked.clients.values():
        await until(partial(has_ended, client, accepted["status_url"]))
    by_correlation = await asked.get(f"{PROPOSALS}/operations/by-correlation/{accepted['correlation_id']}")
    ended: dict[str, Any] = await asked.get(accepted["status_url"])
    assert by_correlation == ended
    return ended


async def has_ended(client: TestClient[Any, Any], status_url: str) -> bool:
    async with client.get(status_url, headers={"X-Correlation-Id": "c"}) as found:
        return (await found.json())["status"] in ("SUCCEEDED", "FAILED")


async def looked_at(asked: Sides, path: str) -> None:
    """Everything that can be asked about one proposal."""
    for more in (
        "",
        "?include_evidence=false",
        "/workflow-events",
        "/approvals",
        "/versions/2",
        "/versions/9",
    ):
        await asked.ask("GET", f"{PROPOSALS}{path}{more}")
    lineage = await asked.get(f"{PROPOSALS}{path}/lineage")
    versions = [row["proposal_version_id"] for row in lineage["versions"]]
    assert len(versions) == len(set(versions)) > 0
    for version_id in versions:
        edges = await asked.get(f"/rebalance/lineage/{version_id}?depth=3")
        assert edges["edges"], version_id


def requests_of(conformance: Path) -> list[tuple[str, dict[str, Any]]]:
    """The recorded requests to simulate proposals, each with the id of its case."""
    cases = []
    for pack in PACKS:
        with gzip.open(conformance / f"{pack}.jsonl.gz", "rt", encoding="utf-8") as lines:
            cases += [json.loads(line) for line in lines]
    return [(case["id"], case["request"]) for case in cases if case["endpoint"].startswith(PROPOSALS)]
