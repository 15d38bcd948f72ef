"""The life of a proposal, as a client sees it."""

import json

import pytest

from service.errors.storage import StoreUnavailable
from service.settings.process import UnknownFields
from service.web.feature_flags import FeatureFlags
from service.wiring import flows
from tests.unit.web.proposal_fixtures import (
    APPROVAL,
    DEPOSIT,
    EVENT,
    PROPOSALS,
    SUMMARY,
    VERSION,
    approved,
    created,
    creation,
    faults_of,
    moved,
    proposal_of,
    refused_with,
    simulation,
)

KEY = {"Idempotency-Key": "key-1"}
SWITCHED_OFF = "PROPOSAL_SIMULATION_DISABLED: set options.enable_proposal_simulation=true"
NOWHERE = f"{PROPOSALS}/pp_none"


async def test_a_creation_is_answered_with_all_that_came_of_it(start):
    client = await start()
    metadata = {"title": "Move to cash", "advisor_notes": "secret", "jurisdiction": "SG", "mandate_id": None}

    answer = await client.post(
        PROPOSALS, json=creation(metadata=metadata), headers=KEY | {"X-Correlation-Id": "corr-1"}
    )

    assert (answer.status, answer.content_type) == (200, "application/json")
    told = await answer.json()
    assert list(told) == ["proposal", "version", "latest_workflow_event"]
    proposal, version, event = told.values()
    assert (list(proposal), list(version), list(event)) == (SUMMARY, VERSION, EVENT)
    assert (proposal["current_state"], proposal["current_version_no"], proposal["revision"]) == (
        "DRAFT",
        1,
        1,
    )
    assert (proposal["title"], proposal["jurisdiction"], proposal["mandate_id"]) == (
        "Move to cash",
        "SG",
        None,
    )
    assert (version["status_at_creation"], version["proposal_result"]["status"]) == ("READY", "READY")
    assert version["evidence_bundle"] == version["artifact"]["evidence_bundle"] != {}
    assert (event["event_type"], event["from_state"], event["to_state"]) == ("CREATED", None, "DRAFT")
    assert event["reason"] == {"correlation_id": "corr-1"}
    assert b"secret" not in await answer.read()


async def test_a_drawn_correlation_id_is_not_the_reason_of_a_creation(start):
    client = await start()

    assert (await created(client))["latest_workflow_event"]["reason"] == {}


async def test_a_replayed_creation_is_the_first_answer_whatever_happened_since(start):
    client = await start()
    first = await client.post(PROPOSALS, json=creation(), headers=KEY)
    path = f"{PROPOSALS}/{(await first.json())['proposal']['proposal_id']}"
    assert (await moved(client, path, "CANCELLED", "DRAFT")).status == 200

    again = await client.post(PROPOSALS, json=creation(), headers=KEY)
    other = await client.post(PROPOSALS, json=creation(created_by="advisor_2"), headers=KEY)

    assert (again.headers["Idempotent-Replayed"], "Idempotent-Replayed" in first.headers) == ("true", False)
    assert await again.read() == await first.read()
    assert await refused_with(other, 409) == "IDEMPOTENCY_KEY_CONFLICT: request hash mismatch"


async def test_a_proposal_and_its_versions_are_looked_up_with_and_without_evidence(start):
    client = await start()
    told = await created(client)
    path = f"{PROPOSALS}/{told['proposal']['proposal_id']}"

    found = await (await client.get(path)).json()
    version = await (await client.get(f"{path}/versions/1")).json()
    bare = await (await client.get(f"{path}/versions/%201.0?include_evidence=no")).json()

    assert list(found) == ["proposal", "current_version", "last_gate_decision"]
    assert (found["proposal"], found["current_version"]) == (told["proposal"], told["version"])
    assert found["last_gate_decision"] == version["gate_decision"]
    assert version == told["version"]
    assert bare == version | {"evidence_bundle": {}}
    without = await (await client.get(f"{path}?include_evidence=off")).json()
    assert without["current_version"] == bare


async def test_a_version_is_added_and_its_key_replayed(start):
    client = await start()
    path = await proposal_of(client)
    asked = {"created_by": "advisor_2", "simulate_request": simulation(proposed_cash_flows=[DEPOSIT])}

    first = await client.post(f"{path}/versions", json=asked, headers={"Idempotency-Key": "v"})
    again = await client.post(f"{path}/versions", json=asked, headers={"Idempotency-Key": "v"})
    keyless = await client.post(f"{path}/versions", json=asked)
    stale = await client.post(f"{path}/versions", json=asked | {"expected_revision": 2})

    assert again.headers["Idempotent-Replayed"] == "true"
    assert await again.read() == await first.read()
    told = await first.json()
    assert (told["version"]["version_no"], told["proposal"]["revision"]) == (2, 2)
    assert (await keyless.json())["version"]["version_no"] == 3
    assert await refused_with(stale, 409) == "STATE_CONFLICT: expected_revision mismatch"


async def test_what_a_version_is_refused_with(start):
    client = await start()
    path = await proposal_of(client)
    version = {"created_by": "advisor_1", "simulate_request": simulation()}
    switched_off = version | {"simulate_request": simulation(options={})}
    book = {"portfolio_id": "pf_2", "base_currency": "SGD"}
    elsewhere = version | {"simulate_request": simulation(portfolio_snapshot=book)}

    async def refused(body, status):
        return await refused_with(await client.post(f"{path}/versions", json=body), status)

    assert await refused(switched_off, 422) == SWITCHED_OFF
    assert await refused(elsewhere, 422) == "PORTFOLIO_CONTEXT_MISMATCH"
    assert (await moved(client, path, "CANCELLED", "DRAFT")).status == 200
    assert await refused(switched_off, 422) == "PROPOSAL_TERMINAL_STATE: cannot create version"


async def test_a_proposal_walks_to_its_execution(start):
    client = await start()
    path = await proposal_of(client)

    submitted = await moved(
        client, path, "SUBMITTED_FOR_RISK_REVIEW", "DRAFT", reason={"note": "ok", "score": 1.50, "n": None}
    )
    risk = await approved(client, path, "RISK", "RISK_REVIEW", related_version_no=1, details={"at": 2.5})
    consent = await approved(client, path, "CLIENT_CONSENT", "AWAITING_CLIENT_CONSENT")
    executed = await moved(client, path, "EXECUTED", "EXECUTION_READY", expected_revision=4)

    told = await submitted.json()
    assert list(told) == ["proposal_id", "current_state", "latest_workflow_event", "approval"]
    assert (told["current_state"], told["approval"]) == ("RISK_REVIEW", None)
    assert told["latest_workflow_event"]["reason"] == {"note": "ok", "score": 1.5, "n": None}
    told = await risk.json()
    assert list(told["approval"]) == APPROVAL
    assert told["approval"]["details"] == told["latest_workflow_event"]["reason"] == {"at": 2.5}
    assert told["approval"]["related_version_no"] == 1
    assert (await consent.json())["current_state"] == "EXECUTION_READY"
    assert (await executed.json())["current_state"] == "EXECUTED"


async def test_keys_of_transitions_and_approvals_are_replayed(start):
    client = await start()
    path = await proposal_of(client)
    event = {
        "event_type": "SUBMITTED_FOR_RISK_REVIEW",
        "actor_id": "advisor_1",
        "expected_state": "DRAFT",
    }
    approval = {
        "approval_type": "RISK",
        "approved": False,
        "actor_id": "officer_1",
        "expected_state": "RISK_REVIEW",
    }

    for place, asked in (("transitions", event), ("approvals", approval)):
        first = await client.post(f"{path}/{place}", json=asked, headers=KEY)
        again = await client.post(f"{path}/{place}", json=asked, headers=KEY)
        other = await client.post(f"{path}/{place}", json=asked | {"actor_id": "x"}, headers=KEY)
        empty = await client.post(f"{path}/{place}", json=asked, headers={"Idempotency-Key": ""})

        assert (first.status, "Idempotent-Replayed" in first.headers) == (200, False)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert await again.read() == await first.read()
        assert await refused_with(other, 409) == "IDEMPOTENCY_KEY_CONFLICT: request hash mismatch"
        assert await faults_of(empty) == [("string_pattern_mismatch", ("header", "Idempotency-Key"))]


async def test_what_a_transition_and_an_approval_are_refused_with(start):
    client = await start()
    path = await proposal_of(client)

    assert await refused_with(await moved(client, path, "EXECUTED", "DRAFT"), 422) == "INVALID_TRANSITION"
    stale = await moved(client, path, "CANCELLED", "RISK_REVIEW")
    assert await refused_with(stale, 409) == "STATE_CONFLICT: expected_state mismatch"
    unsaid = await moved(client, path, "CANCELLED", None)
    assert await refused_with(unsaid, 409) == "STATE_CONFLICT: expected_state is required"
    assert await refused_with(await approved(client, path, "RISK", "DRAFT"), 422) == "INVALID_APPROVAL_STATE"
    far = await moved(client, path, "CANCELLED", "DRAFT", related_version_no=99)
    assert await refused_with(far, 422) == "PROPOSAL_VERSION_MISMATCH"


async def test_what_is_not_there_is_told_by_its_code(start):
    client = await start()
    path = await proposal_of(client)
    version = {"created_by": "a", "simulate_request": simulation()}

    for answer, code in (
        (await client.get(NOWHERE), "PROPOSAL_NOT_FOUND"),
        (await client.get(f"{PROPOSALS}/pp%00"), "PROPOSAL_NOT_FOUND"),
        (await client.get(f"{PROPOSALS}/pp%ff"), "PROPOSAL_NOT_FOUND"),
        (await client.get(f"{NOWHERE}/versions/1"), "PROPOSAL_VERSION_NOT_FOUND"),
        (await client.get(f"{path}/versions/2"), "PROPOSAL_VERSION_NOT_FOUND"),
        (await client.get(f"{path}/versions/{2**31}"), "PROPOSAL_VERSION_NOT_FOUND"),
        (await client.get(f"{path}/versions/{10**40}"), "PROPOSAL_VERSION_NOT_FOUND"),
        (await client.post(f"{NOWHERE}/versions", json=version), "PROPOSAL_NOT_FOUND"),
        (await moved(client, NOWHERE, "CANCELLED", "DRAFT"), "PROPOSAL_NOT_FOUND"),
        (await approved(client, NOWHERE, "RISK", "RISK_REVIEW"), "PROPOSAL_NOT_FOUND"),
    ):
        assert await refused_with(answer, 404) == code


async def test_the_list_is_newest_first_filtered_and_paged(start):
    client = await start()
    ids = [
        (await created(client, f"key-{n}", created_by=f"advisor_{n % 2}"))["proposal"]["proposal_id"]
        for n in range(3)
    ]
    assert (await moved(client, f"{PROPOSALS}/{ids[0]}", "CANCELLED", "DRAFT")).status == 200

    async def listed(**query):
        page = await (await client.get(PROPOSALS, params=query)).json()
        assert list(page) == ["items", "next_cursor"]
        assert all(list(item) == SUMMARY for item in page["items"])
        return [item["proposal_id"] for item in page["items"]], page["next_cursor"]

    assert await listed() == (ids[::-1], None)
    assert await listed(limit=2) == ([ids[2], ids[1]], ids[1])
    assert await listed(limit=2, cursor=ids[1]) == ([ids[0]], None)
    assert await listed(state="CANCELLED") == ([ids[0]], None)
    assert await listed(created_by="advisor_0") == ([ids[2], ids[0]], None)
    for nothing in (
        {"state": "NONE"},
        {"portfolio_id": "pf_2"},
        {"cursor": ""},
        {"cursor": "pp_none"},
        {"created_to": "2000-01-01"},
        {"created_from": "2999-01-01T00:00:00+08:00"},
    ):
        assert await listed(**nothing) == ([], None)
    # Only the names of the contract count.
    assert await listed(**{"from": "2999-01-01", "status": "NONE"}) == (ids[::-1], None)


async def test_what_a_query_or_a_path_has_wrong_is_listed(start):
    client = await start()

    listed = await client.get(PROPOSALS, params={"limit": 101, "created_from": "x"})
    looked_up = await client.get(f"{NOWHERE}/versions/async?include_evidence=maybe")
    first = await client.get(f"{NOWHERE}/versions/0")
    single = await client.get(f"{NOWHERE}?include_evidence=")

    assert await faults_of(listed) == [
        ("datetime_from_date_parsing", ("query", "created_from")),
        ("less_than_equal", ("query", "limit")),
    ]
    assert await faults_of(looked_up) == [
        ("int_parsing", ("path", "version_no")),
        ("bool_parsing", ("query", "include_evidence")),
    ]
    assert await faults_of(first) == [("greater_than_equal", ("path", "version_no"))]
    assert await faults_of(single) == [("bool_parsing", ("query", "include_evidence"))]


TRANSITION = {"event_type": "CREATED", "actor_id": "a"}
APPROVE = {"approval_type": "RISK", "approved": True, "actor_id": "a"}


@pytest.mark.parametrize(
    ("place", "asked", "wrong", "fault"),
    [
        ("transitions", TRANSITION, {"event_type": "DONE"}, "literal_error"),
        ("transitions", TRANSITION, {"expected_state": "NONE"}, "literal_error"),
        ("transitions", TRANSITION, {"actor_id": None}, "string_type"),
        ("transitions", TRANSITION, {"reason": None}, "dict_type"),
        ("transitions", TRANSITION, {"related_version_no": 1.5}, "int_from_float"),
        ("transitions", TRANSITION, {"related_version_no": 2**31}, "less_than_equal"),
        ("transitions", TRANSITION, {"expected_revision": "x"}, "int_parsing"),
        ("approvals", APPROVE, {"approval_type": "LEGAL"}, "literal_error"),
        ("approvals", APPROVE, {"approved": None}, "bool_type"),
        ("approvals", APPROVE, {"details": []}, "dict_type"),
        ("approvals", APPROVE, {"related_version_no": -(2**31)}, "greater_than_equal"),
        ("versions", creation(), {"created_by": 1}, "string_type"),
        ("versions", creation(), {"simulate_request": None}, "model_attributes_type"),
    ],
)
async def test_what_a_body_has_wrong_is_listed(start, place, asked, wrong, fault):
    client = await start()

    refused = await client.post(f"{NOWHERE}/{place}", json=asked | wrong)

    assert await faults_of(refused) == [(fault, ("body", next(iter(wrong))))]


async def test_a_body_is_read_as_leniently_as_any_other(start):
    client = await start()
    path = await proposal_of(client)
    submitted = await moved(
        client, path, "SUBMITTED_FOR_RISK_REVIEW", "DRAFT", related_version_no=" 1.0 ", note="unknown"
    )

    answer = await approved(client, path, "RISK", "RISK_REVIEW", approved="no", related_version_no=1.0)

    assert (await submitted.json())["latest_workflow_event"]["related_version_no"] == 1
    told = await answer.json()
    assert (told["current_state"], told["approval"]["approved"]) == ("REJECTED", False)


@pytest.mark.parametrize(
    ("place", "asked"),
    [
        ("", creation()),
        ("/pp_1/versions", creation()),
        ("/pp_1/transitions", TRANSITION),
        ("/pp_1/approvals", APPROVE),
    ],
)
async def test_unknown_fields_are_refused_where_the_process_is_told_to(start, place, asked):
    strict = await start(unknown_fields=UnknownFields.REJECT)

    refused = await strict.post(PROPOSALS + place, json=asked | {"note": "x"}, headers=KEY)

    assert ("extra_forbidden", ("body", "note")) in await faults_of(refused)


@pytest.mark.parametrize(
    ("method", "place", "body"),
    [
        ("POST", "", creation()),
        ("GET", "", None),
        ("GET", "/pp_1", None),
        ("GET", "/pp_1/versions/1", None),
        ("POST", "/pp_1/versions", creation()),
        ("POST", "/pp_1/transitions", TRANSITION),
        ("POST", "/pp_1/approvals", APPROVE),
    ],
)
async def test_a_shut_gate_hides_everything_but_what_a_request_has_wrong(
    start, monkeypatch, method, place, body
):
    monkeypatch.setattr(flows, "gates_of", lambda _: FeatureFlags(proposals_enabled=False))
    client = await start()

    refused = await client.request(method, PROPOSALS + place, json=body, headers=KEY)

    assert await refused_with(refused, 404) == "PROPOSAL_WORKFLOW_LIFECYCLE_DISABLED"
    if body is not None:
        invalid = await client.post(PROPOSALS + place, json=[], headers=KEY)
        assert await faults_of(invalid) == [("model_attributes_type", ("body",))]


async def test_a_creation_without_a_key_is_told_of_its_body_too(start):
    client = await start()

    refused = await client.post(PROPOSALS, json=creation(created_by=None, metadata={"title": 1}))

    assert await faults_of(refused) == [
        ("missing", ("header", "Idempotency-Key")),
        ("string_type", ("body", "created_by")),
        ("string_type", ("body", "metadata", "title")),
    ]


async def test_a_store_that_is_away_is_told_by_the_code_of_proposals(start, store, monkeypatch):
    client = await start()

    async def away(*_, **__):
        raise StoreUnavailable()

    monkeypatch.setattr(store.proposals, "get", away)
    monkeypatch.setattr(store.dpm_runs, "get", away)

    assert await refused_with(await client.get(NOWHERE), 503) == "PROPOSAL_POSTGRES_CONNECTION_FAILED"
    other = await client.get("/rebalance/runs/rr_1")
    assert await refused_with(other, 503) == "DPM_SUPPORTABILITY_STORE_UNAVAILABLE"


async def test_documents_are_answered_as_they_are_kept(start):
    client = await start()
    path = await proposal_of(client)

    body = await (await client.get(path)).read()

    version = json.loads(body)["current_version"]
    assert json.dumps(version["artifact"], separators=(",", ":"), ensure_ascii=False).encode() in body
