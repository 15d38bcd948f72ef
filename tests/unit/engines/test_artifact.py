"""The artifact of a run: its fields, its hash, and that it is the same at every call."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime

from scripts.harness.servers import ROOT
from service.domains.callers import DEFAULT_TENANT
from service.domains.dpm_runs.values import DpmRun, RunStatus
from service.engines.dpm.artifact import artifact_id_of, build_artifact
from service.flows.dpm_runs.computing import Readers, simulate_body
from service.web.requests import bodies

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
DEMO = (ROOT / "scripts" / "demo" / "multi_currency.json").read_bytes()
READERS = Readers(bodies.decode_rebalance, bodies.decode_batch, bodies.decode_options)
FIELDS = [
    "artifact_id",
    "artifact_version",
    "rebalance_run_id",
    "correlation_id",
    "idempotency_key",
    "portfolio_id",
    "status",
    "request_snapshot",
    "before_summary",
    "after_summary",
    "order_intents",
    "rule_outcomes",
    "diagnostics",
    "result",
    "evidence",
]


def a_run(body=DEMO, key="key-1"):
    computed = simulate_body(READERS, body, "rr_1", "corr-1")
    return DpmRun(
        rebalance_run_id="rr_1",
        tenant_id=DEFAULT_TENANT,
        correlation_id="corr-1",
        request_hash=computed.request_hash,
        idempotency_key=key,
        portfolio_id=computed.portfolio_id,
        status=computed.status,
        engine_version="1",
        request_id="rr_1",
        scenario=None,
        created_at=AT,
        result=computed.result,
    )


def hash_by_the_contract(document):
    """Section 9, from the answer alone: keys sorted, no blanks, all but ASCII escaped."""

    def without(value):
        if isinstance(value, dict):
            return {key: without(item) for key, item in value.items() if key != "artifact_hash"}
        if isinstance(value, list):
            return [without(item) for item in value]
        return value

    text = json.dumps(without(document), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_an_artifact_has_the_fields_of_the_contract_in_their_order():
    run = a_run()

    document = json.loads(build_artifact(run).body)

    result = json.loads(run.result)
    assert list(document) == FIELDS
    assert list(document["evidence"]) == ["engine_version", "run_created_at", "hashes"]
    assert list(document["evidence"]["hashes"]) == ["request_hash", "artifact_hash"]
    assert document["artifact_id"] == "dra_1"
    assert document["artifact_version"] == "1.0"
    assert document["request_snapshot"] == {
        "portfolio_id": run.portfolio_id,
        "request_hash": run.request_hash,
    }
    assert document["before_summary"] == result["before"]
    assert document["after_summary"] == result["after_simulated"]
    assert document["order_intents"] == result["intents"]
    assert document["rule_outcomes"] == result["rule_results"]
    assert document["diagnostics"] == result["diagnostics"]
    assert document["evidence"]["engine_version"] == result["lineage"]["engine_version"]
    assert document["evidence"]["run_created_at"] == "2026-11-21T09:30:00+00:00"


def test_the_result_is_embedded_in_the_very_bytes_of_the_answer():
    run = a_run()

    assert b'"result":' + run.result in build_artifact(run).body


def test_the_hash_can_be_taken_again_from_the_answer_alone():
    body = DEMO.replace(b"pf_", "Zürich \N{BANK} pf_".encode())

    artifact = build_artifact(a_run(body))

    document = json.loads(artifact.body)
    assert document["evidence"]["hashes"]["artifact_hash"] == artifact.artifact_hash
    assert hash_by_the_contract(document) == artifact.artifact_hash


def test_a_field_that_bears_the_name_of_the_hash_is_left_out_of_it_at_any_depth():
    run = a_run()
    result = json.loads(run.result)
    result["diagnostics"]["artifact_hash"] = "sha256:of another time"

    artifact = build_artifact(replace(run, result=json.dumps(result).encode()))

    assert hash_by_the_contract(json.loads(artifact.body)) == artifact.artifact_hash
    assert b"sha256:of another time" in artifact.body


def test_equal_runs_have_equal_artifacts_and_a_changed_run_has_another_hash():
    run = a_run()

    assert build_artifact(run) == build_artifact(replace(run))
    for changed in (
        replace(run, correlation_id="corr-2"),
        replace(run, status=RunStatus.BLOCKED),
        replace(run, result=run.result.replace(b'"rr_1"', b'"rr_2"')),
    ):
        assert build_artifact(changed).artifact_hash != build_artifact(run).artifact_hash


def test_a_result_without_an_engine_version_has_one_that_is_unknown():
    run = a_run()
    result = json.loads(run.result)
    result["lineage"]["engine_version"] = None

    artifact = build_artifact(replace(run, result=json.dumps(result).encode()))

    assert json.loads(artifact.body)["evidence"]["engine_version"] == "unknown"


def test_only_the_first_prefix_of_a_run_id_is_replaced():
    assert artifact_id_of("rr_0rr_1") == "dra_0rr_1"
