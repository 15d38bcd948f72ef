"""Operations in PostgreSQL: the job of one is kept and deleted in the transaction of the operation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from service.domains.operations import Operation, OperationError
from service.storage.postgres.performing import PostgresActs, perform
from service.storage.postgres.proposals import keep_change
from service.storage.sql.acts import Act, every
from service.storage.sql.operations import acts
from service.storage.sql.operations.operations import SqlOperations

T = TypeVar("T")


class PostgresOperations(SqlOperations):
    def __init__(self, database: PostgresActs) -> None:
        super().__init__(database, keep_change)
        self.connections = database.database

    async def _write_submission(self, act: Callable[[], Act[T]], operation: Operation, *, enqueue: bool) -> T:
        if not (operation.is_queued and enqueue):
            return await super()._write_submission(act, operation, enqueue=False)
        # Where nothing is queued, the engine of the queue is not even loaded.
        from service.storage.postgres.jobs import engine

        async with self.connections.act() as conn:
            held = await perform(conn, act)
            if held is None:
                await engine.enqueue(conn, operation.tenant_id, [operation.operation_id])
            return held

    async def fail(
        self, tenant_id: str, operation_id: str, *, now: datetime, error: OperationError
    ) -> Operation:
        return await self.database.write(fail_with_job, tenant_id, operation_id, now, error)


def fail_with_job(tenant_id: str, operation_id: str, now: datetime, error: OperationError) -> Act[Operation]:
    operation = yield from acts.fail_one(tenant_id, operation_id, now, error)
    if operation.is_queued:
        yield from every("operations", "delete_job", operation_id=operation_id)
    return operation
