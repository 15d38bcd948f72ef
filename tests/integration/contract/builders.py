"""Values for the storage contract; every field has a default, and every default is valid."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from service.domains.dpm_runs import (
    DEFAULT_TENANT,
    BatchAdmission,
    DpmRun,
    RunAdmission,
    RunRequest,
    RunStatus,
)

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ODD_BYTES = '{"note":"Zürich \N{MIDDLE DOT} 日本 \N{BANK}","amount":"1.10"}'.encode()

numbers = itertools.count(1)


def an_id(prefix: str) -> str:
    return f"{prefix}_{next(numbers):032x}"


def a_run(**fields: Any) -> DpmRun:
    run_id = fields.pop("rebalance_run_id", None) or an_id("rr")
    given: dict[str, Any] = {
        "rebalance_run_id": run_id,
        "tenant_id": DEFAULT_TENANT,
        "correlation_id": f"corr_of_{run_id}",
        "request_hash": "sha256:" + "a" * 64,
        "idempotency_key": "key-1",
        "portfolio_id": "pf-1",
        "status": RunStatus.READY,
        "engine_version": "1",
        "request_id": run_id,
        "scenario": None,
        "created_at": AT,
        "result": b'{"rebalance_run_id":"' + run_id.encode() + b'"}',
    }
    return DpmRun(**(given | fields))


def a_request(run: DpmRun, body: bytes = b'{"options":{}}') -> RunRequest:
    return RunRequest(run.request_id, run.tenant_id, run.request_hash, body, run.created_at)


def an_admission(*, replay: bool = True, body: bytes = b'{"options":{}}', **fields: Any) -> RunAdmission:
    run = a_run(**fields)
    return RunAdmission(run, a_request(run, body), replay)


def a_batch(*scenarios: str, **fields: Any) -> BatchAdmission:
    batch_id = an_id("batch")
    runs = tuple(
        a_run(
            idempotency_key=None,
            request_id=batch_id,
            scenario=scenario,
            correlation_id=f"{batch_id}:{scenario}",
            request_hash=f"{batch_id}:{scenario}",
            **fields,
        )
        for scenario in scenarios
    )
    return BatchAdmission(
        RunRequest(batch_id, DEFAULT_TENANT, "sha256:" + "b" * 64, b'{"scenarios":{}}', AT), runs
    )


def with_run_id(batch: BatchAdmission, position: int, run_id: str) -> BatchAdmission:
    runs = list(batch.runs)
    runs[position] = replace(runs[position], rebalance_run_id=run_id)
    return BatchAdmission(batch.request, tuple(runs))
