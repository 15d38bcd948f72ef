"""Which operations in PostgreSQL a list or a look-up finds."""

from __future__ import annotations

from service.domains.operations import OperationFilter
from service.domains.retention.cutoffs import RetentionCutoff
from service.storage.postgres.statements import Connection, Row, one
from service.storage.queries import load

SQL = load("postgres", "operations")


def listing_of(operations: OperationFilter) -> tuple[str, dict[str, str | None]]:
    """The query that walks the index of the narrowest filter given, and the values of its filters."""
    filters = {
        "correlation_id": operations.correlation_id,
        "status": operations.status,
        "operation_type": operations.operation_type,
    }
    if operations.correlation_id is not None:
        return "list_operations_by_correlation", filters
    del filters["correlation_id"]
    if operations.status is not None:
        return "list_operations_by_status", filters
    del filters["status"]
    has_type = operations.operation_type is not None
    return ("list_operations_by_type", filters) if has_type else ("list_operations", {})


async def find(
    conn: Connection, query: str, tenant_id: str, operation_id: str, cutoff: RetentionCutoff
) -> Row | None:
    return await one(
        conn,
        SQL[query],
        tenant_id=tenant_id,
        operation_id=operation_id,
        operations_since=cutoff.operations_since,
    )
