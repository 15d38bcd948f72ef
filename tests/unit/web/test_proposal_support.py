"""What can be looked up about a proposal, and how proposals say they are set up."""

import pytest

from service.errors.storage import PostgresDsnRequired, PostgresUnavailable
from service.web import app
from service.web.feature_flags import FeatureFlags
from service.wiring import flows
from tests.unit.web.proposal_fixtures import (
    APPROVAL,
    DEPOSIT,
    EVENT,
    PROPOSALS,
    SUMMARY,
    approved,
    created,
    creation,
    moved,
    proposal_of,
    refused_with,
    simulation,
)

CONFIG = f"{PROPOSALS}/supportability/config"
READS = ("workflow-events", "approvals", "lineage")


async def test_the_timeline_has_every_event_in_its_order(start):
    client = await start()
    path = await proposal_of(client)
    await moved(client, path, "SUBMITTED_FOR_COMPLIANCE_REVIEW", "DRAFT")
    await approved(client, path, "COMPLIANCE", "COMPLIANCE_REVIEW", approved=False, details={"why": "no"})

    timeline = await (await client.get(f"{path}/workflow-events")).json()
    approvals = await (await client.get(f"{path}/approvals")).json()

    assert list(timeline) == ["proposal_id", "current_state", "events", "next_cursor"]
    assert timeline["current_state"] == "REJECTED"
    assert [event["event_type"] for event in timeline["events"]] == [
        "CREATED",
        "SUBMITTED_FOR_COMPLIANCE_REVIEW",
        "REJECTED",
    ]
    assert all(list(event) == EVENT for event in timeline["events"])
    assert list(approvals) == ["proposal_id", "approvals", "next_cursor"]
    (approval,) = approvals["approvals"]
    assert list(approval) == APPROVAL
    assert (approval["approved"], approval["details"]) == (False, {"why": "no"})


async def test_the_lineage_has_the_versions_from_the_first(start):
    client = await start()
    told = await created(client)
    path = f"{PROPOSALS}/{told['proposal']['proposal_id']}"
    asked = {"created_by": "advisor_1", "simulate_request": simulation(proposed_cash_flows=[DEPOSIT])}
    second = await (await client.post(f"{path}/versions", json=asked)).json()

    lineage = await (await client.get(f"{path}/lineage")).json()

    assert list(lineage) == ["proposal", "versions", "edges", "next_cursor"]
    assert list(lineage["proposal"]) == SUMMARY and lineage["proposal"] == second["proposal"]
    shown = [
        "proposal_version_id",
        "version_no",
        "created_at",
        "status_at_creation",
        "request_hash",
        "simulation_hash",
        "artifact_hash",
    ]
    assert [list(version.items()) for version in lineage["versions"]] == [
        [(name, brought["version"][name]) for name in shown] for brought in (told, second)
    ]


async def test_a_key_is_looked_up_by_the_name_of_any_route(start):
    client = await start()

    for key in ("key-1", "approvals", "lineage", "workflow-events", "a/b"):
        told = await created(client, key)
        found = await (await client.get(f"{PROPOSALS}/idempotency/{key.replace('/', '%2F')}")).json()
        assert list(found.items()) == [
            ("idempotency_key", key),
            ("request_hash", told["version"]["request_hash"]),
            ("proposal_id", told["proposal"]["proposal_id"]),
            ("proposal_version_no", 1),
            ("created_at", told["proposal"]["created_at"]),
        ]
    missing = await client.get(f"{PROPOSALS}/idempotency/key-2")
    assert await refused_with(missing, 404) == "PROPOSAL_IDEMPOTENCY_KEY_NOT_FOUND"


async def test_what_is_no_route_of_its_own_is_the_id_of_a_proposal(start):
    client = await start()

    for name in ("simulate", "artifact", "async", "operations", "idempotency", "supportability", "a%2Fb"):
        assert await refused_with(await client.get(f"{PROPOSALS}/{name}"), 404) == "PROPOSAL_NOT_FOUND"
    for read in READS:
        assert await refused_with(await client.get(f"{PROPOSALS}/pp_1/{read}"), 404) == "PROPOSAL_NOT_FOUND"
    nowhere = await (await client.get(f"{PROPOSALS}/pp_1/notes")).json()
    assert (nowhere["status"], nowhere["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("gates", "code"),
    [
        (FeatureFlags(proposal_support_apis_enabled=False), "PROPOSAL_SUPPORT_APIS_DISABLED"),
        (
            FeatureFlags(proposals_enabled=False, proposal_support_apis_enabled=False),
            "PROPOSAL_WORKFLOW_LIFECYCLE_DISABLED",
        ),
    ],
)
async def test_shut_gates_hide_all_but_the_configuration(start, monkeypatch, gates, code):
    monkeypatch.setattr(flows, "gates_of", lambda _: gates)
    client = await start()

    for path in (*(f"pp_1/{read}" for read in READS), "idempotency/key-1"):
        assert await refused_with(await client.get(f"{PROPOSALS}/{path}"), 404) == code
    config = await (await client.get(CONFIG)).json()
    assert config["lifecycle_enabled"] is gates.proposals_enabled
    assert config["support_apis_enabled"] is False


async def test_the_configuration_tells_how_proposals_are_set_up(start):
    client = await start()

    answer = await client.get(CONFIG)

    assert list((await answer.json()).items()) == [
        ("store_backend", "IN_MEMORY"),
        ("backend_ready", True),
        ("backend_init_error", None),
        ("lifecycle_enabled", True),
        ("support_apis_enabled", True),
        ("async_operations_enabled", True),
        ("store_evidence_bundle", True),
        ("require_expected_state", True),
        ("allow_portfolio_id_change_on_new_version", False),
        ("require_proposal_simulation_flag", True),
    ]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PostgresDsnRequired, "PROPOSAL_POSTGRES_DSN_REQUIRED"),
        (PostgresUnavailable, "PROPOSAL_POSTGRES_CONNECTION_FAILED"),
    ],
)
async def test_the_configuration_is_answered_when_the_store_is_not_there(
    start, store, monkeypatch, error, code
):
    client = await start()

    async def away():
        raise error()

    monkeypatch.setattr(store, "check", away)
    answer = await client.get(CONFIG)

    assert answer.status == 200
    config = await answer.json()
    assert (config["backend_ready"], config["backend_init_error"]) == (False, code)


async def test_a_store_without_an_address_is_told_where_proposals_are_kept_and_nowhere_else(
    start, monkeypatch
):
    build = app.build
    missing = PostgresDsnRequired()
    monkeypatch.setattr(app, "build", lambda **how: build(**how | {"proposal_store_missing": missing}))
    client = await start()
    key = {"Idempotency-Key": "key-1"}

    for method, path in (("GET", "?limit=none"), ("GET", "/pp_1"), ("POST", ""), ("POST", "/async")):
        refused = await client.request(method, PROPOSALS + path, json={}, headers=key)
        assert await refused_with(refused, 503) == "PROPOSAL_POSTGRES_DSN_REQUIRED"
        assert refused.headers["Retry-After"] == "1"
    # What reaches its store last is told what is wrong with the request first.
    for path in ("simulate", "artifact"):
        assert (await client.post(f"{PROPOSALS}/{path}", json={}, headers=key)).status == 422
    assert (await client.get(CONFIG)).status == 200
    assert (await client.get("/rebalance/runs")).status == 200


async def test_methods_that_are_not_served_are_told(start):
    client = await start()

    for path, allowed in (
        ("", "GET, POST"),
        ("/pp_1", "GET"),
        ("/pp_1/versions", "POST"),
        ("/pp_1/versions/1", "GET"),
        ("/pp_1/transitions", "POST"),
        ("/pp_1/approvals", "GET, POST"),
        ("/supportability/config", "GET"),
    ):
        refused = await client.put(PROPOSALS + path, json=creation())
        served = allowed.replace("GET", "GET, HEAD")
        assert (refused.status, refused.headers["Allow"]) == (405, served)


async def test_a_timeline_is_walked_with_its_cursor(start):
    client = await start()
    found = await proposal_of(client)
    for _ in range(2):
        assert (await client.post(f"{found}/versions", json=creation())).status == 200
    for name, rows in (("workflow-events", "events"), ("lineage", "versions")):
        path, walked, cursor = f"{found}/{name}", [], ""
        whole = await (await client.get(path)).json()
        while cursor is not None:
            query = {"limit": "1"} | ({"cursor": cursor} if cursor else {})
            page = await (await client.get(path, params=query)).json()
            assert len(page[rows]) == 1
            walked += page[rows]
            cursor = page["next_cursor"]
        assert walked == whole[rows]
        assert whole["next_cursor"] is None
        assert (await client.get(path, params={"limit": "1001"})).status == 422
