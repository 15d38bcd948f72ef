"""What is written about one operation, in the transaction of the caller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from service.domains.idempotency import IdempotentAnswer
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
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.errors.operations import (
    LeaseLost,
    OperationEnded,
    OperationExists,
    OperationNotFound,
    OperationNotPending,
)
from service.storage.sql import idempotent_answers, lineage
from service.storage.sql.acts import Act, ReferenceMissing, Row, every, many, one
from service.storage.sql.operations.lists import NOUN, get_operation
from service.storage.sql.operations.recovery import fail
from service.storage.sql.operations.rows import key_of, row_of, row_of_staged
from service.storage.texts import require_storable


def submit(operation: Operation, request_sha256: str, trace_id: str | None) -> Act[None]:
    require_storable(operation)
    assert operation.status is OperationStatus.PENDING, operation.status
    if (yield from one(NOUN, "insert_operation", **row_of(operation, request_sha256))) is None:
        raise OperationExists(operation_id=operation.operation_id)
    yield from lineage.insert_edges(operation.tenant_id, [edge_of_operation(operation, trace_id)])


def submit_once(
    operation: Operation,
    request_sha256: str,
    answer: IdempotentAnswer,
    cutoff: RetentionCutoff,
    trace_id: str | None,
) -> Act[IdempotentAnswer | None]:
    held = yield from idempotent_answers.claim(answer, cutoff)
    if held is None:
        yield from submit(operation, request_sha256, trace_id)
    return held


def claim(tenant_id: str, operation_id: str, lease: Lease) -> Act[int]:
    """Gives the fence of the claim."""
    place = {"tenant_id": tenant_id, "operation_id": operation_id}
    times = {"started_at": lease.now, "lease_until": lease.until}
    row = yield from one(NOUN, "claim_operation", **place, **times, lease_owner=lease.owner)
    if row is not None:
        return int(row["fence"])
    since = KEEP_ALL.operations_since
    if (yield from one(NOUN, "find_operation_head", **place, operations_since=since)) is None:
        raise OperationNotFound(operation_id=operation_id)
    raise OperationNotPending(operation_id=operation_id)


def get_claim(tenant_id: str, operation_id: str, fence: int) -> Act[Claim]:
    return Claim((yield from get_operation(tenant_id, operation_id, KEEP_ALL)), fence)


def extend(claim: Claim, lease: Lease) -> Act[None]:
    yield from hold_on("extend_operation", claim, now=lease.now, lease_until=lease.until)


def stage(claim: Claim, scenarios: Sequence[StagedScenario], lease: Lease) -> Act[None]:
    # In one order, so that two workers that stage the same never wait for each other.
    staged = sorted(scenarios, key=lambda one: one.scenario)
    rows = [row_of_staged(claim.operation, one) for one in staged]
    try:
        added = len((yield from many(NOUN, "insert_scenario", rows)))
    except ReferenceMissing:
        # The operation has ended, and was purged since.
        raise LeaseLost(operation_id=claim.operation.operation_id) from None
    times = {"now": lease.now, "lease_until": lease.until}
    yield from hold_on("advance_operation", claim, added=added, **times)


def finish(claim: Claim, ending: Ending, effect: Callable[[], Act[None]] | None) -> Act[None]:
    """`effect` keeps what came of the operation."""
    error = ending.error
    yield from hold_on(
        "finish_operation",
        claim,
        status=ending.status.value,
        finished_at=ending.finished_at,
        result=ending.result,
        error_code=error.code if error else None,
        error_message=error.message if error else None,
    )
    yield from every(NOUN, "delete_scenarios", **key_of(claim.operation))
    if effect is not None:
        yield from effect()


def release(claim: Claim, lease: Lease, error: OperationError, attempts_max: int | None) -> Act[bool]:
    row = yield from hold_on(
        "release_operation",
        claim,
        now=lease.now,
        uncounted_since=lease.uncounted_since,
        error_code=error.code,
        error_message=error.message,
    )
    if attempts_max is None or row["attempt"] < attempts_max:
        return False
    errors = {claim.operation.operation_id: exhausted_after(row["attempt"])}
    yield from fail("fail_operation", claim.operation.tenant_id, lease.now, errors)
    return True


def fail_one(tenant_id: str, operation_id: str, now: datetime, error: OperationError) -> Act[Operation]:
    place = {"tenant_id": tenant_id, "operation_id": operation_id}
    end = {"finished_at": now, "error_code": error.code, "error_message": error.message}
    ended = yield from one(NOUN, "fail_operation", **place, **end)
    operation = yield from get_operation(tenant_id, operation_id, KEEP_ALL)
    if ended is None:
        raise OperationEnded(**end_of(operation))
    yield from every(NOUN, "delete_scenarios", **place)
    return operation


def hold_on(query: str, claim: Claim, **values: object) -> Act[Row]:
    """Write as the holder of an operation. Raises LeaseLost once another worker may have it."""
    row = yield from one(NOUN, query, **key_of(claim.operation), fence=claim.fence, **values)
    if row is None:
        raise LeaseLost(operation_id=claim.operation.operation_id)
    return row
