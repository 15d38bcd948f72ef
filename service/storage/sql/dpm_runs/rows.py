"""How runs and requests lie in their rows."""

from __future__ import annotations

from service.domains.dpm_runs.values import DpmRun, RunRequest, RunStatus, RunSummary, StoredRun
from service.domains.policy_packs import AppliedPolicy, PackSource
from service.storage.sql.acts import Row


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


def row_of(run: DpmRun, result_sha256: str) -> dict[str, object]:
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


def run_of(row: Row) -> DpmRun:
    return DpmRun(
        rebalance_run_id=row["rebalance_run_id"],
        tenant_id=row["tenant_id"],
        correlation_id=row["correlation_id"],
        request_hash=row["request_hash"],
        idempotency_key=row["idempotency_key"],
        portfolio_id=row["portfolio_id"],
        status=RunStatus(row["status"]),
        engine_version=row["engine_version"],
        request_id=row["request_id"],
        scenario=row["scenario"],
        created_at=row["created_at"],
        result=row["result"],
        policy=policy_of(row),
    )


def policy_of(row: Row) -> AppliedPolicy | None:
    if row["policy_pack_id"] is None:
        return None
    return AppliedPolicy(
        policy_pack_id=row["policy_pack_id"],
        version=row["policy_pack_version"],
        source=PackSource(row["policy_pack_source"]),
        content_hash=row["policy_pack_sha256"],
        options=row["effective_options"],
    )


def head_of(row: Row) -> RunSummary:
    return RunSummary(
        rebalance_run_id=row["rebalance_run_id"],
        correlation_id=row["correlation_id"],
        request_hash=row["request_hash"],
        idempotency_key=row["idempotency_key"],
        portfolio_id=row["portfolio_id"],
        status=RunStatus(row["status"]),
        scenario=row["scenario"],
        created_at=row["created_at"],
    )


def request_of(row: Row) -> RunRequest:
    return RunRequest(
        request_id=row["request_id"],
        tenant_id=row["tenant_id"],
        request_hash=row["request_hash"],
        body=row["body"],
        created_at=row["created_at"],
        correlation_id=row["correlation_id"],
    )


def sealed_of(row: Row) -> StoredRun:
    request = RunRequest(
        request_id=row["request_id"],
        tenant_id=row["tenant_id"],
        request_hash=row["asked_hash"],
        body=row["body"],
        created_at=row["asked_at"],
        correlation_id=row["asked_correlation_id"],
    )
    return StoredRun(run_of(row), row["result_sha256"], request, row["body_sha256"])
