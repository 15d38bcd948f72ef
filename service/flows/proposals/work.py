"""The work of an accepted creation or version: what a caller who waits gets, in the act of its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from service.domains.callers import Caller
from service.domains.operations import Ending, OperationError, OperationStatus, OperationType
from service.domains.proposals.tasks import ProposalTask, read_task
from service.errors.families import Conflict, NotFound, ServiceError, Unprocessable
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.operations import LeaseLost
from service.errors.proposals import ProposalConcurrentUpdate
from service.errors.storage import StoreUnavailable
from service.flows.operations.attempts import RETRY_SECONDS, Attempt
from service.flows.proposals.events import Prepared, RequestContext
from service.flows.proposals.flow import TRIES_MAX, ProposalFlow
from service.flows.proposals.versions import Outcome, read_creation, read_version
from service.flows.runtime import Runtime

# The codes an operation fails with are the existing service's (HTTP contract 7.4, D56).
KEY_CONFLICT = "ProposalIdempotencyConflictError"
NOT_FOUND = "ProposalNotFoundError"
INVALID = "ProposalValidationError"
STATE_CONFLICT = "ProposalStateConflictError"


class ProposalWork:
    def __init__(self, *, runtime: Runtime, proposals: ProposalFlow) -> None:
        self._clock = runtime.clock
        self._proposals = proposals

    async def do(self, attempt: Attempt) -> OperationStatus:
        """Ends with the answer a caller would have got, or with the refusal; see attempts.Work."""
        task = read_task(attempt.operation.request)
        sent = RequestContext(
            idempotency_key=task.idempotency_key,
            correlation_id=task.correlation_sent,
            drawn_id=attempt.operation.correlation_id,
            cause_id=attempt.operation.operation_id,
        )
        try:
            await self._until_kept(attempt, self._prepare(attempt, task, sent))
        except LeaseLost:
            raise
        except ServiceError as refusal:
            error = OperationError(code_of(refusal), str(refusal))
            await attempt.finish(Ending(finished_at=self._clock.now(), error=error))
            return OperationStatus.FAILED
        return OperationStatus.SUCCEEDED

    def _prepare(
        self, attempt: Attempt, task: ProposalTask, sent: RequestContext
    ) -> Callable[[], Awaitable[Prepared]]:
        caller = Caller.of_tenant(attempt.operation.tenant_id)
        proposals, body, outcomes = self._proposals, bytes(task.body), list[Outcome]()

        async def create() -> Prepared:
            asked = await proposals.read(caller, read_creation, body)
            return await proposals.prepare_creation(caller, asked, sent)

        async def add_version() -> Prepared:
            assert task.proposal_id is not None, "a version belongs to a proposal"
            asked = await proposals.read(caller, read_version, body)
            return await proposals.prepare_version(caller, task.proposal_id, asked, sent, outcomes)

        is_creation = attempt.operation.operation_type is OperationType.CREATE_PROPOSAL
        return create if is_creation else add_version

    async def _until_kept(self, attempt: Attempt, prepare: Callable[[], Awaitable[Prepared]]) -> None:
        for _ in range(TRIES_MAX):
            prepared = await retry_until_available(prepare)
            at = prepared.change.event.occurred_at
            try:
                ending = Ending(finished_at=at, result=prepared.answer, effect=prepared.change)
                held = await attempt.finish(ending)
            except ProposalConcurrentUpdate:
                continue
            if held is not None:
                await attempt.finish(Ending(finished_at=self._clock.now(), result=held.answer))
            return
        raise AssertionError("overtaken more often than there can be callers at once")


async def retry_until_available(prepare: Callable[[], Awaitable[Prepared]]) -> Prepared:
    """Tries again while the store is away: the lease decides when to give up, and cancels this."""
    while True:
        try:
            return await prepare()
        except StoreUnavailable:
            await asyncio.sleep(RETRY_SECONDS)


def code_of(refusal: ServiceError) -> str:
    match refusal:
        case IdempotencyKeyConflict():
            return KEY_CONFLICT
        case NotFound():
            return NOT_FOUND
        case Unprocessable():
            return INVALID
        case Conflict():
            return STATE_CONFLICT
    return refusal.code
