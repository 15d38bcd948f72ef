"""Operations in PostgreSQL. Functions that take `conn` run in the caller's transaction and begin none."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from service.domains.idempotency import IdempotentAnswer
from service.domains.operations import (
    RELEASE,
    Claim,
    Ending,
    Lease,
    Operation,
    OperationError,
    OperationFilter,
    OperationSummary,
    Reaped,
    StagedScenario,
)
from service.domains.proposals.values import ProposalKey
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.domains.values.pages import EARLIEST, LATEST, Page, empty_page, page_of
from service.errors.operations import OperationNotFound
from service.storage.postgres import idempotent_answers, proposals
from service.storage.postgres.database import Database
from service.storage.postgres.operation_acts import (
    claim,
    fail_one,
    finish,
    hold_on,
    release,
    stage,
    submit,
)
from service.storage.postgres.operation_lists import find, listing_of
from service.storage.postgres.operation_recovery import expire, fail_overdue, reap
from service.storage.postgres.operation_rows import head_of, operation_of, staged_of
from service.storage.postgres.statements import every, one
from service.storage.queries import load

SQL = load("postgres", "operations")


class PostgresOperations:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def submit(self, operation: Operation, *, trace_id: str | None = None, offer: bool = True) -> None:
        async with self.database.act() as conn:
            await submit(conn, operation, trace_id=trace_id, offer=offer)

    async def submit_once(
        self,
        operation: Operation,
        answer: IdempotentAnswer,
        cutoff: RetentionCutoff,
        *,
        trace_id: str | None = None,
        offer: bool = True,
    ) -> IdempotentAnswer | None:
        async with self.database.act() as conn:
            held = await idempotent_answers.claim(conn, answer, cutoff)
            if held is None:
                await submit(conn, operation, trace_id=trace_id, offer=offer)
        return held

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

    async def release(
        self,
        claim: Claim,
        lease: Lease,
        *,
        error: OperationError = RELEASE,
        attempts_max: int | None = None,
    ) -> bool:
        async with self.database.act() as conn:
            return await release(conn, claim, lease, error=error, attempts_max=attempts_max)

    async def fail(
        self, tenant_id: str, operation_id: str, *, now: datetime, error: OperationError
    ) -> Operation:
        async with self.database.act() as conn:
            return await fail_one(conn, tenant_id, operation_id, now=now, error=error)

    async def fail_overdue(
        self,
        tenant_id: str,
        *,
        started_before: datetime,
        now: datetime,
        error: OperationError,
        limit: int,
        only: Collection[str] | None = None,
    ) -> tuple[str, ...]:
        async with self.database.act() as conn:
            return await fail_overdue(
                conn,
                tenant_id,
                started_before=started_before,
                now=now,
                error=error,
                limit=limit,
                only=only,
            )

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

    async def get(self, tenant_id: str, operation_id: str, cutoff: RetentionCutoff) -> Operation:
        async with self.database.look() as conn:
            row = await find(conn, "find_operation", tenant_id, operation_id, cutoff)
        if row is None:
            raise OperationNotFound(operation_id=operation_id)
        return operation_of(row)

    async def find_newest_by_correlation(
        self, tenant_id: str, correlation_id: str, cutoff: RetentionCutoff
    ) -> Operation | None:
        async with self.database.look() as conn:
            row = await one(
                conn,
                SQL["find_newest_operation_by_correlation"],
                tenant_id=tenant_id,
                correlation_id=correlation_id,
                operations_since=cutoff.operations_since,
            )
        return None if row is None else operation_of(row)

    async def list(
        self,
        tenant_id: str,
        operations: OperationFilter,
        *,
        limit: int,
        cursor: str | None,
        cutoff: RetentionCutoff,
    ) -> Page[OperationSummary]:
        async with self.database.look() as conn:
            before_at, before_id = LATEST, ""
            if cursor is not None:
                row = await find(conn, "find_operation_head", tenant_id, cursor, cutoff)
                last = None if row is None else head_of(row)
                if last is None or not operations.matches(last):
                    return empty_page()
                before_at, before_id = last.created_at, last.operation_id
            name, values = listing_of(operations)
            rows = await every(
                conn,
                SQL[name],
                tenant_id=tenant_id,
                operations_since=cutoff.operations_since,
                created_from=operations.created_from or EARLIEST,
                created_to=operations.created_to or LATEST,
                before_at=before_at,
                before_id=before_id,
                limit=limit + 1,
                **values,
            )
        return page_of([head_of(row) for row in rows], limit, lambda head: head.operation_id)
