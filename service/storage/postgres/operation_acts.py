"""What is written about one operation in PostgreSQL, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from service.domains.dpm_runs.values import RecordBatch
from service.domains.operations import (
    Claim,
    Ending,
    Lease,
    Operation,
    OperationError,
    OperationStatus,
    StagedScenario,
    edge_of_operation,
    end_of,
    exhausted_after,
)
from service.domains.retention.cutoffs import KEEP_ALL
from service.errors.operations import (
    LeaseLost,
    OperationEnded,
    OperationExists,
    OperationNotFound,
    OperationNotPending,
)
from service.storage.digests import digests_of
from service.storage.postgres import dpm_runs, lineage, proposals
from service.storage.postgres.operation_lists import find
from service.storage.postgres.operation_recovery import fail
from service.storage.postgres.operation_rows import operation_of, row_of, row_of_staged
from service.storage.postgres.statements import Connection, Row, many, one, run
from service.storage.queries import load
from service.storage.texts import require_storable

SQL = load("postgres", "operations")


async def submit(conn: Connection, operation: Operation, *, trace_id: str | None, offer: bool) -> None:
    require_storable(operation)
    assert operation.status is OperationStatus.PENDING, operation.status
    (request_sha256,) = await digests_of(operation.request)
    if await one(conn, SQL["insert_operation"], **row_of(operation, request_sha256)) is None:
        raise OperationExists(id=operation.operation_id)
    await lineage.insert_edges(conn, operation.tenant_id, [edge_of_operation(operation, trace_id)])
    if operation.is_queued and offer:
        # Where nothing is queued, the engine of the queue is not even loaded.
        from service.storage.postgres import job_offers

        await job_offers.offer(conn, operation.tenant_id, [operation.operation_id])


async def claim(conn: Connection, tenant_id: str, operation_id: str, lease: Lease) -> int:
    """Gives the fence of the claim."""
    row = await one(
        conn,
        SQL["claim_operation"],
        tenant_id=tenant_id,
        operation_id=operation_id,
        started_at=lease.now,
        lease_until=lease.until,
        lease_owner=lease.owner,
    )
    if row is not None:
        return int(row["fence"])
    if await find(conn, "find_operation_head", tenant_id, operation_id, KEEP_ALL) is None:
        raise OperationNotFound(operation_id=operation_id)
    raise OperationNotPending(operation_id=operation_id)


async def stage(conn: Connection, claim: Claim, scenarios: Sequence[StagedScenario], lease: Lease) -> None:
    operation = claim.operation
    # In one order, so that two who stage the same never wait for each other.
    staged = sorted(scenarios, key=lambda one: one.scenario)
    rows = [row_of_staged(operation.tenant_id, operation.operation_id, one) for one in staged]
    try:
        added = len(await many(conn, SQL["insert_scenario"], rows))
    except asyncpg.ForeignKeyViolationError:
        # The operation has ended, and was purged since.
        raise LeaseLost(operation_id=operation.operation_id) from None
    times = {"now": lease.now, "lease_until": lease.until}
    await hold_on(conn, "advance_operation", claim, added=added, **times)


async def finish(conn: Connection, claim: Claim, ending: Ending) -> None:
    operation, error = claim.operation, ending.error
    await hold_on(
        conn,
        "finish_operation",
        claim,
        status=ending.status.value,
        finished_at=ending.finished_at,
        result=ending.result,
        error_code=error.code if error else None,
        error_message=error.message if error else None,
    )
    await run(
        conn, SQL["delete_scenarios"], tenant_id=operation.tenant_id, operation_id=operation.operation_id
    )
    if isinstance(ending.effect, RecordBatch):
        await dpm_runs.admit_batch(conn, ending.effect)
    elif ending.effect is not None:
        await proposals.keep_change(conn, ending.effect)


async def release(
    conn: Connection, claim: Claim, lease: Lease, *, error: OperationError, attempts_max: int | None
) -> bool:
    row = await hold_on(
        conn,
        "hand_back_operation",
        claim,
        now=lease.now,
        uncounted_since=lease.uncounted_since,
        error_code=error.code,
        error_message=error.message,
    )
    if attempts_max is None or row["attempt"] < attempts_max:
        return False
    errors = {claim.operation.operation_id: exhausted_after(row["attempt"])}
    await fail(conn, "fail_operation", claim.operation.tenant_id, lease.now, errors)
    return True


async def fail_one(
    conn: Connection, tenant_id: str, operation_id: str, *, now: datetime, error: OperationError
) -> Operation:
    end = {"finished_at": now, "error_code": error.code, "error_message": error.message}
    place = {"tenant_id": tenant_id, "operation_id": operation_id}
    ended = await one(conn, SQL["fail_operation"], **place, **end)
    row = await find(conn, "find_operation", tenant_id, operation_id, KEEP_ALL)
    if row is None:
        raise OperationNotFound(operation_id=operation_id)
    operation = operation_of(row)
    if ended is None:
        raise OperationEnded(**end_of(operation))
    await run(conn, SQL["delete_scenarios"], **place)
    if operation.is_queued:
        await run(conn, SQL["delete_job"], operation_id=operation_id)
    return operation


async def hold_on(conn: Connection, query: str, claim: Claim, **values: object) -> Row:
    """Write as the holder of an operation. Raises LeaseLost once somebody else may have it."""
    tenant_id, operation_id = claim.operation.tenant_id, claim.operation.operation_id
    place = {"tenant_id": tenant_id, "operation_id": operation_id, "fence": claim.fence}
    row = await one(conn, SQL[query], **place, **values)
    if row is None:
        raise LeaseLost(operation_id=operation_id)
    return row
