"""Which operations a list or a look-up finds."""

from __future__ import annotations

from service.domains.operations import Operation, OperationFilter, OperationSummary, StagedScenario
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import EARLIEST, LATEST, Page
from service.errors.operations import OperationNotFound
from service.storage.sql.acts import Act, every, one
from service.storage.sql.listing import Listing
from service.storage.sql.operations.rows import operation_of, staged_of, summary_of

NOUN = "operations"

OPERATIONS = Listing(
    noun=NOUN,
    queries={
        "correlation_id": "list_operations_by_correlation",
        "status": "list_operations_by_status",
        "operation_type": "list_operations_by_type",
        None: "list_operations",
    },
    find="find_operation_head",
    id_name="operation_id",
    read=summary_of,
    place=lambda operation: (operation.created_at, operation.operation_id),
)


def get_operation(tenant_id: str, operation_id: str, cutoff: RetentionCutoff) -> Act[Operation]:
    wanted = {"tenant_id": tenant_id, "operation_id": operation_id}
    row = yield from one(NOUN, "find_operation", **wanted, operations_since=cutoff.operations_since)
    if row is None:
        raise OperationNotFound(operation_id=operation_id)
    return operation_of(row)


def find_newest_by_correlation(
    tenant_id: str, correlation_id: str, cutoff: RetentionCutoff
) -> Act[Operation | None]:
    row = yield from one(
        NOUN,
        "find_newest_operation_by_correlation",
        tenant_id=tenant_id,
        correlation_id=correlation_id,
        operations_since=cutoff.operations_since,
    )
    return None if row is None else operation_of(row)


def list_staged(tenant_id: str, operation_id: str) -> Act[tuple[StagedScenario, ...]]:
    rows = yield from every(NOUN, "list_scenarios", tenant_id=tenant_id, operation_id=operation_id)
    return tuple(staged_of(row) for row in rows)


def list_operations(
    tenant_id: str,
    operations: OperationFilter,
    *,
    limit: int,
    cursor: str | None,
    cutoff: RetentionCutoff,
) -> Act[Page[OperationSummary]]:
    return OPERATIONS.page(
        filters={
            "correlation_id": operations.correlation_id,
            "status": operations.status,
            "operation_type": operations.operation_type,
        },
        matches=lambda row: operations.matches(summary_of(row)),
        cursor=cursor,
        limit=limit,
        found={"tenant_id": tenant_id, "operations_since": cutoff.operations_since},
        bounds={
            "created_from": operations.created_from or EARLIEST,
            "created_to": operations.created_to or LATEST,
        },
    )
