"""Operations in SQL, each method an act of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from service.domains.dpm_runs.values import RecordBatch
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
from service.domains.proposals.values import ProposalChange, ProposalKey
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import Page
from service.storage.digests import digests_of
from service.storage.sql.acts import Act, SqlDatabase
from service.storage.sql.dpm_runs.runs import digests_of_batch, record_batch
from service.storage.sql.operations import acts, lists, recovery
from service.storage.sql.proposals.changes import KeepChange, KeyTaken, as_stored, keep_change
from service.storage.sql.proposals.proposals import replay

T = TypeVar("T")


class SqlOperations:
    def __init__(self, database: SqlDatabase, keep: KeepChange = keep_change) -> None:
        self.database = database
        self.keep = keep

    async def submit(
        self, operation: Operation, *, trace_id: str | None = None, enqueue: bool = True
    ) -> None:
        (request_sha256,) = await digests_of(operation.request)
        submit = partial(acts.submit, operation, request_sha256, trace_id)
        await self._write_submission(submit, operation, enqueue=enqueue)

    async def submit_once(
        self,
        operation: Operation,
        answer: IdempotentAnswer,
        cutoff: RetentionCutoff,
        *,
        trace_id: str | None = None,
        enqueue: bool = True,
    ) -> IdempotentAnswer | None:
        (request_sha256,) = await digests_of(operation.request)
        submit = partial(acts.submit_once, operation, request_sha256, answer, cutoff, trace_id)
        return await self._write_submission(submit, operation, enqueue=enqueue)

    async def _write_submission(self, act: Callable[[], Act[T]], operation: Operation, *, enqueue: bool) -> T:
        """Gives what the act gives, None where it kept the operation."""
        assert not (operation.is_queued and enqueue), "only PostgreSQL has a queue"
        return await self.database.write(act)

    async def claim(self, tenant_id: str, operation_id: str, lease: Lease) -> Claim:
        # What is to be done may be long, and a worker that is frozen while reading it must hold no lock.
        return await self.database.write_then_read(
            partial(acts.claim, tenant_id, operation_id, lease),
            partial(acts.get_claim, tenant_id, operation_id),
        )

    async def extend(self, claim: Claim, lease: Lease) -> None:
        await self.database.write(acts.extend, claim, lease)

    async def stage(self, claim: Claim, scenarios: Sequence[StagedScenario], lease: Lease) -> None:
        await self.database.write(acts.stage, claim, scenarios, lease)

    async def list_staged(self, tenant_id: str, operation_id: str) -> tuple[StagedScenario, ...]:
        return await self.database.read(lists.list_staged, tenant_id, operation_id)

    async def finish(self, claim: Claim, ending: Ending) -> ProposalKey | None:
        effect = await self._effect_of(ending)
        try:
            await self.database.write(acts.finish, claim, ending, effect)
        except KeyTaken as taken:
            return await replay(self.database, taken.key)
        return None

    async def _effect_of(self, ending: Ending) -> Callable[[], Act[None]] | None:
        """The act that keeps what came of an operation; what takes long of large texts is done here."""
        match ending.effect:
            case RecordBatch() as batch:
                return partial(record_batch, batch, await digests_of_batch(batch))
            case ProposalChange() as change:
                return partial(self.keep, await as_stored(change))
        return None

    async def release(
        self,
        claim: Claim,
        lease: Lease,
        *,
        error: OperationError = RELEASE,
        attempts_max: int | None = None,
    ) -> bool:
        return await self.database.write(acts.release, claim, lease, error, attempts_max)

    async def fail(
        self, tenant_id: str, operation_id: str, *, now: datetime, error: OperationError
    ) -> Operation:
        return await self.database.write(acts.fail_one, tenant_id, operation_id, now, error)

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
        bounds = {"started_before": started_before, "now": now}
        return await self.database.write(
            recovery.fail_overdue, tenant_id, **bounds, error=error, limit=limit, only=only
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
        return await self.database.write(
            recovery.reap, tenant_id, now=now, attempts_max=attempts_max, limit=limit, only=only
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
        bounds = {"created_before": created_before, "now": now}
        return await self.database.write(recovery.expire, tenant_id, **bounds, limit=limit, only=only)

    async def get(self, tenant_id: str, operation_id: str, cutoff: RetentionCutoff) -> Operation:
        return await self.database.read(lists.get_operation, tenant_id, operation_id, cutoff)

    async def find_newest_by_correlation(
        self, tenant_id: str, correlation_id: str, cutoff: RetentionCutoff
    ) -> Operation | None:
        find = lists.find_newest_by_correlation
        return await self.database.read(find, tenant_id, correlation_id, cutoff)

    async def list(
        self,
        tenant_id: str,
        operations: OperationFilter,
        *,
        limit: int,
        cursor: str | None,
        cutoff: RetentionCutoff,
    ) -> Page[OperationSummary]:
        return await self.database.read(
            lists.list_operations, tenant_id, operations, limit=limit, cursor=cursor, cutoff=cutoff
        )
