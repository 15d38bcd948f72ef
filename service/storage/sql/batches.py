"""The runs of a batch in SQL, in the transaction of the operation that ran them."""

from __future__ import annotations

from service.domains.dpm_runs.artifacts import Artifact, edge_of_artifact
from service.domains.dpm_runs.values import DpmRun, RecordBatch, RunRequest
from service.domains.values.canonical import digest_of
from service.errors.dpm_runs import RunExists
from service.storage.sql import lineage
from service.storage.sql.acts import Act, many, one
from service.storage.texts import require_storable


def record_batch(batch: RecordBatch) -> Act[None]:
    require_storable(batch.request, *batch.runs)
    if (yield from one("dpm_runs", "insert_request", **row_of_request(batch.request))) is None:
        raise RunExists(id=batch.request.request_id)
    if not batch.runs:
        return
    inserted = yield from many("dpm_runs", "insert_run", map(row_of_run, batch.runs))
    if len(inserted) < len(batch.runs):
        raise RunExists(id=batch.request.request_id)
    yield from many("artifacts", "insert_artifact", map(row_of_artifact, batch.artifacts))
    edges = [*batch.edges, *map(edge_of_artifact, batch.artifacts)]
    yield from lineage.insert_edges(batch.request.tenant_id, edges)


def row_of_request(request: RunRequest) -> dict[str, object]:
    return {
        "tenant_id": request.tenant_id,
        "request_id": request.request_id,
        "request_hash": request.request_hash,
        "created_at": request.created_at,
        "correlation_id": request.correlation_id,
        "body_sha256": digest_of(request.body),
        "body": request.body,
    }


def row_of_artifact(artifact: Artifact) -> dict[str, object]:
    return {
        "tenant_id": artifact.tenant_id,
        "rebalance_run_id": artifact.rebalance_run_id,
        "artifact_id": artifact.artifact_id,
        "artifact_hash": artifact.artifact_hash,
        "created_at": artifact.created_at,
        "body": artifact.body,
    }


def row_of_run(run: DpmRun) -> dict[str, object]:
    policy = run.policy
    return {
        "tenant_id": run.tenant_id,
        "rebalance_run_id": run.rebalance_run_id,
        "request_id": run.request_id,
        "correlation_id": run.correlation_id,
        "idempotency_key": run.idempotency_key,
        "request_hash": run.request_hash,
        "portfolio_id": run.portfolio_id,
        "status": run.status.value,
        "engine_version": run.engine_version,
        "scenario": run.scenario,
        "created_at": run.created_at,
        "result_sha256": digest_of(run.result),
        "result": run.result,
        "policy_pack_id": policy and policy.policy_pack_id,
        "policy_pack_version": policy and policy.version,
        "policy_pack_source": policy and policy.source.value,
        "policy_pack_sha256": policy and policy.content_hash,
        "effective_options": policy and policy.options,
    }
