"""What the shadow is told about operations, and about what retention removes.

An act of a holder that has lost its claim wrote nothing and is not asked about: whether a claim is lost
cannot be read. What a sweep chooses depends on when leases were extended, also by other processes, whose
acts reach the shadow on ways of their own; so it is told which operations the primary chose, and only then.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from service.domains.dpm_runs.values import RecordBatch
from service.domains.idempotency import IdempotentAnswer
from service.domains.operations import (
    Claim,
    Ending,
    Lease,
    Operation,
    OperationStatus,
    Reaped,
)
from service.domains.proposals.values import ProposalChange
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.domains.retention.deletions import DeletionBatch
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.operations import OperationNotFound, OperationNotPending
from service.errors.proposals import ProposalConcurrentUpdate, ProposalNotFound
from service.storage.ports.store import Store
from service.storage.shadow import proposal_writes, run_writes
from service.storage.shadow.writes import Ask, Failed, MirroredRead, MirroredWrite, Outcome, Succeeded

# Of what a sweep chose, so many are read back.
SWEPT_LOOKED_AT = 5
# The shadow finds what the primary chose though much else may wait there that it was never told the end of.
SWEPT_AT_ONCE = 10_000


def submit(outcome: Outcome | None, operation: Operation, **_: object) -> MirroredWrite:
    return MirroredWrite(
        entity_id=operation.operation_id,
        tenant_id=operation.tenant_id,
        touches=frozenset({operation.operation_id}),
        wrote=isinstance(outcome, Succeeded),
        # Workers are offered it once, by the primary.
        more={"enqueue": False},
        looks=(look_at(operation.tenant_id, operation.operation_id),),
        size=len(operation.request),
        correlation_id=operation.correlation_id,
    )


def submit_once(
    outcome: Outcome | None,
    operation: Operation,
    answer: IdempotentAnswer,
    cutoff: RetentionCutoff,
    **_: object,
) -> MirroredWrite:
    told = submit(outcome, operation)
    # An answer that was given before wrote nothing.
    return replace(
        told,
        touches=told.touches | {key_of(answer)},
        wrote=isinstance(outcome, Succeeded) and outcome.value is None,
        size=told.size + len(answer.answer),
    )


def fail(outcome: Outcome | None, tenant_id: str, operation_id: str, **_: object) -> MirroredWrite:
    return MirroredWrite(
        entity_id=operation_id,
        tenant_id=tenant_id,
        touches=frozenset({operation_id}),
        wrote=isinstance(outcome, Succeeded),
        looks=(look_at(tenant_id, operation_id),),
    )


def claim(outcome: Outcome | None, tenant_id: str, operation_id: str, lease: Lease) -> MirroredWrite:
    async def would_be_refused(shadow: Store) -> None:
        operation = await shadow.operations.get(tenant_id, operation_id, KEEP_ALL)
        if operation.status is not OperationStatus.PENDING:
            raise OperationNotPending(operation_id=operation_id)

    asked = isinstance(outcome, Failed) and isinstance(
        outcome.refusal, OperationNotPending | OperationNotFound
    )
    return MirroredWrite(
        entity_id=operation_id,
        tenant_id=tenant_id,
        touches=frozenset({operation_id}),
        wrote=isinstance(outcome, Succeeded),
        echo=would_be_refused if asked else None,
        looks=(look_at(tenant_id, operation_id),),
    )


def extend(outcome: Outcome | None, claim: Claim, lease: Lease) -> MirroredWrite:
    return of_holder(outcome, claim)


def stage(outcome: Outcome | None, claim: Claim, scenarios: Collection[Any], lease: Lease) -> MirroredWrite:
    size = sum(len(staged.result or b"") for staged in scenarios)
    return of_holder(outcome, claim, size=size)


def release(outcome: Outcome | None, claim: Claim, lease: Lease, **_: object) -> MirroredWrite:
    return of_holder(outcome, claim)


def of_holder(outcome: Outcome | None, claim: Claim, *, size: int = 0) -> MirroredWrite:
    operation = claim.operation
    return MirroredWrite(
        entity_id=operation.operation_id,
        tenant_id=operation.tenant_id,
        touches=frozenset({operation.operation_id}),
        wrote=isinstance(outcome, Succeeded),
        looks=(look_at(operation.tenant_id, operation.operation_id),),
        size=size + len(operation.request),
        correlation_id=operation.correlation_id,
    )


def finish(outcome: Outcome | None, claim: Claim, ending: Ending) -> MirroredWrite:
    operation = claim.operation
    touches, size = {operation.operation_id}, len(operation.request) + len(ending.result or b"")
    looks = [look_at(operation.tenant_id, operation.operation_id)]
    echo: Ask | None = None
    match ending.effect:
        case RecordBatch() as batch:
            touches |= run_writes.names_of_batch(batch)
            looks += run_writes.looks_of_batch(batch)
            size += run_writes.size_of(batch.request, batch.runs, batch.artifacts)
        case ProposalChange() as change:
            told = proposal_writes.change(outcome, change)
            touches |= told.touches
            looks += told.looks
            size += told.size
            match outcome:
                case Succeeded(value) if value is not None:
                    echo = told.echo
                case Failed(IdempotencyKeyConflict() | ProposalConcurrentUpdate() | ProposalNotFound()):
                    echo = told.echo
    return MirroredWrite(
        entity_id=operation.operation_id,
        tenant_id=operation.tenant_id,
        touches=frozenset(touches),
        wrote=isinstance(outcome, Succeeded) and outcome.value is None,
        echo=echo,
        looks=looks,
        size=size,
        correlation_id=operation.correlation_id,
    )


def reap(outcome: Outcome | None, tenant_id: str, **_: object) -> MirroredWrite:
    match outcome:
        case Succeeded(Reaped() as reaped):
            return recovered(tenant_id, (*reaped.requeued, *reaped.exhausted))
    return recovered(tenant_id, ())


def expire(outcome: Outcome | None, tenant_id: str, **_: object) -> MirroredWrite:
    match outcome:
        case Succeeded(tuple() as ids):
            return recovered(tenant_id, ids)
    return recovered(tenant_id, ())


def fail_overdue(outcome: Outcome | None, tenant_id: str, **_: object) -> MirroredWrite:
    return expire(outcome, tenant_id)


def key_of(answer: IdempotentAnswer) -> str:
    return f"answer {answer.family.value} {answer.idempotency_key}"


def recovered(tenant_id: str, ids: tuple[str, ...]) -> MirroredWrite:
    return MirroredWrite(
        entity_id=", ".join(ids[:SWEPT_LOOKED_AT]),
        tenant_id=tenant_id,
        touches=frozenset(ids),
        wrote=bool(ids),
        more={"only": frozenset(ids), "limit": SWEPT_AT_ONCE},
        looks=tuple(look_at(tenant_id, operation_id) for operation_id in ids[:SWEPT_LOOKED_AT]),
    )


def compact(outcome: Outcome | None) -> MirroredWrite:
    """Changes no count, so there is nothing to compare."""
    return MirroredWrite(entity_id="summary", wrote=isinstance(outcome, Succeeded), compared=False)


def remove(outcome: Outcome | None, purge: DeletionBatch) -> MirroredWrite:
    """What has expired is chosen by the cutoff; what the shadow never had it cannot remove."""
    return MirroredWrite(
        entity_id=purge.purge_id,
        tenant_id=purge.tenant_id,
        touches=frozenset({"purge"}),
        # Without a value another instance was at it.
        wrote=isinstance(outcome, Succeeded) and outcome.value is not None,
        counts=True,
    )


def look_at(tenant_id: str, operation_id: str) -> MirroredRead:
    return MirroredRead("operation", lambda store: store.operations.get(tenant_id, operation_id, KEEP_ALL))
