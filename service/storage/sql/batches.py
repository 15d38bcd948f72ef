"""The runs of a batch in SQL, in the transaction of the operation that ran them."""

from __future__ import annotations

from collections.abc import Sequence

from service.domains.dpm_runs.artifacts import Artifact, edge_of_artifact
from service.domains.dpm_runs.values import DpmRun, RecordBatch, RunRequest
from service.errors.dpm_runs import RunExists
from service.storage.digests import digests_of
from service.storage.sql import lineage
from service.storage.sql.acts import Act, many, one
from service.storage.texts import require_storable


async def digests_of_batch(batch: RecordBatch) -> list[str]:
    """Of the body of the request and of the result of each run; of large ones made in a thread."""
    return await digests_of(batch.request.body, *[run.result for run in batch.runs])


def record_batch(batch: RecordBatch, digests: Sequence[str]) -> Act[None]:
    """Keep a request and its runs; `digests` are as of digests_of_batch. Raises RunExists."""
    require_storable(batch.request, *batch.runs)
    body_sha256, *results_sha256 = digests
    if (yield from one("dpm_runs", "insert_request", **row_of_request(batch.request, body_sha256))) is None:
        raise RunExists(id=batch.request.request_id)
    if not batch.runs:
        return
    inserted = yield from many("dpm_runs", "insert_run", map(row_of_run, batch.runs, results_sha256))
    if len(inserted) < len(batch.runs):
        raise RunExists(id=batch.request.request_id)
    yield from many("artifacts", "insert_artifact", map(row_of_artifact, batch.artifacts))
    edges = [*batch.edges, *map(edge_of_artifact, batch.artifacts)]
    yield from lineage.insert_edges(batch.request.tenant_id, edges)


def row_of_request(request: RunRequest, body_sha256: str) -> dict[str, object]:
    return {
        "tenant_id": request.tenant_id,
        "request_id": request.request_id,
        "request_hash": request.request_hash,
        "created_at": request.created_at,
        "correlation_id": request.correlation_id,
        "body_sha256": body_sha256,
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


def row_of_run(run: DpmRun, result_sha256: str) -> dict[str, object]:
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
        "result_sha256": result_sha256,
        "result": run.result,
        "policy_pack_id": policy and policy.policy_pack_id,
        "policy_pack_version": policy and policy.version,
        "policy_pack_source": policy and policy.source.value,
        "policy_pack_sha256": policy and policy.content_hash,
        "effective_options": policy and policy.options,
    }
