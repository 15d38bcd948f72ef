"""Which operations in memory a list or a look-up finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

from service.domains.operations import Operation, OperationFilter, OperationSummary
from service.domains.retention.cutoffs import RetentionCutoff
from service.storage.memory.tables.sorted_index import Place, ShelfKey, SortedIndex
from service.storage.memory.tables.state import State

HEAD = tuple(field.name for field in fields(OperationSummary))


def shelf_for(
    state: State, tenant_id: str, operations: OperationFilter
) -> tuple[SortedIndex[Place], ShelfKey]:
    """The shortest shelf with all operations that a filter lets through."""
    if operations.correlation_id is not None:
        return state.operations_by_correlation, (tenant_id, operations.correlation_id)
    if operations.status is not None:
        return state.operations_by_status, (tenant_id, operations.status)
    return state.operations_by_creation, (tenant_id,)


def those_there(
    state: State, tenant_id: str, places: Iterable[Place], cutoff: RetentionCutoff
) -> Iterator[Operation]:
    """The operations at these places that have not expired."""
    for _, operation_id in places:
        operation = state.operations[tenant_id, operation_id]
        if is_there(operation, cutoff):
            yield operation


def is_there(operation: Operation, cutoff: RetentionCutoff) -> bool:
    return operation.finished_at is None or operation.finished_at >= cutoff.operations_since


def head_of(operation: Operation) -> OperationSummary:
    return OperationSummary(**{name: getattr(operation, name) for name in HEAD})
