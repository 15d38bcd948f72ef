"""Which operations in SQLite a list or a look-up finds."""

from __future__ import annotations

import sqlite3

from service.domains.operations import Operation, OperationFilter, OperationSummary, StagedScenario
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import EARLIEST, LATEST, Page, empty_page, page_of
from service.errors.operations import OperationNotFound
from service.storage.queries import load
from service.storage.sqlite.operation_rows import head_of, operation_of, staged_of
from service.storage.sqlite.statements import every, from_first_given, one, text_of

SQL = load("sqlite", "operations")
# By the most selective filter that is given.
LISTS = {
    "correlation_id": SQL["list_operations_by_correlation"],
    "status": SQL["list_operations_by_status"],
    "operation_type": SQL["list_operations_by_type"],
    None: SQL["list_operations"],
}


def get_operation(
    conn: sqlite3.Connection, *, tenant_id: str, operation_id: str, cutoff: RetentionCutoff
) -> Operation:
    row = find(conn, "find_operation", cutoff, tenant_id=tenant_id, operation_id=operation_id)
    if row is None:
        raise OperationNotFound(operation_id=operation_id)
    return operation_of(row)


def find_newest_by_correlation(
    conn: sqlite3.Connection, *, tenant_id: str, correlation_id: str, cutoff: RetentionCutoff
) -> Operation | None:
    wanted = {"tenant_id": tenant_id, "correlation_id": correlation_id}
    row = find(conn, "find_newest_operation_by_correlation", cutoff, **wanted)
    return None if row is None else operation_of(row)


def list_heads(
    conn: sqlite3.Connection,
    *,
    tenant_id: str,
    operations: OperationFilter,
    limit: int,
    cursor: str | None,
    cutoff: RetentionCutoff,
) -> Page[OperationSummary]:
    before_at, before_id = LATEST, ""
    if cursor is not None:
        row = find(conn, "find_operation_head", cutoff, tenant_id=tenant_id, operation_id=cursor)
        last = None if row is None else head_of(row)
        if last is None or not operations.matches(last):
            return empty_page()
        before_at, before_id = last.created_at, last.operation_id
    filters = from_first_given({name: getattr(operations, name) for name in LISTS if name is not None})
    rows = every(
        conn,
        LISTS[next(iter(filters), None)],
        **filters,
        tenant_id=tenant_id,
        created_from=text_of(operations.created_from or EARLIEST),
        created_to=text_of(operations.created_to or LATEST),
        operations_since=text_of(cutoff.operations_since),
        before_at=text_of(before_at),
        before_id=before_id,
        limit=limit + 1,
    )
    return page_of([head_of(row) for row in rows], limit, lambda head: head.operation_id)


def find(conn: sqlite3.Connection, query: str, cutoff: RetentionCutoff, **wanted: str) -> sqlite3.Row | None:
    return one(conn, SQL[query], **wanted, operations_since=text_of(cutoff.operations_since))


def list_staged(conn: sqlite3.Connection, *, tenant_id: str, operation_id: str) -> tuple[StagedScenario, ...]:
    rows = every(conn, SQL["list_scenarios"], tenant_id=tenant_id, operation_id=operation_id)
    return tuple(staged_of(row) for row in rows)
