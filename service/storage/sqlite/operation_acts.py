"""What is written about one operation in SQLite, in a transaction of the caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from service.domains.dpm_runs.values import RecordBatch
from service.domains.idempotency import IdempotentAnswer
from service.domains.operations import (
    Claim,
    Ending,
    Lease,
    Operation,
    OperationError,
    OperationStatus,
    OperationSummary,
    StagedScenario,
    edge_of_operation,
    end_of,
    exhausted_after,
)
from service.domains.proposals.values import ProposalChange
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.domains.values.canonical import digest_of
from service.errors.operations import LeaseLost, OperationEnded, OperationExists, OperationNotPending
from service.storage.queries import load
from service.storage.sqlite import dpm_runs, idempotent_answers, lineage, proposals
from service.storage.sqlite.operation_lists import get_operation
from service.storage.sqlite.operation_recovery import fail
from service.storage.sqlite.statements import one, run, text_of
from service.storage.texts import require_storable

SQL = load("sqlite", "operations")


def submit(conn: sqlite3.Connection, operation: Operation, trace_id: str | None) -> None:
    require_storable(operation)
    assert operation.status is OperationStatus.PENDING, operation.status
    inserted = one(
        conn,
        SQL["insert_operation"],
        tenant_id=operation.tenant_id,
        operation_id=operation.operation_id,
        operation_type=operation.operation_type.value,
        correlation_id=operation.correlation_id,
        created_at=text_of(operation.created_at),
        is_queued=int(operation.is_queued),
        scenarios_total=operation.scenarios_total,
        request_sha256=digest_of(operation.request),
        request=operation.request,
    )
    if inserted is None:
        raise OperationExists(operation_id=operation.operation_id)
    lineage.insert_edges(conn, operation.tenant_id, [edge_of_operation(operation, trace_id)])


def submit_once(
    conn: sqlite3.Connection,
    operation: Operation,
    answer: IdempotentAnswer,
    cutoff: RetentionCutoff,
    trace_id: str | None,
) -> IdempotentAnswer | None:
    held = idempotent_answers.claim(conn, answer, cutoff)
    if held is None:
        submit(conn, operation, trace_id)
    return held


def claim(conn: sqlite3.Connection, *, tenant_id: str, operation_id: str, lease: Lease) -> Claim:
    wanted = {"tenant_id": tenant_id, "operation_id": operation_id}
    times = {"started_at": text_of(lease.now), "lease_until": text_of(lease.until)}
    claimed = one(conn, SQL["claim_operation"], **wanted, **times, lease_owner=lease.owner)
    operation = get_operation(conn, **wanted, cutoff=KEEP_ALL)
    if claimed is None:
        raise OperationNotPending(operation_id=operation_id)
    return Claim(operation, claimed["fence"])


def extend(conn: sqlite3.Connection, claim: Claim, lease: Lease) -> None:
    hold_on(conn, "extend_operation", claim, now=text_of(lease.now), lease_until=text_of(lease.until))


def stage(conn: sqlite3.Connection, claim: Claim, scenarios: Sequence[StagedScenario], lease: Lease) -> None:
    now = text_of(lease.now)
    # Asked before anything is written: what is no longer there has no scenarios either.
    hold_on(conn, "extend_operation", claim, now=now, lease_until=now)
    added = sum(insert_scenario(conn, claim, staged) for staged in scenarios)
    hold_on(conn, "advance_operation", claim, added=added, now=now, lease_until=text_of(lease.until))


def insert_scenario(conn: sqlite3.Connection, claim: Claim, staged: StagedScenario) -> bool:
    """Keep what came of a scenario; false when that was kept before."""
    inserted = one(
        conn,
        SQL["insert_scenario"],
        **of(claim.operation),
        scenario=staged.scenario,
        status=None if staged.status is None else staged.status.value,
        failure=staged.failure,
        metric=staged.metric,
        result=staged.result,
    )
    return inserted is not None


def finish(conn: sqlite3.Connection, claim: Claim, ending: Ending) -> None:
    error = ending.error
    hold_on(
        conn,
        "finish_operation",
        claim,
        status=ending.status.value,
        finished_at=text_of(ending.finished_at),
        result=ending.result,
        error_code=error.code if error else None,
        error_message=error.message if error else None,
    )
    run(conn, SQL["delete_scenarios"], **of(claim.operation))
    match ending.effect:
        case RecordBatch() as batch:
            dpm_runs.admit_batch(conn, batch)
        case ProposalChange() as change:
            proposals.keep_own_change(conn, change)


def release(
    conn: sqlite3.Connection, claim: Claim, lease: Lease, error: OperationError, attempts_max: int | None
) -> bool:
    row = hold_on(
        conn,
        "hand_back_operation",
        claim,
        now=text_of(lease.now),
        uncounted_since=text_of(lease.uncounted_since),
        error_code=error.code,
        error_message=error.message,
    )
    if attempts_max is None or row["attempt"] < attempts_max:
        return False
    fail(conn, "fail_operation", of(claim.operation), lease.now, exhausted_after(row["attempt"]))
    return True


def fail_one(
    conn: sqlite3.Connection, *, tenant_id: str, operation_id: str, now: datetime, error: OperationError
) -> Operation:
    place = {"tenant_id": tenant_id, "operation_id": operation_id}
    end = {"finished_at": text_of(now), "error_code": error.code, "error_message": error.message}
    ended = one(conn, SQL["fail_operation"], **place, **end)
    operation = get_operation(conn, **place, cutoff=KEEP_ALL)
    if ended is None:
        raise OperationEnded(**end_of(operation))
    run(conn, SQL["delete_scenarios"], **place)
    return operation


def hold_on(conn: sqlite3.Connection, query: str, claim: Claim, **values: Any) -> sqlite3.Row:
    """Write as the holder of an operation. Raises LeaseLost once somebody else may have it."""
    row = one(conn, SQL[query], **of(claim.operation), fence=claim.fence, **values)
    if row is None:
        raise LeaseLost(operation_id=claim.operation.operation_id)
    return row


def of(operation: OperationSummary) -> dict[str, str]:
    return {"tenant_id": operation.tenant_id, "operation_id": operation.operation_id}
