"""Operations in SQLite, each method in a transaction of its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial

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
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import Page
from service.storage.sqlite import proposals
from service.storage.sqlite.database import Database
from service.storage.sqlite.operation_acts import (
    claim,
    extend,
    fail_one,
    finish,
    release,
    stage,
    submit,
    submit_once,
)
from service.storage.sqlite.operation_lists import (
    find_newest_by_correlation,
    get_operation,
    list_heads,
    list_staged,
)
from service.storage.sqlite.operation_recovery import expire, fail_overdue, reap


class SqliteOperations:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def submit(self, operation: Operation, *, trace_id: str | None = None, offer: bool = True) -> None:
        assert not (operation.is_queued and offer), "a file has no queue"
        await self.database.write(partial(submit, operation=operation, trace_id=trace_id))

    async def submit_once(
        self,
        operation: Operation,
        answer: IdempotentAnswer,
        cutoff: RetentionCutoff,
        *,
        trace_id: str | None = None,
        offer: bool = True,
    ) -> IdempotentAnswer | None:
        assert not (operation.is_queued and offer), "a file has no queue"
        return await self.database.write(
            partial(
                submit_once,
                operation=operation,
                answer=answer,
                cutoff=cutoff,
                trace_id=trace_id,
            )
        )

    async def claim(self, tenant_id: str, operation_id: str, lease: Lease) -> Claim:
        return await self.database.write(
            partial(claim, tenant_id=tenant_id, operation_id=operation_id, lease=lease)
        )

    async def extend(self, claim: Claim, lease: Lease) -> None:
        await self.database.write(partial(extend, claim=claim, lease=lease))

    async def stage(self, claim: Claim, scenarios: Sequence[StagedScenario], lease: Lease) -> None:
        await self.database.write(partial(stage, claim=claim, scenarios=scenarios, lease=lease))

    async def list_staged(self, tenant_id: str, operation_id: str) -> tuple[StagedScenario, ...]:
        return await self.database.read(partial(list_staged, tenant_id=tenant_id, operation_id=operation_id))

    async def finish(self, claim: Claim, ending: Ending) -> ProposalKey | None:
        try:
            await self.database.write(partial(finish, claim=claim, ending=ending))
        except proposals.KeyTaken as taken:
            return taken.key
        return None

    async def release(
        self,
        claim: Claim,
        lease: Lease,
        *,
        error: OperationError = RELEASE,
        attempts_max: int | None = None,
    ) -> bool:
        return await self.database.write(
            partial(
                release,
                claim=claim,
                lease=lease,
                error=error,
                attempts_max=attempts_max,
            )
        )

    async def fail(
        self, tenant_id: str, operation_id: str, *, now: datetime, error: OperationError
    ) -> Operation:
        return await self.database.write(
            partial(
                fail_one,
                tenant_id=tenant_id,
                operation_id=operation_id,
                now=now,
                error=error,
            )
        )

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
        overdue = partial(fail_overdue, tenant_id=tenant_id, started_before=started_before, now=now)
        return await self.database.write(partial(overdue, error=error, limit=limit, only=only))

    async def reap(
        self,
        tenant_id: str,
        *,
        now: datetime,
        attempts_max: int,
        limit: int,
        only: Collection[str] | None = None,
    ) -> Reaped:
        return await self.database.write(
            partial(reap, tenant_id=tenant_id, now=now, attempts_max=attempts_max, limit=limit, only=only)
        )

    async def expire(
        self,
        tenant_id: str,
        *,
        created_before: datetime,
        now: datetime,
        limit: int,
        only: Collection[str] | None = None,
    ) -> tuple[str, ...]:
        return await self.database.write(
            partial(
                expire, tenant_id=tenant_id, created_before=created_before, now=now, limit=limit, only=only
            )
        )

    async def get(self, tenant_id: str, operation_id: str, cutoff: RetentionCutoff) -> Operation:
        return await self.database.read(
            partial(get_operation, tenant_id=tenant_id, operation_id=operation_id, cutoff=cutoff)
        )

    async def find_newest_by_correlation(
        self, tenant_id: str, correlation_id: str, cutoff: RetentionCutoff
    ) -> Operation | None:
        find = partial(find_newest_by_correlation, tenant_id=tenant_id, cutoff=cutoff)
        return await self.database.read(partial(find, correlation_id=correlation_id))

    async def list(
        self,
        tenant_id: str,
        operations: OperationFilter,
        *,
        limit: int,
        cursor: str | None,
        cutoff: RetentionCutoff,
    ) -> Page[OperationSummary]:
        look = partial(list_heads, tenant_id=tenant_id, operations=operations, limit=limit)
        return await self.database.read(partial(look, cursor=cursor, cutoff=cutoff))
