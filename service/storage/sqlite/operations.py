"""Operations in SQLite."""

from __future__ import annotations

import sqlite3
from functools import partial

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
from service.storage.queries import load
from service.storage.sqlite import lineage
from service.storage.sqlite.database import Database
from service.storage.sqlite.statements import (
    instant_of,
    one,
    optional_instant_of,
    optional_text_of,
    text_of,
)

SQL = load("sqlite", "operations")


class SqliteOperations:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def submit(self, operation: Operation) -> None:
        await self.database.write(partial(submit, operation=operation))

    async def advance(self, operation: Operation) -> None:
        await self.database.write(partial(advance, operation=operation))

    async def get(self, tenant_id: str, operation_id: str, horizon: Horizon) -> Operation:
        return await self.database.read(
            partial(get_operation, tenant_id=tenant_id, operation_id=operation_id, horizon=horizon)
        )

    async def find_newest_by_correlation(
        self, tenant_id: str, correlation_id: str, horizon: Horizon
    ) -> Operation | None:
        return await self.database.read(
            partial(
                find_newest_by_correlation,
                tenant_id=tenant_id,
                correlation_id=correlation_id,
                horizon=horizon,
            )
        )


def submit(conn: sqlite3.Connection, operation: Operation) -> None:
    assert operation.status is OperationStatus.PENDING, operation.status
    inserted = one(
        conn,
        SQL["insert_operation"],
        tenant_id=operation.tenant_id,
        operation_id=operation.operation_id,
        operation_type=operation.operation_type.value,
        correlation_id=operation.correlation_id,
        created_at=text_of(operation.created_at),
        request_sha256=digest_of(operation.request),
        request=operation.request,
    )
    if inserted is None:
        raise OperationExists(id=operation.operation_id)
    lineage.insert_edges(conn, operation.tenant_id, [edge_of_operation(operation)])


def advance(conn: sqlite3.Connection, operation: Operation) -> None:
    assert operation.status is not OperationStatus.PENDING, "nothing leads to PENDING"
    move = start if operation.status is OperationStatus.RUNNING else finish
    if not move(conn, operation):
        get_operation(
            conn,
            tenant_id=operation.tenant_id,
            operation_id=operation.operation_id,
            horizon=KEEP_ALL,
        )
        raise OperationMoved(operation_id=operation.operation_id)


def start(conn: sqlite3.Connection, operation: Operation) -> bool:
    started = one(
        conn,
        SQL["start_operation"],
        tenant_id=operation.tenant_id,
        operation_id=operation.operation_id,
        started_at=optional_text_of(operation.started_at),
    )
    return started is not None


def finish(conn: sqlite3.Connection, operation: Operation) -> bool:
    error = operation.error
    finished = one(
        conn,
        SQL["finish_operation"],
        tenant_id=operation.tenant_id,
        operation_id=operation.operation_id,
        status=operation.status.value,
        finished_at=optional_text_of(operation.finished_at),
        result=operation.result,
        error_code=error.code if error else None,
        error_message=error.message if error else None,
    )
    return finished is not None


def get_operation(
    conn: sqlite3.Connection, *, tenant_id: str, operation_id: str, horizon: Horizon
) -> Operation:
    row = one(
        conn,
        SQL["find_operation"],
        tenant_id=tenant_id,
        operation_id=operation_id,
        operations_since=text_of(horizon.operations_since),
    )
    if row is None:
        raise OperationNotFound(operation_id=operation_id)
    return operation_of(row)


def find_newest_by_correlation(
    conn: sqlite3.Connection, *, tenant_id: str, correlation_id: str, horizon: Horizon
) -> Operation | None:
    row = one(
        conn,
        SQL["find_newest_operation_by_correlation"],
        tenant_id=tenant_id,
        correlation_id=correlation_id,
        operations_since=text_of(horizon.operations_since),
    )
    return None if row is None else operation_of(row)


def operation_of(row: sqlite3.Row) -> Operation:
    return Operation(
        operation_id=row["operation_id"],
        tenant_id=row["tenant_id"],
        operation_type=OperationType(row["operation_type"]),
        status=OperationStatus(row["status"]),
        correlation_id=row["correlation_id"],
        created_at=instant_of(row["created_at"]),
        started_at=optional_instant_of(row["started_at"]),
        finished_at=optional_instant_of(row["finished_at"]),
        request=row["request"],
        result=row["result"],
        error=None if row["error_code"] is None else OperationError(row["error_code"], row["error_message"]),
    )
