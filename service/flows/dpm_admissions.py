"""What computed runs become before they are recorded; pure, so it may be done anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from service.domains.artifacts import Artifact
from service.domains.dpm_runs import DEFAULT_TENANT, DpmRun, RunRequest
from service.engines.dpm import versions
from service.engines.dpm.artifact import build_artifact
from service.flows.dpm_computing import Analyzed, BatchIdentity, Simulated


def simulated_run(
    computed: Simulated, run_id: str, *, idempotency_key: str, correlation_id: str, created_at: datetime
) -> DpmRun:
    return DpmRun(
        rebalance_run_id=run_id,
        tenant_id=DEFAULT_TENANT,
        correlation_id=correlation_id,
        request_hash=computed.request_hash,
        idempotency_key=idempotency_key,
        portfolio_id=computed.portfolio_id,
        status=computed.status,
        engine_version=versions.CURRENT_VERSION,
        request_id=run_id,
        scenario=None,
        created_at=created_at,
        result=computed.result,
    )


def simulated_request(computed: Simulated, run: DpmRun) -> RunRequest:
    return RunRequest(
        request_id=run.request_id,
        tenant_id=run.tenant_id,
        request_hash=computed.request_hash,
        body=computed.request_body,
        created_at=run.created_at,
    )


def batch_runs(computed: Analyzed, identity: BatchIdentity, created_at: datetime) -> tuple[DpmRun, ...]:
    """The scenarios that were simulated, in the order of their names."""
    return tuple(
        DpmRun(
            rebalance_run_id=run.run_id,
            tenant_id=DEFAULT_TENANT,
            correlation_id=run.correlation_id,
            request_hash=run.request_hash,
            idempotency_key=None,
            portfolio_id=computed.portfolio_id,
            status=run.status,
            engine_version=versions.CURRENT_VERSION,
            request_id=identity.batch_id,
            scenario=run.name,
            created_at=created_at,
            result=run.result,
        )
        for run in computed.runs
    )


def batch_request(computed: Analyzed, identity: BatchIdentity, created_at: datetime) -> RunRequest:
    """What all runs of a batch share; it keeps the correlation id as it was sent, if one was."""
    return RunRequest(
        request_id=identity.batch_id,
        tenant_id=DEFAULT_TENANT,
        request_hash=computed.request_hash,
        body=computed.request_body,
        created_at=created_at,
        correlation_id=identity.correlation_id,
    )


def build_artifacts(runs: Sequence[DpmRun]) -> tuple[Artifact, ...]:
    return tuple(map(build_artifact, runs))
