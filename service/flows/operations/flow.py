"""Analyses that are accepted now and done later (RFC-0018, HTTP contract 4.3, 4.4, 5.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import structlog

from service.domains.callers import Caller
from service.domains.idempotency import AnswerScope, IdempotentAnswer
from service.domains.operations import (
    Operation,
    OperationFilter,
    OperationStatus,
    OperationSummary,
    OperationType,
)
from service.domains.policy_packs import ResolvedPack
from service.domains.rebalances.analyses import AnalysisPlan
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.canonical import canonical_json, digest_of
from service.domains.values.pages import Page, empty_page
from service.errors.families import ServiceError
from service.errors.operations import LeaseLost, OperationExists, OperationNotFound, OperationNotPending
from service.flows.dpm_runs.analyses import BatchIdentity, check_batch_body, draw_batch, plan_body
from service.flows.dpm_runs.computing import Readers
from service.flows.idempotency import KeyedAnswer, keyed_answer
from service.flows.limits.work_costs import work_on_body
from service.flows.operations.attempts import AttemptRunner
from service.flows.operations.cancellations import cancel_operation
from service.flows.runtime import Runtime
from service.observability.trace_context import current_trace_id
from service.storage.ports.store import Store

# Drawing an id that is taken has never been seen; drawing three would mean the ids are broken.
DRAWS_MAX = 3
# Proposals may be kept in the same place, and have operations of their own.
ANALYSIS = OperationType.ANALYZE_SCENARIOS.value

logger = structlog.get_logger()


class OperationFlow:
    """With `inline`, what is accepted is done before the caller is answered; with `queued`, workers do it."""

    def __init__(
        self,
        *,
        store: Store,
        runtime: Runtime,
        readers: Readers,
        runner: AttemptRunner,
        inline: bool,
        queued: bool,
    ) -> None:
        assert not (inline and queued), "either this process does the work or a worker"
        self._store = store
        self._clock = runtime.clock
        self._new_id = runtime.new_id
        self._offload = runtime.offload
        self._readers = readers
        self._retention = runtime.retention
        self._runner = runner
        self._inline = inline
        self._queued = queued

    async def submit(
        self, caller: Caller, body: bytes, *, correlation_id: str, pack: ResolvedPack | None = None
    ) -> Operation:
        """Accepts a batch: what is to be done is resolved and kept; gives the operation as it was accepted.

        Raises RequestInvalid, JsonTooDeep, StoreUnavailable. Once the operation is kept nothing is raised:
        what goes wrong with its execution is to be read from it (D38).
        """
        for _ in range(DRAWS_MAX):
            plan = await self._plan(body, draw_batch(self._new_id, correlation_id), pack)
            operation = self._operation(caller, plan, correlation_id)
            try:
                await self._store.operations.submit(operation, trace_id=current_trace_id())
            except OperationExists:
                continue
            if self._inline:
                await self._run_at_once(operation)
            return operation
        raise AssertionError("drawn operation ids keep clashing")

    async def submit_once(
        self,
        caller: Caller,
        body: bytes,
        *,
        correlation_id: str,
        pack: ResolvedPack | None = None,
        idempotency_key: str,
        write: Callable[[Operation], bytes],
    ) -> KeyedAnswer:
        """Accepts one batch for all requests with the key, and gives each the bytes the first was answered.

        `write` makes the answer. The same body under another policy pack asks for something else (ruling 6).
        Raises what `submit` raises, and IdempotencyKeyConflict.
        """
        pack_hash = None if pack is None else pack.content_hash
        for _ in range(DRAWS_MAX):
            plan = await self._plan(body, draw_batch(self._new_id, correlation_id), pack)
            operation = self._operation(caller, plan, correlation_id)
            answer = IdempotentAnswer(
                tenant_id=caller.tenant_id,
                family=AnswerScope.ANALYZE_ASYNC,
                idempotency_key=idempotency_key,
                request_hash=digest_of(canonical_json([plan.request_hash, pack_hash])),
                entity_id=operation.operation_id,
                created_at=operation.created_at,
                answer=write(operation),
            )
            try:
                held = await self._store.operations.submit_once(
                    operation, answer, self._cutoff(), trace_id=current_trace_id()
                )
            except OperationExists:
                continue
            if self._inline and held is None:
                await self._run_at_once(operation)
            return keyed_answer(answer, held)
        raise AssertionError("drawn operation ids keep clashing")

    async def check(self, caller: Caller, body: bytes) -> None:
        """Raises what submit would raise on the body alone."""
        await self._offload(check_batch_body, self._readers, body)

    async def execute(self, caller: Caller, operation_id: str) -> Operation:
        """Does a pending operation and gives it back ended.

        Raises OperationNotFound, OperationNotPending when it is not pending or somebody else took it over,
        ReplayEngineUnknown, StoreUnavailable.
        """
        await self.get(caller, operation_id)
        claim = await self._runner.begin(caller.tenant_id, operation_id)
        try:
            await self._runner.run(claim)
        except LeaseLost:
            # Ended, perhaps by ourselves in an act whose answer was lost; or another has it.
            operation = await self.get(caller, operation_id)
            if not operation.has_ended:
                raise OperationNotPending(operation_id=operation_id) from None
            return operation
        return await self.get(caller, operation_id)

    async def cancel(self, caller: Caller, operation_id: str) -> Operation:
        """Ends a pending or running operation as FAILED; nothing of what was done is recorded.

        Raises OperationNotFound, OperationEnded, StoreUnavailable.
        """
        await self.get(caller, operation_id)
        return await cancel_operation(caller, self._store, self._clock, self._runner, operation_id)

    async def close(self) -> None:
        """Hands back what is still being done in this process."""
        await self._runner.close()

    async def get(self, caller: Caller, operation_id: str) -> Operation:
        """Raises OperationNotFound, also for an operation that is no analysis."""
        operation = await self._store.operations.get(caller.tenant_id, operation_id, self._cutoff())
        if not operation.is_analysis:
            raise OperationNotFound(operation_id=operation_id)
        return operation

    async def get_newest_by_correlation(self, caller: Caller, correlation_id: str) -> Operation:
        """The operation a correlation id was last used for. Raises OperationNotFound."""
        newest = await self.list(caller, OperationFilter(correlation_id=correlation_id), limit=1, cursor=None)
        if not newest.items:
            raise OperationNotFound(correlation_id=correlation_id)
        return await self.get(caller, newest.items[0].operation_id)

    async def list(
        self, caller: Caller, operations: OperationFilter, *, limit: int, cursor: str | None
    ) -> Page[OperationSummary]:
        """One page of the analyses the filter lets through, newest first."""
        if operations.operation_type not in (None, ANALYSIS):
            return empty_page()
        return await self._store.operations.list(
            caller.tenant_id,
            replace(operations, operation_type=ANALYSIS),
            limit=limit,
            cursor=cursor,
            cutoff=self._cutoff(),
        )

    async def _plan(self, body: bytes, identity: BatchIdentity, pack: ResolvedPack | None) -> AnalysisPlan:
        return await work_on_body(self._offload, self._readers, body, plan_body, identity, pack)

    def _operation(self, caller: Caller, plan: AnalysisPlan, correlation_id: str) -> Operation:
        return Operation(
            operation_id=self._new_id("dop"),
            tenant_id=caller.tenant_id,
            operation_type=OperationType.ANALYZE_SCENARIOS,
            status=OperationStatus.PENDING,
            correlation_id=correlation_id,
            created_at=self._clock.now(),
            is_queued=self._queued,
            scenarios_total=len(plan.scenarios),
            request=plan.written(),
        )

    async def _run_at_once(self, operation: Operation) -> None:
        try:
            claim = await self._runner.begin(operation.tenant_id, operation.operation_id)
            await self._runner.run(claim)
        except ServiceError as error:
            # It is accepted all the same, and can be executed again once its lease has ended.
            logger.warning("operation_not_executed", operation_id=operation.operation_id, code=error.code)
        except Exception:
            logger.exception("operation_not_executed", operation_id=operation.operation_id)

    def _cutoff(self) -> RetentionCutoff:
        return self._retention.cutoff_at(self._clock.now())
