"""Operations in PostgreSQL. Functions that take `conn` run in the caller's transaction and begin none."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import asyncpg

from service.domains.dpm_runs import BatchAdmission
from service.domains.operations import (
    Claim,
    Ending,
    Lease,
    Operation,
    OperationFilter,
    OperationHead,
    OperationStatus,
    Reaped,
    StagedScenario,
    edge_of_operation,
)
from service.domains.pages import EARLIEST, LATEST, Page, empty_page, page_of
from service.domains.proposals import ProposalKey
from service.domains.retention import KEEP_ALL, Horizon
from service.errors import OperationExists, OperationLost, OperationMoved, OperationNotFound
from service.storage.postgres import dpm_runs, lineage, proposals
from service.storage.postgres.database import Database
from service.storage.postgres.operation_rows import (
    head_of,
    operation_of,
    row_of,
    row_of_staged,
    staged_of,
)
from service.storage.postgres.operation_sweeps import expire, reap
from service.storage.postgres.statements import Connection, Row, every, many, one, run
from service.storage.queries import load
from service.storage.texts import require_storable

SQL = load("postgres", "operations")


class PostgresOperations:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def submit(self, operation: Operation, *, trace_id: str | None = None, offer: bool = True) -> None:
        async with self.database.act() as conn:
            await submit(conn, operation, trace_id=trace_id, offer=offer)

    async def claim(self, tenant_id: str, operation_id: str, lease: Lease) -> Claim:
        async with self.database.act() as conn:
            fence = await claim(conn, tenant_id, operation_id, lease)
        # What is to be done may be long, and who is frozen while reading it must hold no lock.
        return Claim(await self.get(tenant_id, operation_id, KEEP_ALL), fence)

    async def extend(self, claim: Claim, lease: Lease) -> None:
        async with self.database.act() as conn:
            await hold_on(conn, "extend_operation", claim, now=lease.now, lease_until=lease.until)

    async def stage(self, claim: Claim, scenarios: Sequence[StagedScenario], lease: Lease) -> None:
        async with self.database.act() as conn:
            await stage(conn, claim, scenarios, lease)

    async def list_staged(self, tenant_id: str, operation_id: str) -> tuple[StagedScenario, ...]:
        async with self.database.look() as conn:
            rows = await every(conn, SQL["list_scenarios"], tenant_id=tenant_id, operation_id=operation_id)
        return tuple(staged_of(row) for row in rows)

    async def finish(self, claim: Claim, ending: Ending) -> ProposalKey | None:
        try:
            async with self.database.act() as conn:
                await finish(conn, claim, ending)
        except proposals.KeyTaken as taken:
            return await proposals.replay(self.database, taken.key)
        return None

    async def hand_back(self, claim: Claim, lease: Lease) -> None:
        async with self.database.act() as conn:
            await hold_on(conn, "hand_back_operation", claim, now=lease.now)

    async def reap(
        self,
        tenant_id: str,
        *,
        now: datetime,
        attempts_max: int,
        limit: int,
        only: Collection[str] | None = None,
    ) -> Reaped:
        async with self.database.act() as conn:
            return await reap(conn, tenant_id, now=now, attempts_max=attempts_max, limit=limit, only=only)

    async def expire(
        self,
        tenant_id: str,
        *,
        created_before: datetime,
        now: datetime,
        limit: int,
        only: Collection[str] | None = None,
    ) -> tuple[str, ...]:
        async with self.database.act() as conn:
            return await expire(
                conn, tenant_id, created_before=created_before, now=now, limit=limit, only=only
            )

    async def get(self, tenant_id: str, operation_id: str, horizon: Horizon) -> Operation:
        async with self.database.look() as conn:
            row = await find(conn, "find_operation", tenant_id, operation_id, horizon)
        if row is None:
            raise OperationNotFound(operation_id=operation_id)
        return operation_of(row)

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

    async def list(
        self,
        tenant_id: str,
        operations: OperationFilter,
        *,
        limit: int,
        cursor: str | None,
        horizon: Horizon,
    ) -> Page[OperationHead]:
        async with self.database.look() as conn:
            before_at, before_id = LATEST, ""
            if cursor is not None:
                row = await find(conn, "find_operation_head", tenant_id, cursor, horizon)
                last = None if row is None else head_of(row)
                if last is None or not operations.matches(last):
                    return empty_page()
                before_at, before_id = last.created_at, last.operation_id
            name, values = listing_of(operations)
            rows = await every(
                conn,
                SQL[name],
                tenant_id=tenant_id,
                operations_since=horizon.operations_since,
                created_from=operations.created_from or EARLIEST,
                created_to=operations.created_to or LATEST,
                before_at=before_at,
                before_id=before_id,
                limit=limit + 1,
                **values,
            )
        return page_of([head_of(row) for row in rows], limit, lambda head: head.operation_id)


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


async def submit(conn: Connection, operation: Operation, *, trace_id: str | None, offer: bool) -> None:
    require_storable(operation)
    assert operation.status is OperationStatus.PENDING, operation.status
    if await one(conn, SQL["insert_operation"], **row_of(operation)) is None:
        raise OperationExists(id=operation.operation_id)
    await lineage.insert_edges(conn, operation.tenant_id, [edge_of_operation(operation, trace_id)])
    if operation.is_queued and offer:
        # Where nothing is queued, the engine of the queue is not even loaded.
        from service.storage.postgres import job_offers

        await job_offers.offer(conn, operation.tenant_id, [operation.operation_id])


async def claim(conn: Connection, tenant_id: str, operation_id: str, lease: Lease) -> int:
    """Gives the fence of the claim."""
    row = await one(
        conn,
        SQL["claim_operation"],
        tenant_id=tenant_id,
        operation_id=operation_id,
        started_at=lease.now,
        lease_until=lease.until,
    )
    if row is not None:
        return int(row["fence"])
    if await find(conn, "find_operation_head", tenant_id, operation_id, KEEP_ALL) is None:
        raise OperationNotFound(operation_id=operation_id)
    raise OperationMoved(operation_id=operation_id)


async def stage(conn: Connection, claim: Claim, scenarios: Sequence[StagedScenario], lease: Lease) -> None:
    operation = claim.operation
    # In one order, so that two who stage the same never wait for each other.
    staged = sorted(scenarios, key=lambda one: one.scenario)
    rows = [row_of_staged(operation.tenant_id, operation.operation_id, one) for one in staged]
    try:
        added = len(await many(conn, SQL["insert_scenario"], rows))
    except asyncpg.ForeignKeyViolationError:
        # The operation has ended, and was purged since.
        raise OperationLost(operation_id=operation.operation_id) from None
    times = {"now": lease.now, "lease_until": lease.until}
    await hold_on(conn, "advance_operation", claim, added=added, **times)


async def finish(conn: Connection, claim: Claim, ending: Ending) -> None:
    operation, error = claim.operation, ending.error
    await hold_on(
        conn,
        "finish_operation",
        claim,
        status=ending.status.value,
        finished_at=ending.finished_at,
        result=ending.result,
        error_code=error.code if error else None,
        error_message=error.message if error else None,
    )
    await run(
        conn,
        SQL["delete_scenarios"],
        tenant_id=operation.tenant_id,
        operation_id=operation.operation_id,
    )
    if isinstance(ending.effect, BatchAdmission):
        await dpm_runs.admit_batch(conn, ending.effect)
    elif ending.effect is not None:
        await proposals.keep_change(conn, ending.effect)


async def hold_on(conn: Connection, query: str, claim: Claim, **values: object) -> None:
    """Write as the holder of an operation. Raises OperationLost once somebody else may have it."""
    tenant_id, operation_id = claim.operation.tenant_id, claim.operation.operation_id
    place = {"tenant_id": tenant_id, "operation_id": operation_id, "fence": claim.fence}
    if await one(conn, SQL[query], **place, **values) is None:
        raise OperationLost(operation_id=operation_id)


async def find(
    conn: Connection, query: str, tenant_id: str, operation_id: str, horizon: Horizon
) -> Row | None:
    return await one(
        conn,
        SQL[query],
        tenant_id=tenant_id,
        operation_id=operation_id,
        operations_since=horizon.operations_since,
    )
