"""What computed runs become before they are recorded; pure, so it may be done anywhere."""

from __future__ import annotations

from datetime import datetime

from service.domains.callers import Caller
from service.domains.dpm_runs.values import DpmRun, RunRequest
from service.engines.dpm import versions
from service.flows.dpm_runs.computing import Simulated


def simulated_run(
    caller: Caller,
    computed: Simulated,
    run_id: str,
    *,
    idempotency_key: str,
    correlation_id: str,
    created_at: datetime,
) -> DpmRun:
    return DpmRun(
        rebalance_run_id=run_id,
        tenant_id=caller.tenant_id,
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
        policy=computed.policy,
    )


def simulated_request(computed: Simulated, run: DpmRun) -> RunRequest:
    return RunRequest(
        request_id=run.request_id,
        tenant_id=run.tenant_id,
        request_hash=computed.request_hash,
        body=computed.request_body,
        created_at=run.created_at,
    )
