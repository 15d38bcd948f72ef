"""Everything known about one run, found by any id that leads to it."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from service.domains.dpm_runs.values import DEFAULT_TENANT, RecordBatch
from service.domains.lineage import TRAIL_EDGES_MAX
from service.domains.operations import (
    Ending,
    Lease,
    Operation,
    OperationError,
    OperationStatus,
    OperationType,
)
from service.errors.dpm_runs import RunNotFound
from service.flows.dpm_runs import flow
from service.settings.process import ArtifactMode

FIELDS = [
    "run",
    "artifact",
    "async_operation",
    "workflow_history",
    "lineage",
    "idempotency_history",
    "related_runs",
]
AT = datetime.now(UTC)


def keyed(key="key-1", correlation_id="corr-1"):
    return {"Idempotency-Key": key, "X-Correlation-Id": correlation_id}


async def simulated(client, demo, **headers):
    answer = await client.post("/rebalance/simulate", json=demo, headers=keyed(**headers))
    return (await answer.json())["rebalance_run_id"]


async def analyzed(client, demo, correlation_id="what-if"):
    """The batch id, and the run ids by scenario."""
    body = {name: part for name, part in demo.items() if name != "options"}
    body["scenarios"] = {"b_second": {}, "a_first": {}}
    headers = {"X-Correlation-Id": correlation_id} if correlation_id else None
    batch = await (await client.post("/rebalance/analyze", json=body, headers=headers)).json()
    runs = {name: result["rebalance_run_id"] for name, result in batch["results"].items()}
    return batch["batch_run_id"], runs


async def submitted(
    store, operation_id="dop_1", correlation_id="corr-1", at=AT, kind=OperationType.ANALYZE_SCENARIOS
):
    operation = Operation(
        operation_id=operation_id,
        tenant_id=DEFAULT_TENANT,
        operation_type=kind,
        status=OperationStatus.PENDING,
        correlation_id=correlation_id,
        created_at=at,
        request=b"{}",
    )
    await store.operations.submit(operation)
    return operation


@pytest.fixture
def caused_by_operation(monkeypatch):
    """Batches are recorded as what an operation caused, as its execution records them."""

    def causing(operation_id):
        def admission(**parts):
            return RecordBatch(**{**parts, "cause_id": operation_id})

        monkeypatch.setattr(flow, "RecordBatch", admission)

    return causing


async def bundle_of(client, path, query=""):
    answer = await client.get(f"/rebalance/runs/{path}/support-bundle{query}")
    assert answer.status == 200, await answer.text()
    assert answer.content_type == "application/json"
    bundle = await answer.json()
    assert list(bundle) == FIELDS
    return bundle


async def refusal_of(client, path):
    answer = await client.get(f"/rebalance/runs/{path}/support-bundle")
    assert answer.status == 404
    return (await answer.json())["detail"]


async def test_the_bundle_of_a_run_repeats_what_the_single_answers_say(start, demo):
    client = await start(
        workflow_enabled=True,
        lineage_apis_enabled=True,
        history_apis_enabled=True,
        workflow_review_statuses=frozenset({"READY", "PENDING_REVIEW", "BLOCKED"}),
    )
    run_id = await simulated(client, demo)
    decision = {"action": "APPROVE", "reason_code": "FINE", "actor_id": "reviewer-1"}
    await client.post(f"/rebalance/runs/{run_id}/workflow/actions", json=decision)

    bundle = await bundle_of(client, run_id)

    for part, path in (
        ("run", f"runs/{run_id}"),
        ("artifact", f"runs/{run_id}/artifact"),
        ("workflow_history", f"runs/{run_id}/workflow/history"),
    ):
        assert bundle[part] == await (await client.get(f"/rebalance/{path}")).json()
    history = bundle["idempotency_history"]
    assert history["idempotency_key"] == "key-1"
    assert [item["rebalance_run_id"] for item in history["history"]] == [run_id]
    assert bundle["lineage"]["entity_id"] == run_id
    assert bundle["lineage"]["next_cursor"] is None
    assert [edge["edge_type"] for edge in bundle["lineage"]["edges"]] == [
        "CORRELATION_TO_RUN",
        "IDEMPOTENCY_TO_RUN",
    ]
    assert (bundle["async_operation"], bundle["related_runs"]) == (None, [])


async def test_the_result_and_the_artifact_are_the_very_bytes(start, demo, store):
    client = await start(artifact_mode=ArtifactMode.PERSISTED)
    run_id = await simulated(client, demo)

    answer = await client.get(f"/rebalance/runs/{run_id}/support-bundle")

    body = await answer.read()
    run = store.state.runs[DEFAULT_TENANT, run_id].run
    assert b'"result":' + run.result in body
    assert b'"artifact":' + store.state.artifacts[DEFAULT_TENANT, run_id].body in body


async def test_parts_can_be_left_out(start, demo, store):
    client = await start()
    run_id = await simulated(client, demo)
    await submitted(store)

    for flag, part in (
        ("include_artifact", "artifact"),
        ("include_async_operation", "async_operation"),
        ("include_idempotency_history", "idempotency_history"),
    ):
        bundle = await bundle_of(client, run_id, f"?{flag}=no")
        assert [name for name, value in bundle.items() if value is None] == [part]


async def test_a_flag_that_is_no_boolean_is_refused_before_a_gate(start):
    client = await start(support_apis_enabled=False)

    for text in ("", "maybe"):
        refused = await client.get(f"/rebalance/runs/rr_1/support-bundle?include_artifact={text}")
        assert refused.status == 422
        (entry,) = (await refused.json())["detail"]
        assert (entry["type"], entry["loc"]) == ("bool_parsing", ["query", "include_artifact"])


async def test_a_run_is_found_by_correlation_id_and_by_key(start, demo):
    client = await start()
    await simulated(client, demo)
    newest = await simulated(client, demo, key="key-2")

    assert (await bundle_of(client, "by-correlation/corr-1"))["run"]["rebalance_run_id"] == newest
    assert (await bundle_of(client, "idempotency/key-2"))["run"]["rebalance_run_id"] == newest


async def test_an_operation_leads_to_the_newest_run_of_its_correlation_id_and_is_shown_itself(
    start, demo, store
):
    client = await start()
    run_id = await simulated(client, demo)
    pending = await submitted(store)
    await submitted(store, "dop_2", at=AT + timedelta(seconds=1))

    bundle = await bundle_of(client, "by-operation/dop_1")

    assert bundle["run"]["rebalance_run_id"] == run_id
    assert bundle["async_operation"] == {
        "operation_id": "dop_1",
        "operation_type": "ANALYZE_SCENARIOS",
        "status": "PENDING",
        "is_executable": True,
        "correlation_id": pending.correlation_id,
        "created_at": pending.created_at.isoformat(),
        "started_at": None,
        "finished_at": None,
        "result": None,
        "error": None,
        "progress": {"scenarios_total": 0, "scenarios_done": 0},
        "attempt": 0,
        "lease_owner": None,
        "lease_expires_at": None,
        "last_error": None,
    }
    assert bundle["async_operation"] == await (await client.get("/rebalance/operations/dop_1")).json()


async def test_a_batch_is_found_by_the_correlation_id_its_caller_sent(start, demo):
    client = await start()
    await analyzed(client, demo)
    _, runs = await analyzed(client, demo)

    bundle = await bundle_of(client, "by-correlation/what-if")

    assert bundle["run"]["rebalance_run_id"] == runs["a_first"]
    assert bundle["idempotency_history"] is None
    assert [(run["scenario"], run["rebalance_run_id"]) for run in bundle["related_runs"]] == [
        ("a_first", runs["a_first"]),
        ("b_second", runs["b_second"]),
    ]
    assert list(bundle["related_runs"][0]) == ["rebalance_run_id", "scenario", "status", "created_at"]
    assert await bundle_of(client, "by-correlation/what-if:a_first") == bundle


async def test_a_run_of_exactly_that_correlation_id_comes_before_a_batch(start, demo):
    client = await start()
    await analyzed(client, demo, "shared")
    run_id = await simulated(client, demo, correlation_id="shared")

    assert (await bundle_of(client, "by-correlation/shared"))["run"]["rebalance_run_id"] == run_id


async def test_an_operation_leads_to_the_first_run_it_caused_and_that_run_to_it(
    start, demo, store, caused_by_operation
):
    client = await start()
    await submitted(store, correlation_id="what-if")
    # Newer, and of the run's own correlation id; it did not cause the run.
    await submitted(store, "dop_2", "what-if:a_first", AT + timedelta(seconds=1))
    caused_by_operation("dop_1")
    _, runs = await analyzed(client, demo)

    bundle = await bundle_of(client, "by-operation/dop_1")

    assert bundle["run"]["rebalance_run_id"] == runs["a_first"]
    assert bundle["async_operation"]["operation_id"] == "dop_1"
    assert [run["rebalance_run_id"] for run in bundle["related_runs"]] == [runs["a_first"], runs["b_second"]]
    assert await bundle_of(client, runs["a_first"]) == bundle
    assert (await bundle_of(client, runs["b_second"]))["related_runs"] == bundle["related_runs"]


async def test_a_correlation_id_of_an_operation_only_leads_to_the_first_run_it_caused(
    start, demo, store, caused_by_operation
):
    client = await start()
    await submitted(store, correlation_id="sent")
    caused_by_operation("dop_1")
    _, runs = await analyzed(client, demo, None)

    assert (await bundle_of(client, "by-correlation/sent"))["run"]["rebalance_run_id"] == runs["a_first"]


async def test_an_operation_that_ended_shows_how(start, demo, store):
    client = await start()
    run_id = await simulated(client, demo)
    await submitted(store)
    finished_at = AT + timedelta(milliseconds=1)
    claim = await store.operations.claim(DEFAULT_TENANT, "dop_1", Lease(AT, AT + timedelta(minutes=1)))
    await store.operations.finish(
        claim, Ending(finished_at=finished_at, error=OperationError("Boom", "it did"))
    )

    operation = (await bundle_of(client, run_id))["async_operation"]

    assert (operation["status"], operation["is_executable"]) == ("FAILED", False)
    assert (operation["started_at"], operation["finished_at"]) == (AT.isoformat(), finished_at.isoformat())
    assert (operation["result"], operation["error"]) == (None, {"code": "Boom", "message": "it did"})


async def test_a_bundle_has_so_many_edges_and_says_when_there_are_more(start, demo, monkeypatch):
    assert TRAIL_EDGES_MAX == 1000
    monkeypatch.setattr("service.flows.dpm_runs.support_bundles.TRAIL_EDGES_MAX", 1)
    client = await start()
    run_id = await simulated(client, demo)

    lineage = (await bundle_of(client, run_id))["lineage"]

    assert len(lineage["edges"]) == 1
    assert (lineage["next_cursor"], lineage["truncated"]) == (None, True)


async def test_what_does_not_exist_is_not_found(start, store):
    client = await start()
    await submitted(store)

    for path, code in (
        ("rr_missing", "DPM_RUN_NOT_FOUND"),
        ("by-correlation/none", "DPM_RUN_NOT_FOUND"),
        ("by-correlation/corr-1", "DPM_RUN_NOT_FOUND"),
        ("idempotency/none", "DPM_IDEMPOTENCY_KEY_NOT_FOUND"),
        ("by-operation/dop_missing", "DPM_ASYNC_OPERATION_NOT_FOUND"),
        ("by-operation/dop_%00", "DPM_ASYNC_OPERATION_NOT_FOUND"),
        ("by-operation/dop_1", "DPM_RUN_NOT_FOUND"),
    ):
        assert await refusal_of(client, path) == code


async def test_a_key_whose_run_went_is_a_run_that_is_not_found(start, demo, store, monkeypatch):
    client = await start()
    await simulated(client, demo)

    async def gone(*_):
        raise RunNotFound()

    monkeypatch.setattr(store.dpm_runs, "get", gone)

    assert await refusal_of(client, "idempotency/key-1") == "DPM_RUN_NOT_FOUND"


async def test_bundles_can_be_switched_off_and_no_other_gate_hides_their_parts(start, demo):
    hidden = await start(artifacts_enabled=False)
    run_id = await simulated(hidden, demo)

    assert json.dumps((await bundle_of(hidden, run_id))["artifact"]) != "null"
    for changes, code in (
        ({"support_apis_enabled": False}, "DPM_SUPPORT_APIS_DISABLED"),
        ({"bundle_apis_enabled": False}, "DPM_SUPPORT_BUNDLE_APIS_DISABLED"),
    ):
        client = await start(**changes)
        for path in (run_id, "by-correlation/corr-1", "idempotency/key-1", "by-operation/dop_1"):
            assert await refusal_of(client, path) == code


async def test_an_operation_of_a_proposal_is_no_part_of_the_bundle_of_a_run(start, store, demo):
    client = await start()
    await simulated(client, demo)
    await submitted(store, "dop_1")
    await submitted(store, "pop_1", at=AT + timedelta(seconds=1), kind=OperationType.CREATE_PROPOSAL)

    refused = await client.get("/rebalance/runs/by-operation/pop_1/support-bundle")
    bundle = await bundle_of(client, "by-correlation/corr-1")

    assert (refused.status, (await refused.json())["code"]) == (404, "DPM_ASYNC_OPERATION_NOT_FOUND")
    # The newest of the correlation id is not what the run is about.
    assert bundle["async_operation"]["operation_id"] == "dop_1"
