"""Operations in memory whose lease expired, and those that were not executed in time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import islice

from service.domains.operations import (
    UNEXECUTED,
    Operation,
    OperationError,
    OperationStatus,
    Reaped,
    exhausted_after,
    lease_expired,
)
from service.storage.memory.operations.moves import end, requeue
from service.storage.memory.tables.state import State


def reap(
    state: State,
    tenant_id: str,
    *,
    now: datetime,
    attempts_max: int,
    limit: int,
    only: Collection[str] | None,
) -> Reaped:
    requeued, exhausted = [], []
    for operation in chosen_of(islice(those_unheld(state, tenant_id, now), limit), only):
        if operation.attempt < attempts_max:
            error = lease_expired(operation.lease_owner)
            requeue(state, operation, attempt=operation.attempt, error=error, at=now)
            requeued.append(operation.operation_id)
        else:
            end(state, operation, now, exhausted_after(operation.attempt))
            exhausted.append(operation.operation_id)
    return Reaped(tuple(requeued), tuple(exhausted))


def expire(
    state: State,
    tenant_id: str,
    *,
    created_before: datetime,
    now: datetime,
    limit: int,
    only: Collection[str] | None,
) -> tuple[str, ...]:
    shelf = (tenant_id, OperationStatus.PENDING.value)
    places = state.operations_by_status.older_than(shelf, created_before)
    waiting = (state.operations[tenant_id, operation_id] for _, operation_id in places)
    unexecuted = (one for one in waiting if one.is_analysis and not one.is_queued)
    chosen = chosen_of(islice(unexecuted, limit), only)
    for operation in chosen:
        end(state, operation, now, UNEXECUTED)
    return tuple(operation.operation_id for operation in chosen)


def fail_overdue(
    state: State,
    tenant_id: str,
    *,
    started_before: datetime,
    now: datetime,
    error: OperationError,
    limit: int,
    only: Collection[str] | None,
) -> tuple[str, ...]:
    overdue = sorted(
        (operation.first_started_at, operation.operation_id)
        for status in (OperationStatus.PENDING, OperationStatus.RUNNING)
        for _, operation_id in state.operations_by_status.forward((tenant_id, status.value))
        if (operation := state.operations[tenant_id, operation_id]).first_started_at is not None
        and operation.first_started_at < started_before
    )
    chosen = chosen_of((state.operations[tenant_id, name] for _, name in overdue[:limit]), only)
    for operation in chosen:
        end(state, operation, now, error)
    return tuple(operation.operation_id for operation in chosen)


def chosen_of(operations: Iterator[Operation], only: Collection[str] | None) -> list[Operation]:
    return [one for one in operations if only is None or one.operation_id in only]


def those_unheld(state: State, tenant_id: str, now: datetime) -> Iterator[Operation]:
    """The RUNNING operations whose lease has ended, those created first."""
    for _, operation_id in state.operations_by_status.forward((tenant_id, OperationStatus.RUNNING.value)):
        until = state.holds[tenant_id, operation_id].until
        if until is not None and until < now:
            yield state.operations[tenant_id, operation_id]
