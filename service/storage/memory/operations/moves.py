"""How operations in memory move on, and the shelves they stand on meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from service.domains.dpm_runs.supportability import Subject
from service.domains.dpm_runs.values import RecordBatch
from service.domains.operations import (
    MOVES,
    AttemptError,
    Operation,
    OperationError,
    OperationStatus,
)
from service.domains.proposals.values import ProposalChange, ProposalKey
from service.storage.memory.dpm_runs import runs
from service.storage.memory.proposals import proposals
from service.storage.memory.tables.collector import hide
from service.storage.memory.tables.sorted_index import Place, ShelfKey, SortedIndex
from service.storage.memory.tables.state import Hold, State


def requeue(
    state: State,
    operation: Operation,
    *,
    attempt: int,
    error: OperationError,
    at: datetime,
) -> Operation:
    """Move a RUNNING operation back to PENDING and say why; what is staged stays."""
    waiting = replace(
        operation,
        status=OperationStatus.PENDING,
        started_at=None,
        attempt=attempt,
        last_error=AttemptError(error.code, error.message, operation.attempt, at),
    )
    return move(state, waiting, Hold(state.holds[key_of(operation)].fence))


def end(
    state: State,
    operation: Operation,
    finished_at: datetime,
    error: OperationError | None,
) -> Operation:
    """Move an operation to its end and forget what was staged."""
    status = OperationStatus.SUCCEEDED if error is None else OperationStatus.FAILED
    ended = replace(operation, status=status, finished_at=finished_at, error=error)
    if operation.is_analysis:
        state.operations_by_end.put((operation.tenant_id,), (finished_at, operation.operation_id))
    state.staged.pop(key_of(operation), None)
    return move(state, ended, Hold(state.holds[key_of(operation)].fence))


def move(state: State, operation: Operation, hold: Hold) -> Operation:
    """Write an operation as it is from here on, and who holds it."""
    held = state.operations[key_of(operation)]
    assert operation.status in MOVES[held.status] or operation.status is held.status, held.status
    owner = operation.lease_owner if operation.status is OperationStatus.RUNNING else None
    moved = replace(operation, lease_owner=owner, lease_expires_at=hold.until)
    remove_from_shelves(state, held)
    insert_operation(state, moved)
    state.holds[key_of(operation)] = hold
    hide(hold)
    return moved


def insert_operation(state: State, operation: Operation) -> None:
    hide(operation)
    state.operations[key_of(operation)] = operation
    for shelves, shelf in shelves_of(state, operation):
        shelves.put(shelf, place_of(operation))
    if operation.is_analysis:
        state.tally(operation.tenant_id, Subject.OPERATION_STATUS, operation.status.value, 1)


def remove_from_shelves(state: State, operation: Operation) -> None:
    for shelves, shelf in shelves_of(state, operation):
        shelves.take(shelf, place_of(operation))
    if operation.is_analysis:
        state.tally(operation.tenant_id, Subject.OPERATION_STATUS, operation.status.value, -1)


def remove_operation(state: State, tenant_id: str, operation_id: str) -> None:
    """Remove an operation that has ended."""
    operation = state.operations.pop((tenant_id, operation_id))
    assert operation.finished_at is not None, operation.status
    remove_from_shelves(state, operation)
    if operation.is_analysis:
        state.operations_by_end.take((tenant_id,), (operation.finished_at, operation_id))
    del state.holds[tenant_id, operation_id]


def shelves_of(state: State, operation: Operation) -> tuple[tuple[SortedIndex[Place], ShelfKey], ...]:
    """Every shelf that an operation stands on by its creation."""
    return (
        (state.operations_by_creation, (operation.tenant_id,)),
        (state.operations_by_status, (operation.tenant_id, operation.status.value)),
        (state.operations_by_correlation, (operation.tenant_id, operation.correlation_id)),
    )


def place_of(operation: Operation) -> Place:
    return (operation.created_at, operation.operation_id)


def key_of(operation: Operation) -> tuple[str, str]:
    return (operation.tenant_id, operation.operation_id)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch with its digests."""

    admission: RecordBatch
    digests: Sequence[str | None]


async def prepared(effect: RecordBatch | ProposalChange | None) -> Batch | ProposalChange | None:
    """What came of an operation, as it is to be written."""
    match effect:
        case RecordBatch():
            return Batch(effect, await runs.digests_of_batch(effect))
        case ProposalChange():
            return await proposals.stored_of(effect)
    return None


def insert_effect(state: State, effect: Batch | ProposalChange | None) -> ProposalKey | None:
    """Write what came of an operation; or give back the key that is kept already, and write nothing."""
    match effect:
        case Batch(admission, digests):
            runs.require_free(state, admission.runs, admission.request)
            runs.insert_batch(state, admission, digests)
        case ProposalChange():
            taken = proposals.require_changeable(state, effect)
            if taken is not None:
                return taken
            proposals.insert_change(state, effect)
    return None
