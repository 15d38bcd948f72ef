"""Operations in PostgreSQL."""

from __future__ import annotations

from service.domains.canonical import digest_of
from service.domains.operations import (
    Operation,
    OperationError,
    OperationStatus,
    OperationType,
    edge_of_operation,
)
from service.domains.retention import KEEP_ALL, Horizon
from service.errors import OperationExists, OperationMoved, OperationNotFound
from service.storage.postgres import lineage
from service.storage.postgres.database import Database
from service.storage.postgres.statements import Connection, Row, one
from service.storage.queries import load

SQL = load("postgres", "operations")


class PostgresOperations:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def submit(self, operation: Operation) -> None:
        async with self.database.act() as conn:
            await submit(conn, operation)

    async def advance(self, operation: Operation) -> None:
        async with self.database.act() as conn:
            await advance(conn, operation)

    async def get(self, tenant_id: str, operation_id: str, horizon: Horizon) -> Operation:
        async with self.database.look() as conn:
            operation = await find_operation(conn, tenant_id, operation_id, horizon)
        if operation is None:
            raise OperationNotFound(operation_id=operation_id)
        return operation

    async def find_newest_by_correlation(
        self, tenant_id: str, correlation_id: str, horizon: Horizon
    ) -> Operation | None:
        async with self.database.look() as conn:
            row = await one(
                conn,
                SQL["find_newest_operation_by_correlation"],
                tenant_id=tenant_id,
                correlation_id=correlation_id,
                operations_since=horizon.operations_since,
            )
        return None if row is None else operation_of(row)


async def submit(conn: Connection, operation: Operation) -> None:
    assert operation.status is OperationStatus.PENDING, operation.status
    inserted = await one(
        conn,
        SQL["insert_operation"],
        tenant_id=operation.tenant_id,
        operation_id=operation.operation_id,
        operation_type=operation.operation_type.value,
        correlation_id=operation.correlation_id,
        created_at=operation.created_at,
        request_sha256=digest_of(operation.request),
        request=operation.request,
    )
    if inserted is None:
        raise OperationExists(id=operation.operation_id)
    await lineage.insert_edges(conn, operation.tenant_id, [edge_of_operation(operation)])


async def advance(conn: Connection, operation: Operation) -> None:
    if operation.status is OperationStatus.RUNNING:
        moved = await one(
            conn,
            SQL["start_operation"],
            tenant_id=operation.tenant_id,
            operation_id=operation.operation_id,
            started_at=operation.started_at,
        )
    else:
        assert operation.status is not OperationStatus.PENDING, "nothing moves back to PENDING"
        moved = await one(
            conn,
            SQL["finish_operation"],
            tenant_id=operation.tenant_id,
            operation_id=operation.operation_id,
            status=operation.status.value,
            finished_at=operation.finished_at,
            result=operation.result,
            error_code=operation.error.code if operation.error else None,
            error_message=operation.error.message if operation.error else None,
        )
    if moved is None:
        await require_there(conn, operation)
        raise OperationMoved(id=operation.operation_id)


async def require_there(conn: Connection, operation: Operation) -> None:
    if await find_operation(conn, operation.tenant_id, operation.operation_id, KEEP_ALL) is None:
        raise OperationNotFound(operation_id=operation.operation_id)


async def find_operation(
    conn: Connection, tenant_id: str, operation_id: str, horizon: Horizon
) -> Operation | None:
    row = await one(
        conn,
        SQL["find_operation"],
        tenant_id=tenant_id,
        operation_id=operation_id,
        operations_since=horizon.operations_since,
    )
    return None if row is None else operation_of(row)


def operation_of(row: Row) -> Operation:
    error = (
        None
        if row["error_code"] is None
        else OperationError(code=row["error_code"], message=row["error_message"])
    )
    return Operation(
        operation_id=row["operation_id"],
        tenant_id=row["tenant_id"],
        operation_type=OperationType(row["operation_type"]),
        status=OperationStatus(row["status"]),
        correlation_id=row["correlation_id"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        request=row["request"],
        result=row["result"],
        error=error,
    )
