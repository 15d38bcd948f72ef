"""A stored run computed again, as a client sees it."""

import hashlib
import json
from dataclasses import replace

import pytest

from service.domains.callers import DEFAULT_TENANT
from service.domains.lineage import EdgeType
from service.domains.values.canonical import digest_of
from service.settings.process import ArtifactMode, UnknownFields

FIELDS = [
    "rebalance_run_id",
    "outcome",
    "engine_version",
    "recorded_hash",
    "replayed_hash",
    "first_difference",
    "digests_intact",
    "recorded_run_id",
]


async def simulated(client, demo, correlation_id="corr-1"):
    headers = {"Idempotency-Key": "key-1", "X-Correlation-Id": correlation_id}
    answer = await client.post("/rebalance/simulate", json=demo, headers=headers)
    return (await answer.json())["rebalance_run_id"]


async def replayed(client, run_id, query="", headers=None):
    answer = await client.post(f"/rebalance/runs/{run_id}/replay{query}", headers=headers)
    assert answer.status == 200, await answer.text()
    found = await answer.json()
    assert list(found) == FIELDS
    assert found["rebalance_run_id"] == run_id
    return found


def tamper_with_result(store, run_id, change, *, seal=False):
    kept = store.state.runs[DEFAULT_TENANT, run_id]
    result = change(kept.run.result)
    assert result != kept.run.result
    store.state.runs[DEFAULT_TENANT, run_id] = replace(
        kept,
        run=replace(kept.run, result=result),
        result_sha256=digest_of(result) if seal else kept.result_sha256,
    )


def tamper_with_request(store, run_id, change, *, seal=False):
    kept = store.state.requests[DEFAULT_TENANT, run_id]
    body = change(kept.request.body)
    assert body != kept.request.body
    store.state.requests[DEFAULT_TENANT, run_id] = replace(
        kept,
        request=replace(kept.request, body=body),
        body_sha256=digest_of(body) if seal else kept.body_sha256,
    )


async def test_a_run_matches_itself_and_nothing_is_stored(start, demo, store):
    client = await start()
    run_id = await simulated(client, demo)
    result = store.state.runs[DEFAULT_TENANT, run_id].run.result
    edges = dict(store.state.edges)

    found = await replayed(client, run_id)

    expected = "sha256:" + hashlib.sha256(result).hexdigest()
    assert found == {
        "rebalance_run_id": run_id,
        "outcome": "MATCH",
        "engine_version": "1",
        "recorded_hash": expected,
        "replayed_hash": expected,
        "first_difference": None,
        "digests_intact": True,
        "recorded_run_id": None,
    }
    assert len(store.state.runs) == 1
    assert store.state.edges == edges


async def test_every_scenario_of_a_batch_matches_itself(start, demo):
    client = await start()
    del demo["options"]
    demo["scenarios"] = {"plain": {}, "numbers": {"options": {"fx_buffer_pct": 0.5}}}
    batch = await (await client.post("/rebalance/analyze", json=demo)).json()

    for result in batch["results"].values():
        assert (await replayed(client, result["rebalance_run_id"]))["outcome"] == "MATCH"


@pytest.mark.parametrize("seal", [False, True])
async def test_a_changed_result_is_named_by_the_first_field_that_differs(start, demo, store, seal):
    client = await start()
    run_id = await simulated(client, demo)

    def grow(result):
        changed = json.loads(result)
        changed["intents"][0]["quantity"] = "999999"
        changed["lineage"]["request_hash"] = "sha256:other"
        return json.dumps(changed).encode()

    honest = json.loads(store.state.runs[DEFAULT_TENANT, run_id].run.result)
    tamper_with_result(store, run_id, grow, seal=seal)
    found = await replayed(client, run_id)

    assert found["outcome"] == "MISMATCH"
    assert found["first_difference"] == {
        "path": "$.intents[0].quantity",
        "recorded": "999999",
        "replayed": honest["intents"][0]["quantity"],
    }
    assert found["recorded_hash"] != found["replayed_hash"]
    assert found["digests_intact"] is seal


async def test_a_result_that_says_the_same_in_other_bytes_does_not_match(start, demo, store):
    client = await start()
    run_id = await simulated(client, demo)
    tamper_with_result(store, run_id, lambda result: json.dumps(json.loads(result)).encode(), seal=True)

    found = await replayed(client, run_id)

    assert found["outcome"] == "MISMATCH"
    assert found["first_difference"] == {
        "path": "$",
        "recorded": found["recorded_hash"],
        "replayed": found["replayed_hash"],
    }
    assert found["digests_intact"] is True


async def test_a_result_that_is_no_json_any_more_does_not_match(start, demo, store):
    client = await start()
    run_id = await simulated(client, demo)
    tamper_with_result(store, run_id, lambda result: b"\xff" + result)

    found = await replayed(client, run_id)

    assert (found["outcome"], found["first_difference"]["path"]) == ("MISMATCH", "$")
    assert found["digests_intact"] is False


@pytest.mark.parametrize("seal", [False, True])
async def test_a_changed_request_does_not_match(start, demo, store, seal):
    client = await start()
    run_id = await simulated(client, demo)
    tamper_with_request(
        store, run_id, lambda body: body.replace(b"pf_demo_balanced_sgd", b"pf_another"), seal=seal
    )

    found = await replayed(client, run_id)

    assert found["outcome"] == "MISMATCH"
    assert found["first_difference"]["replayed"] == "pf_another"
    assert found["digests_intact"] is seal


async def test_a_request_that_cannot_be_read_any_more_does_not_match_and_is_not_recorded(start, demo, store):
    client = await start()
    run_id = await simulated(client, demo)
    tamper_with_request(store, run_id, lambda _: b'{"portfolio_snapshot": 1}', seal=True)

    found = await replayed(client, run_id, "?record=true")

    assert (found["outcome"], found["replayed_hash"], found["recorded_run_id"]) == ("MISMATCH", None, None)
    assert found["first_difference"] == {"path": "$", "recorded": found["recorded_hash"], "replayed": None}
    assert len(store.state.runs) == 1


async def test_bytes_that_are_not_those_of_their_digest_do_not_match(start, demo, store):
    client = await start()
    run_id = await simulated(client, demo)
    kept = store.state.runs[DEFAULT_TENANT, run_id]
    store.state.runs[DEFAULT_TENANT, run_id] = replace(kept, result_sha256="sha256:other")

    found = await replayed(client, run_id)

    assert found["recorded_hash"] == found["replayed_hash"]
    assert (found["outcome"], found["digests_intact"]) == ("MISMATCH", False)
    assert found["first_difference"] == {
        "path": "$",
        "recorded": "sha256:other",
        "replayed": found["replayed_hash"],
    }


@pytest.mark.parametrize("mode", ArtifactMode)
async def test_a_replay_can_be_recorded_as_a_run_of_its_own(start, demo, store, mode):
    client = await start(artifact_mode=mode)
    run_id = await simulated(client, demo)

    found = await replayed(client, run_id, "?record=true", {"X-Correlation-Id": "audit-7"})

    new_id = found["recorded_run_id"]
    original = await (await client.get(f"/rebalance/runs/{run_id}")).json()
    recorded = await (await client.get(f"/rebalance/runs/{new_id}")).json()
    assert found["outcome"] == "MATCH"
    assert new_id.startswith("rr_") and new_id != run_id
    assert (recorded["correlation_id"], recorded["idempotency_key"]) == ("audit-7", None)
    assert recorded["request_hash"] == original["request_hash"]
    assert recorded["portfolio_id"] == original["portfolio_id"]
    assert recorded["result"]["rebalance_run_id"] == new_id
    assert recorded["result"]["correlation_id"] == "audit-7"
    assert recorded["result"]["intents"] == original["result"]["intents"]
    assert [
        (edge.source_entity_id, edge.target_entity_id)
        for edge in store.state.edges.values()
        if edge.edge_type is EdgeType.REPLAYED_FROM
    ] == [(new_id, run_id)]
    assert ((DEFAULT_TENANT, new_id) in store.state.artifacts) is (mode is ArtifactMode.PERSISTED)
    held = await (await client.get("/rebalance/runs/idempotency/key-1")).json()
    assert held["rebalance_run_id"] == run_id
    assert (await replayed(client, new_id))["outcome"] == "MATCH"


async def test_a_recorded_replay_of_a_scenario_stays_that_scenario(start, demo, store):
    client = await start()
    del demo["options"]
    demo["scenarios"] = {"only": {}}
    batch = await (await client.post("/rebalance/analyze", json=demo)).json()
    run_id = batch["results"]["only"]["rebalance_run_id"]

    found = await replayed(client, run_id, "?record=yes")

    recorded = store.state.runs[DEFAULT_TENANT, found["recorded_run_id"]].run
    assert (recorded.scenario, recorded.request_id) == ("only", batch["batch_run_id"])
    assert recorded.request_hash == f"{batch['batch_run_id']}:only"
    assert recorded.correlation_id.startswith("corr_")
    assert (await replayed(client, recorded.rebalance_run_id))["outcome"] == "MATCH"


async def test_what_was_recorded_while_unknown_fields_were_ignored_is_replayed_when_they_are_not(start, demo):
    client = await start()
    del demo["options"]
    demo["scenarios"] = {"only": {"options": {"misspelt": 1}}}
    batch = await (await client.post("/rebalance/analyze", json=demo)).json()
    strict = await start(unknown_fields=UnknownFields.REJECT)

    found = await replayed(strict, batch["results"]["only"]["rebalance_run_id"])

    assert found["outcome"] == "MATCH"


async def test_a_run_of_an_engine_that_is_not_carried_any_more_is_refused(start, demo, store):
    client = await start()
    run_id = await simulated(client, demo)
    kept = store.state.runs[DEFAULT_TENANT, run_id]
    store.state.runs[DEFAULT_TENANT, run_id] = replace(kept, run=replace(kept.run, engine_version="0"))

    refused = await client.post(f"/rebalance/runs/{run_id}/replay")

    assert refused.status == 409
    problem = await refused.json()
    assert problem["code"] == "DPM_REPLAY_ENGINE_UNKNOWN"
    assert problem["detail"] == "DPM_REPLAY_ENGINE_UNKNOWN: this build has no engine version 0"


async def test_what_does_not_exist_is_not_found(start):
    client = await start()

    for run_id in ("rr_missing", "rr_%00"):
        refused = await client.post(f"/rebalance/runs/{run_id}/replay")
        assert refused.status == 404
        assert (await refused.json())["detail"] == "DPM_RUN_NOT_FOUND"


async def test_replays_have_the_gate_of_all_support(start):
    client = await start(support_apis_enabled=False)

    malformed = await client.post("/rebalance/runs/rr_1/replay?record=")
    refused = await client.post("/rebalance/runs/rr_1/replay")

    assert malformed.status == 422
    (entry,) = (await malformed.json())["detail"]
    assert (entry["type"], entry["loc"]) == ("bool_parsing", ["query", "record"])
    assert refused.status == 404
    assert (await refused.json())["detail"] == "DPM_SUPPORT_APIS_DISABLED"
