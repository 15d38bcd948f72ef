"""Creations and versions of proposals accepted for later, as a client sees them."""

import msgspec
import pytest

from service.domains.operations import Ending, OperationError, OperationType
from service.domains.proposals.tasks import ProposalTask
from service.web.feature_flags import FeatureFlags
from service.wiring import flows
from tests.integration.contract.builders import AT, after
from tests.unit.web.proposal_fixtures import PROPOSALS, creation, faults_of, refused_with, simulation
from tests.unit.web.stored_operations import StoppedClock, claimed, submitted
from tests.waiting import until

ASYNC, OPERATIONS = f"{PROPOSALS}/async", f"{PROPOSALS}/operations"
HEADERS = {"Idempotency-Key": "key-1", "X-Correlation-Id": "corr-1"}
VERSION = {"created_by": "advisor_2", "simulate_request": simulation()}


async def waiting(store, operation_id, **fields):
    """A creation, or a version, that nobody has begun."""
    task = {"created_by": "advisor_1", "idempotency_key": "key-1", "proposal_id": None} | fields
    request = ProposalTask(**task, correlation_sent=None, body=msgspec.Raw(b"{}")).written()
    kind = OperationType.CREATE_PROPOSAL if task["idempotency_key"] else OperationType.CREATE_PROPOSAL_VERSION
    await submitted(
        store,
        operation_id,
        operation_type=kind,
        request=request,
        correlation_id="corr-1",
        scenarios_total=0,
    )


async def accepted(client, path, body, headers):
    answer = await client.post(path, json=body, headers=headers)
    assert (answer.status, answer.content_type) == (202, "application/json"), await answer.text()
    return await answer.json()


async def test_a_creation_is_accepted_and_its_caller_told_where_to_look(start):
    client = await start(clock=StoppedClock())

    told = await accepted(client, ASYNC, creation(), HEADERS)

    operation_id = told["operation_id"]
    assert operation_id.startswith("pop_") and len(operation_id) == 36
    assert list(told.items()) == [
        ("operation_id", operation_id),
        ("operation_type", "CREATE_PROPOSAL"),
        ("status", "PENDING"),
        ("correlation_id", "corr-1"),
        ("created_at", AT.isoformat()),
        ("status_url", f"{OPERATIONS}/{operation_id}"),
    ]


async def test_a_version_is_accepted_whether_or_not_there_is_such_a_proposal(start):
    client = await start()

    told = await accepted(client, f"{PROPOSALS}/pp_none/versions/async", VERSION, {})
    found = await (await client.get(told["status_url"])).json()

    assert told["operation_type"] == "CREATE_PROPOSAL_VERSION"
    assert told["correlation_id"].startswith("corr_")
    assert (found["proposal_id"], found["idempotency_key"]) == ("pp_none", None)
    assert found["created_by"] == "advisor_2"


async def test_what_waits_knows_its_key_and_creator_and_no_proposal(start, store):
    client = await start(clock=StoppedClock())
    await waiting(store, "pop_1")

    found = await (await client.get(f"{OPERATIONS}/pop_1")).json()
    same = await (await client.get(f"{OPERATIONS}/by-correlation/corr-1")).json()

    assert list(found.items()) == [
        ("operation_id", "pop_1"),
        ("operation_type", "CREATE_PROPOSAL"),
        ("status", "PENDING"),
        ("correlation_id", "corr-1"),
        ("idempotency_key", "key-1"),
        ("proposal_id", None),
        ("created_by", "advisor_1"),
        ("created_at", AT.isoformat()),
        ("started_at", None),
        ("finished_at", None),
        ("result", None),
        ("error", None),
        ("attempt", 0),
        ("lease_owner", None),
        ("lease_expires_at", None),
        ("last_error", None),
    ]
    assert same == found


async def test_what_has_succeeded_names_the_proposal_of_its_result(start, store):
    client = await start(clock=StoppedClock())
    await waiting(store, "pop_1")
    answer = await client.post(PROPOSALS, json=creation(), headers=HEADERS)
    result = await answer.read()
    claim = await claimed(store, "pop_1", 1)

    await store.operations.finish(claim, Ending(finished_at=after(2), result=result))

    looked_up = await client.get(f"{OPERATIONS}/pop_1")
    found = await looked_up.json()
    assert found["status"] == "SUCCEEDED" and found["result"] == await answer.json()
    assert found["proposal_id"] == found["result"]["proposal"]["proposal_id"]
    assert result in await looked_up.read()
    assert (found["started_at"], found["finished_at"]) == (after(1).isoformat(), after(2).isoformat())


async def test_what_has_failed_says_why(start, store):
    client = await start(clock=StoppedClock())
    await waiting(store, "pop_1", idempotency_key=None, proposal_id="pp_1")
    claim = await claimed(store, "pop_1", 1)
    error = OperationError("ProposalNotFoundError", "PROPOSAL_NOT_FOUND")

    await store.operations.finish(claim, Ending(finished_at=after(2), error=error))

    found = await (await client.get(f"{OPERATIONS}/pop_1")).json()
    assert (found["status"], found["result"], found["proposal_id"]) == ("FAILED", None, "pp_1")
    assert list(found["error"].items()) == [
        ("code", "ProposalNotFoundError"),
        ("message", "PROPOSAL_NOT_FOUND"),
    ]


async def test_what_is_accepted_is_done_without_anybody_asking(start):
    client = await start()
    told = await accepted(client, ASYNC, creation(), HEADERS)

    async def ended():
        found = await (await client.get(told["status_url"])).json()
        return found["finished_at"] and found

    found = await until(ended)

    assert found["status"] == "SUCCEEDED"
    replayed = await client.post(PROPOSALS, json=creation(), headers=HEADERS)
    assert replayed.headers["Idempotent-Replayed"] == "true"
    assert await replayed.json() == found["result"]


async def test_operations_of_runs_are_none_of_proposals(start, store):
    client = await start(clock=StoppedClock())
    await submitted(store, "dop_1", correlation_id="corr-1")

    for path in ("dop_1", "dop_2", "by-correlation/corr-1", "by-correlation/corr-2", "approvals", "pop%00"):
        refused = await client.get(f"{OPERATIONS}/{path}")
        assert await refused_with(refused, 404) == "PROPOSAL_ASYNC_OPERATION_NOT_FOUND"


async def test_a_bad_submission_is_told_all_that_is_wrong_with_it(start):
    client = await start()

    keyless = await client.post(ASYNC, json=creation(created_by=None))
    version = await client.post(f"{PROPOSALS}/pp_1/versions/async", json={"created_by": "a"})

    assert await faults_of(keyless) == [
        ("missing", ("header", "Idempotency-Key")),
        ("string_type", ("body", "created_by")),
    ]
    assert await faults_of(version) == [("missing", ("body", "simulate_request"))]


@pytest.mark.parametrize(
    ("gates", "code"),
    [
        (FeatureFlags(proposal_operations_enabled=False), "PROPOSAL_ASYNC_OPERATIONS_DISABLED"),
        (
            FeatureFlags(proposals_enabled=False, proposal_operations_enabled=False),
            "PROPOSAL_WORKFLOW_LIFECYCLE_DISABLED",
        ),
    ],
)
async def test_shut_gates_are_looked_at_after_the_request(start, monkeypatch, gates, code):
    monkeypatch.setattr(flows, "gates_of", lambda _: gates)
    client = await start()

    for path, body in ((ASYNC, creation()), (f"{PROPOSALS}/pp_1/versions/async", VERSION)):
        assert await refused_with(await client.post(path, json=body, headers=HEADERS), 404) == code
        assert await faults_of(await client.post(path, json=[], headers=HEADERS)) == [
            ("model_attributes_type", ("body",))
        ]
    for path in ("pop_1", "by-correlation/corr-1"):
        assert await refused_with(await client.get(f"{OPERATIONS}/{path}"), 404) == code
