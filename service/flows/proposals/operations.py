"""Creations and versions of proposals that are accepted now and done later (HTTP contract 6.4)."""

from __future__ import annotations

import asyncio

import msgspec
import structlog

from service.domains.callers import Caller
from service.domains.operations import (
    Operation,
    OperationFilter,
    OperationStatus,
    OperationSummary,
    OperationType,
)
from service.domains.proposals.tasks import ProposalTask
from service.domains.retention.cutoffs import KEEP_ALL
from service.domains.values.pages import Page
from service.errors.families import ServiceError
from service.errors.operations import OperationExists, OperationNotFound, OperationNotPending
from service.errors.proposals import ProposalOperationNotFound
from service.flows.operations.attempts import AttemptRunner
from service.flows.operations.cancellations import cancel_operation
from service.flows.proposals.flow import ProposalFlow
from service.flows.proposals.versions import read_creation, read_version
from service.flows.runtime import Runtime
from service.observability.trace_context import current_trace_id
from service.storage.ports.store import Store

PROPOSAL_TYPES = frozenset({OperationType.CREATE_PROPOSAL, OperationType.CREATE_PROPOSAL_VERSION})
# Drawing an id that is taken has never been seen; drawing three would mean the ids are broken.
DRAWS_MAX = 3
# No more is resumed beside what is being done; the next look goes on.
RUNNING_MAX = 50

logger = structlog.get_logger()


class ProposalOperationFlow:
    """With `queued`, workers do what is accepted; otherwise this process does, once it has answered."""

    def __init__(
        self, *, store: Store, runtime: Runtime, proposals: ProposalFlow, runner: AttemptRunner, queued: bool
    ) -> None:
        self._store = store
        self._clock = runtime.clock
        self._new_id = runtime.new_id
        self._proposals = proposals
        self._runner = runner
        self._queued = queued
        self._running: dict[str, asyncio.Task[None]] = {}
        self._closed = False

    async def submit_create(
        self,
        caller: Caller,
        body: bytes,
        *,
        idempotency_key: str,
        correlation_id: str,
        correlation_sent: str | None,
    ) -> Operation:
        """Accepts a creation. Raises RequestInvalid, JsonTooDeep, StoreUnavailable."""
        asked = await self._proposals.read(caller, read_creation, body)
        task = ProposalTask(
            created_by=asked.created_by,
            idempotency_key=idempotency_key,
            proposal_id=None,
            correlation_sent=correlation_sent,
            body=msgspec.Raw(asked.body),
        )
        return await self._submit(caller, OperationType.CREATE_PROPOSAL, task, correlation_id)

    async def submit_version(
        self,
        caller: Caller,
        proposal_id: str,
        body: bytes,
        *,
        correlation_id: str,
        correlation_sent: str | None,
    ) -> Operation:
        """Accepts a version; whether there is such a proposal is found out when it is done (D56)."""
        asked = await self._proposals.read(caller, read_version, body)
        task = ProposalTask(
            created_by=asked.created_by,
            idempotency_key=None,
            proposal_id=proposal_id,
            correlation_sent=correlation_sent,
            body=msgspec.Raw(asked.body),
        )
        return await self._submit(caller, OperationType.CREATE_PROPOSAL_VERSION, task, correlation_id)

    async def get(self, caller: Caller, operation_id: str) -> Operation:
        """Raises ProposalOperationNotFound, also for an operation of another kind."""
        try:
            operation = await self._store.operations.get(caller.tenant_id, operation_id, KEEP_ALL)
        except OperationNotFound:
            raise ProposalOperationNotFound() from None
        return _of_proposals(operation)

    async def get_newest_by_correlation(self, caller: Caller, correlation_id: str) -> Operation:
        """Raises ProposalOperationNotFound."""
        newest = [
            page.items[0]
            for kind in PROPOSAL_TYPES
            if (
                page := await self._list(
                    caller, OperationFilter(correlation_id=correlation_id, operation_type=kind.value), 1
                )
            ).items
        ]
        if not newest:
            raise ProposalOperationNotFound()
        last = max(newest, key=lambda head: (head.created_at, head.operation_id))
        return await self.get(caller, last.operation_id)

    async def cancel(self, caller: Caller, operation_id: str) -> Operation:
        """Ends a pending or running operation as FAILED; nothing of what was done is recorded.

        Raises ProposalOperationNotFound, OperationEnded, StoreUnavailable.
        """
        await self.get(caller, operation_id)
        return await cancel_operation(caller, self._store, self._clock, self._runner, operation_id)

    async def resume(self, caller: Caller) -> None:
        """Begins pending operations that a process which died had accepted. Raises StoreUnavailable."""
        for kind in PROPOSAL_TYPES:
            waiting = OperationFilter(operation_type=kind.value, status=OperationStatus.PENDING.value)
            cursor = None
            while len(self._running) < RUNNING_MAX:
                page = await self._list(caller, waiting, RUNNING_MAX, cursor)
                for operation in page.items:
                    if not operation.is_queued:
                        self._begin(operation)
                cursor = page.next_cursor
                if cursor is None:
                    break

    async def resume_every(self, caller: Caller, seconds: float) -> None:
        """Resumes for as long as the process lives; a failure is told and tried again."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.resume(caller)
            except ServiceError as error:
                logger.warning("resume_failed", code=error.code, cause=repr(error.__cause__))
            except Exception:
                logger.exception("resume_failed")

    async def close(self) -> None:
        """Hands back what is still being done in this process, and begins nothing any more."""
        self._closed = True
        # What was not begun yet is not even claimed; the others hand back when they are cancelled.
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _begin(self, operation: OperationSummary) -> None:
        """Executes an operation in the background; the first process to claim it executes it."""
        name = operation.operation_id
        if name not in self._running and not self._closed:
            self._running[name] = asyncio.create_task(self._run(operation))
            self._running[name].add_done_callback(lambda _: self._running.pop(name, None))

    async def _run(self, operation: OperationSummary) -> None:
        try:
            claim = await self._runner.begin(operation.tenant_id, operation.operation_id)
            await self._runner.run(claim)
        except OperationNotPending:
            pass
        except ServiceError as error:
            # It is accepted all the same, and begun again once its lease has ended.
            logger.warning("operation_not_executed", operation_id=operation.operation_id, code=error.code)
        except Exception:
            logger.exception("operation_not_executed", operation_id=operation.operation_id)

    async def _list(
        self, caller: Caller, operations: OperationFilter, limit: int, cursor: str | None = None
    ) -> Page[OperationSummary]:
        return await self._store.operations.list(
            caller.tenant_id, operations, limit=limit, cursor=cursor, cutoff=KEEP_ALL
        )

    async def _submit(
        self, caller: Caller, kind: OperationType, task: ProposalTask, correlation_id: str
    ) -> Operation:
        for _ in range(DRAWS_MAX):
            operation = Operation(
                operation_id=self._new_id("pop"),
                tenant_id=caller.tenant_id,
                operation_type=kind,
                status=OperationStatus.PENDING,
                correlation_id=correlation_id,
                created_at=self._clock.now(),
                is_queued=self._queued,
                request=task.written(),
            )
            try:
                await self._store.operations.submit(operation, trace_id=current_trace_id())
            except OperationExists:
                continue
            if not self._queued:
                self._begin(operation)
            return operation
        raise AssertionError("drawn operation ids keep clashing")


def _of_proposals(operation: Operation) -> Operation:
    if operation.operation_type not in PROPOSAL_TYPES:
        raise ProposalOperationNotFound()
    return operation
