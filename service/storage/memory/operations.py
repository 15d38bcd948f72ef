"""Operations in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from service.domains.operations import Operation, OperationStatus, edge_of_operation
from service.domains.retention import Horizon
from service.domains.supportability import Subject
from service.errors import OperationExists, OperationMoved, OperationNotFound
from service.storage.memory import lineage
from service.storage.memory.shelves import Place
from service.storage.memory.state import State


class MemoryOperations:
    def __init__(self, state: State) -> None:
        self.state = state

    async def submit(self, operation: Operation) -> None:
        state, tenant_id = self.state, operation.tenant_id
        state.require_open()
        assert operation.status is OperationStatus.PENDING, operation.status
        if (tenant_id, operation.operation_id) in state.operations:
            raise OperationExists(operation_id=operation.operation_id)
        state.operations[tenant_id, operation.operation_id] = operation
        state.operations_by_creation.put((tenant_id,), place_of(operation))
        state.operations_by_correlation.put((tenant_id, operation.correlation_id), place_of(operation))
        state.tally(tenant_id, Subject.OPERATION_STATUS, operation.status.value, 1)
        lineage.insert_edges(state, tenant_id, [edge_of_operation(operation)])

    async def advance(self, operation: Operation) -> None:
        state, tenant_id = self.state, operation.tenant_id
        state.require_open()
        held = state.operations.get((tenant_id, operation.operation_id))
        if held is None:
            raise OperationNotFound(operation_id=operation.operation_id)
        moved = moved_on(held, operation)
        state.operations[tenant_id, held.operation_id] = moved
        if moved.finished_at is not None:
            state.operations_by_end.put((tenant_id,), (moved.finished_at, moved.operation_id))
        state.tally(tenant_id, Subject.OPERATION_STATUS, held.status.value, -1)
        state.tally(tenant_id, Subject.OPERATION_STATUS, moved.status.value, 1)

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


def moved_on(held: Operation, operation: Operation) -> Operation:
    """An operation with what its move changes; the rest stays as it was submitted."""
    starts = operation.status is OperationStatus.RUNNING
    assert starts or operation.finished_at is not None, operation.status
    if held.status is not (OperationStatus.PENDING if starts else OperationStatus.RUNNING):
        raise OperationMoved(operation_id=held.operation_id)
    if starts:
        return replace(held, status=operation.status, started_at=operation.started_at)
    return replace(
        held,
        status=operation.status,
        finished_at=operation.finished_at,
        result=operation.result,
        error=operation.error,
    )


def those_there(
    state: State, tenant_id: str, places: Iterator[Place], horizon: Horizon
) -> Iterator[Operation]:
    """The operations at these places that have not expired."""
    for _, operation_id in places:
        operation = state.operations[tenant_id, operation_id]
        if is_there(operation, horizon):
            yield operation


def is_there(operation: Operation, horizon: Horizon) -> bool:
    return operation.finished_at is None or operation.finished_at >= horizon.operations_since


def place_of(operation: Operation) -> Place:
    return (operation.created_at, operation.operation_id)


def remove_operation(state: State, tenant_id: str, operation_id: str) -> None:
    """Remove an operation that has ended."""
    operation = state.operations.pop((tenant_id, operation_id))
    assert operation.finished_at is not None, operation.status
    state.operations_by_creation.take((tenant_id,), place_of(operation))
    state.operations_by_correlation.take((tenant_id, operation.correlation_id), place_of(operation))
    state.operations_by_end.take((tenant_id,), (operation.finished_at, operation_id))
    state.tally(tenant_id, Subject.OPERATION_STATUS, operation.status.value, -1)
