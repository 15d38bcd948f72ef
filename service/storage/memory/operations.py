"""Operations in memory. No method awaits between its checks and its writes, so each is atomic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from datetime import datetime
from itertools import islice

from service.domains.dpm_runs import BatchAdmission
from service.domains.operations import (
    MOVES,
    UNEXECUTED,
    Claim,
    Ending,
    Lease,
    Operation,
    OperationError,
    OperationFilter,
    OperationHead,
    OperationStatus,
    Reaped,
    StagedScenario,
    edge_of_operation,
    exhausted_after,
)
from service.domains.pages import EARLIEST, LATEST, Page, empty_page, page_of
from service.domains.proposals import ProposalChange, ProposalKey
from service.domains.retention import Horizon
from service.domains.supportability import Subject
from service.errors import OperationExists, OperationLost, OperationMoved, OperationNotFound
from service.storage.memory import dpm_runs, lineage, proposals
from service.storage.memory.shelves import Place, ShelfKey, Shelves
from service.storage.memory.state import Hold, State

HEAD = tuple(field.name for field in fields(OperationHead))


class MemoryOperations:
    def __init__(self, state: State) -> None:
        self.state = state

    async def submit(self, operation: Operation) -> None:
        state, tenant_id = self.state, operation.tenant_id
        state.require_open()
        assert operation.is_executable and not operation.is_queued, "memory has no queue"
        if (tenant_id, operation.operation_id) in state.operations:
            raise OperationExists(operation_id=operation.operation_id)
        insert_operation(state, operation)
        state.holds[tenant_id, operation.operation_id] = Hold()
        lineage.insert_edges(state, tenant_id, [edge_of_operation(operation)])

    async def claim(self, tenant_id: str, operation_id: str, lease: Lease) -> Claim:
        self.state.require_open()
        held = self.state.operations.get((tenant_id, operation_id))
        if held is None:
            raise OperationNotFound(operation_id=operation_id)
        if held.status is not OperationStatus.PENDING:
            raise OperationMoved(operation_id=operation_id)
        running = replace(
            held, status=OperationStatus.RUNNING, started_at=lease.now, attempt=held.attempt + 1
        )
        fence = self.state.holds[tenant_id, operation_id].fence + 1
        move(self.state, running, Hold(fence, lease.until))
        return Claim(running, fence)

    async def extend(self, claim: Claim, lease: Lease) -> None:
        self.state.require_open()
        held = held_by(self.state, claim, lease.now)
        self.state.holds[key_of(held)] = Hold(claim.fence, lease.until)

    async def stage(self, claim: Claim, scenarios: Sequence[StagedScenario], lease: Lease) -> None:
        state = self.state
        state.require_open()
        held = held_by(state, claim, lease.now)
        staged = dict(state.staged.get(key_of(held), {}))
        added = len({one.scenario for one in scenarios} - staged.keys())
        assert held.scenarios_done + added <= held.scenarios_total, held.operation_id
        for one in scenarios:
            staged.setdefault(one.scenario, one)
        state.staged[key_of(held)] = staged
        move(
            state,
            replace(held, scenarios_done=held.scenarios_done + added),
            Hold(claim.fence, lease.until),
        )

    async def list_staged(self, tenant_id: str, operation_id: str) -> tuple[StagedScenario, ...]:
        self.state.require_open()
        staged = self.state.staged.get((tenant_id, operation_id), {})
        return tuple(staged[scenario] for scenario in sorted(staged))

    async def finish(self, claim: Claim, ending: Ending) -> ProposalKey | None:
        state = self.state
        state.require_open()
        held = held_by(state, claim, ending.finished_at)
        taken = insert_effect(state, ending.effect)
        if taken is not None:
            return taken
        has_succeeded = ending.status is OperationStatus.SUCCEEDED
        done = held.scenarios_total if has_succeeded else held.scenarios_done
        end(state, replace(held, result=ending.result, scenarios_done=done), ending.finished_at, ending.error)
        return None

    async def hand_back(self, claim: Claim, lease: Lease) -> None:
        self.state.require_open()
        held = held_by(self.state, claim, lease.now)
        take_back(self.state, replace(held, attempt=held.attempt - 1))

    async def reap(self, tenant_id: str, *, now: datetime, attempts_max: int, limit: int) -> Reaped:
        state = self.state
        state.require_open()
        taken_back, exhausted = [], []
        for operation in list(islice(those_unheld(state, tenant_id, now), limit)):
            if operation.attempt < attempts_max:
                take_back(state, operation)
                taken_back.append(operation.operation_id)
            else:
                end(state, operation, now, exhausted_after(operation.attempt))
                exhausted.append(operation.operation_id)
        return Reaped(tuple(taken_back), tuple(exhausted))

    async def expire(
        self, tenant_id: str, *, created_before: datetime, now: datetime, limit: int
    ) -> tuple[str, ...]:
        state = self.state
        state.require_open()
        shelf = (tenant_id, OperationStatus.PENDING.value)
        places = state.operations_by_status.older_than(shelf, created_before)
        waiting = (state.operations[tenant_id, operation_id] for _, operation_id in places)
        unexecuted = tuple(islice((one for one in waiting if one.is_analysis), limit))
        for operation in unexecuted:
            end(state, operation, now, UNEXECUTED)
        return tuple(operation.operation_id for operation in unexecuted)

    async def get(self, tenant_id: str, operation_id: str, horizon: Horizon) -> Operation:
        self.state.require_open()
        operation = self.state.operations.get((tenant_id, operation_id))
        if operation is None or not is_there(operation, horizon):
            raise OperationNotFound(operation_id=operation_id)
        return operation

    async def find_newest_by_correlation(
        self, tenant_id: str, correlation_id: str, horizon: Horizon
    ) -> Operation | None:
        self.state.require_open()
        places = self.state.operations_by_correlation.backward((tenant_id, correlation_id))
        return next(those_there(self.state, tenant_id, places, horizon), None)

    async def list(
        self,
        tenant_id: str,
        operations: OperationFilter,
        *,
        limit: int,
        cursor: str | None,
        horizon: Horizon,
    ) -> Page[OperationHead]:
        state = self.state
        state.require_open()
        before = None
        if cursor is not None:
            held = state.operations.get((tenant_id, cursor))
            if held is None or not is_there(held, horizon) or not operations.matches(held):
                return empty_page()
            before = place_of(held)
        shelves, shelf = shelf_for(state, tenant_id, operations)
        places = shelves.backward(
            shelf,
            first=operations.created_from or EARLIEST,
            last=operations.created_to or LATEST,
            before=before,
        )
        rows = filter(operations.matches, those_there(state, tenant_id, places, horizon))
        heads = [head_of(operation) for operation in islice(rows, limit + 1)]
        return page_of(heads, limit, lambda head: head.operation_id)


def held_by(state: State, claim: Claim, now: datetime) -> Operation:
    """The operation as it is. Raises OperationLost when the claim does not hold it at that moment."""
    key = key_of(claim.operation)
    hold = state.holds.get(key)
    if hold is None or hold.fence != claim.fence or hold.until is None or hold.until < now:
        raise OperationLost(operation_id=claim.operation.operation_id)
    return state.operations[key]


def insert_effect(state: State, effect: BatchAdmission | ProposalChange | None) -> ProposalKey | None:
    """Write what came of an operation; or give back what its key stands for already, and write nothing."""
    match effect:
        case BatchAdmission():
            dpm_runs.require_free(state, effect.runs, effect.request)
            dpm_runs.insert_batch(state, effect)
        case ProposalChange():
            taken = proposals.require_changeable(state, effect)
            if taken is not None:
                return taken
            proposals.insert_change(state, effect)
    return None


def those_unheld(state: State, tenant_id: str, now: datetime) -> Iterator[Operation]:
    """The RUNNING operations whose lease has ended, those created first."""
    for _, operation_id in state.operations_by_status.forward((tenant_id, OperationStatus.RUNNING.value)):
        until = state.holds[tenant_id, operation_id].until
        if until is not None and until < now:
            yield state.operations[tenant_id, operation_id]


def take_back(state: State, operation: Operation) -> None:
    """Move a RUNNING operation back to PENDING; what is staged stays."""
    waiting = replace(operation, status=OperationStatus.PENDING, started_at=None)
    move(state, waiting, Hold(state.holds[key_of(operation)].fence))


def end(state: State, operation: Operation, finished_at: datetime, error: OperationError | None) -> None:
    """Move an operation to its end and forget what was staged."""
    status = OperationStatus.SUCCEEDED if error is None else OperationStatus.FAILED
    ended = replace(operation, status=status, finished_at=finished_at, error=error)
    move(state, ended, Hold(state.holds[key_of(operation)].fence))
    if operation.is_analysis:
        state.operations_by_end.put((operation.tenant_id,), (finished_at, operation.operation_id))
    state.staged.pop(key_of(operation), None)


def move(state: State, operation: Operation, hold: Hold) -> None:
    """Write an operation as it is from here on, and who holds it."""
    held = state.operations[key_of(operation)]
    assert operation.status in MOVES[held.status] or operation.status is held.status, held.status
    remove_from_shelves(state, held)
    insert_operation(state, operation)
    state.holds[key_of(operation)] = hold


def insert_operation(state: State, operation: Operation) -> None:
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
    state.operations_by_end.take((tenant_id,), (operation.finished_at, operation_id))
    del state.holds[tenant_id, operation_id]


def shelves_of(state: State, operation: Operation) -> tuple[tuple[Shelves[Place], ShelfKey], ...]:
    """Every shelf that an operation stands on by its creation."""
    return (
        (state.operations_by_creation, (operation.tenant_id,)),
        (state.operations_by_status, (operation.tenant_id, operation.status.value)),
        (state.operations_by_correlation, (operation.tenant_id, operation.correlation_id)),
    )


def shelf_for(state: State, tenant_id: str, operations: OperationFilter) -> tuple[Shelves[Place], ShelfKey]:
    """The shortest shelf with all operations that a filter lets through."""
    if operations.correlation_id is not None:
        return state.operations_by_correlation, (tenant_id, operations.correlation_id)
    if operations.status is not None:
        return state.operations_by_status, (tenant_id, operations.status)
    return state.operations_by_creation, (tenant_id,)


def those_there(
    state: State, tenant_id: str, places: Iterable[Place], horizon: Horizon
) -> Iterator[Operation]:
    """The operations at these places that have not expired."""
    for _, operation_id in places:
        operation = state.operations[tenant_id, operation_id]
        if is_there(operation, horizon):
            yield operation


def is_there(operation: Operation, horizon: Horizon) -> bool:
    return operation.finished_at is None or operation.finished_at >= horizon.operations_since


def head_of(operation: Operation) -> OperationHead:
    return OperationHead(**{name: getattr(operation, name) for name in HEAD})


def place_of(operation: Operation) -> Place:
    return (operation.created_at, operation.operation_id)


def key_of(operation: Operation) -> tuple[str, str]:
    return (operation.tenant_id, operation.operation_id)
