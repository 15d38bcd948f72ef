"""Operations in memory. No method awaits between its checks and its writes, so each is atomic."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from service.domains.idempotency import IdempotentAnswer
from service.domains.operations import (
    RELEASE,
    Claim,
    Ending,
    Lease,
    Operation,
    OperationError,
    OperationFilter,
    OperationStatus,
    OperationSummary,
    Reaped,
    StagedScenario,
    edge_of_operation,
    end_of,
    exhausted_after,
)
from service.domains.proposals.values import ProposalKey
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import EARLIEST, LATEST, Page, empty_page, page_of
from service.errors.operations import (
    LeaseLost,
    OperationEnded,
    OperationExists,
    OperationNotFound,
    OperationNotPending,
)
from service.storage.memory import lineage
from service.storage.memory.idempotent_answers import find_answer, insert_answer
from service.storage.memory.operations import recovery
from service.storage.memory.operations.lists import head_of, is_there, shelf_for, those_there
from service.storage.memory.operations.moves import (
    end,
    insert_effect,
    insert_operation,
    key_of,
    move,
    place_of,
    prepared,
    requeue,
)
from service.storage.memory.proposals import proposals
from service.storage.memory.tables.collector import hide
from service.storage.memory.tables.state import Hold, State
from service.storage.texts import require_storable


class MemoryOperations:
    def __init__(self, state: State) -> None:
        self.state = state

    async def submit(
        self, operation: Operation, *, trace_id: str | None = None, enqueue: bool = True
    ) -> None:
        self.state.require_open()
        assert not (operation.is_queued and enqueue), "memory has no queue"
        submit(self.state, operation, trace_id)

    async def submit_once(
        self,
        operation: Operation,
        answer: IdempotentAnswer,
        cutoff: RetentionCutoff,
        *,
        trace_id: str | None = None,
        enqueue: bool = True,
    ) -> IdempotentAnswer | None:
        self.state.require_open()
        assert not (operation.is_queued and enqueue), "memory has no queue"
        held = find_answer(self.state, answer, cutoff)
        if held is None:
            submit(self.state, operation, trace_id)
            insert_answer(self.state, answer)
        return held

    async def claim(self, tenant_id: str, operation_id: str, lease: Lease) -> Claim:
        self.state.require_open()
        held = self.state.operations.get((tenant_id, operation_id))
        if held is None:
            raise OperationNotFound(operation_id=operation_id)
        if held.status is not OperationStatus.PENDING:
            raise OperationNotPending(operation_id=operation_id)
        running = replace(
            held,
            status=OperationStatus.RUNNING,
            started_at=lease.now,
            first_started_at=held.first_started_at or lease.now,
            attempt=held.attempt + 1,
            lease_owner=lease.owner,
        )
        fence = self.state.holds[tenant_id, operation_id].fence + 1
        return Claim(move(self.state, running, Hold(fence, lease.until)), fence)

    async def extend(self, claim: Claim, lease: Lease) -> None:
        self.state.require_open()
        held = held_by(self.state, claim, lease.now)
        move(self.state, held, Hold(claim.fence, lease.until))

    async def stage(self, claim: Claim, scenarios: Sequence[StagedScenario], lease: Lease) -> None:
        state = self.state
        state.require_open()
        held = held_by(state, claim, lease.now)
        staged = dict(state.staged.get(key_of(held), {}))
        added = len({one.scenario for one in scenarios} - staged.keys())
        assert held.scenarios_done + added <= held.scenarios_total, held.operation_id
        for one in scenarios:
            staged.setdefault(one.scenario, one)
        state.staged[key_of(held)] = staged
        move(
            state,
            replace(held, scenarios_done=held.scenarios_done + added),
            Hold(claim.fence, lease.until),
        )

    async def list_staged(self, tenant_id: str, operation_id: str) -> tuple[StagedScenario, ...]:
        self.state.require_open()
        staged = self.state.staged.get((tenant_id, operation_id), {})
        return tuple(staged[scenario] for scenario in sorted(staged))

    async def finish(self, claim: Claim, ending: Ending) -> ProposalKey | None:
        state = self.state
        state.require_open()
        effect = await prepared(ending.effect)
        state.require_open()
        held = held_by(state, claim, ending.finished_at)
        taken = insert_effect(state, effect)
        if taken is not None:
            return await proposals.whole_key_of(state, taken)
        has_succeeded = ending.status is OperationStatus.SUCCEEDED
        done = held.scenarios_total if has_succeeded else held.scenarios_done
        end(state, replace(held, result=ending.result, scenarios_done=done), ending.finished_at, ending.error)
        return None

    async def release(
        self,
        claim: Claim,
        lease: Lease,
        *,
        error: OperationError = RELEASE,
        attempts_max: int | None = None,
    ) -> bool:
        self.state.require_open()
        held = held_by(self.state, claim, lease.now)
        is_counted = held.started_at is not None and held.started_at < lease.uncounted_since
        attempt = held.attempt if is_counted else held.attempt - 1
        waiting = requeue(self.state, held, attempt=attempt, error=error, at=lease.now)
        if attempts_max is None or attempt < attempts_max:
            return False
        end(self.state, waiting, lease.now, exhausted_after(attempt))
        return True

    async def fail(
        self, tenant_id: str, operation_id: str, *, now: datetime, error: OperationError
    ) -> Operation:
        self.state.require_open()
        held = self.state.operations.get((tenant_id, operation_id))
        if held is None:
            raise OperationNotFound(operation_id=operation_id)
        if held.has_ended:
            raise OperationEnded(**end_of(held))
        return end(self.state, held, now, error)

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
        self.state.require_open()
        return recovery.fail_overdue(
            self.state,
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
        self.state.require_open()
        return recovery.reap(
            self.state, tenant_id, now=now, attempts_max=attempts_max, limit=limit, only=only
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
        self.state.require_open()
        return recovery.expire(
            self.state, tenant_id, created_before=created_before, now=now, limit=limit, only=only
        )

    async def get(self, tenant_id: str, operation_id: str, cutoff: RetentionCutoff) -> Operation:
        self.state.require_open()
        operation = self.state.operations.get((tenant_id, operation_id))
        if operation is None or not is_there(operation, cutoff):
            raise OperationNotFound(operation_id=operation_id)
        return operation

    async def find_newest_by_correlation(
        self, tenant_id: str, correlation_id: str, cutoff: RetentionCutoff
    ) -> Operation | None:
        self.state.require_open()
        places = self.state.operations_by_correlation.backward((tenant_id, correlation_id))
        return next(those_there(self.state, tenant_id, places, cutoff), None)

    async def list(
        self,
        tenant_id: str,
        operations: OperationFilter,
        *,
        limit: int,
        cursor: str | None,
        cutoff: RetentionCutoff,
    ) -> Page[OperationSummary]:
        state = self.state
        state.require_open()
        before = None
        if cursor is not None:
            held = state.operations.get((tenant_id, cursor))
            if held is None or not is_there(held, cutoff) or not operations.matches(held):
                return empty_page()
            before = place_of(held)
        shelves, shelf = shelf_for(state, tenant_id, operations)
        places = shelves.backward(
            shelf,
            first=operations.created_from or EARLIEST,
            last=operations.created_to or LATEST,
            before=before,
        )
        rows = filter(operations.matches, those_there(state, tenant_id, places, cutoff))
        heads = [head_of(operation) for operation in islice(rows, limit + 1)]
        return page_of(heads, limit, lambda head: head.operation_id)


def submit(state: State, operation: Operation, trace_id: str | None) -> None:
    require_storable(operation)
    assert operation.is_executable, operation.status
    key = key_of(operation)
    if key in state.operations:
        raise OperationExists(operation_id=operation.operation_id)
    state.trim("operations", operation.tenant_id)
    insert_operation(state, operation)
    hold = state.holds[key] = Hold()
    hide(hold)
    lineage.insert_edges(state, operation.tenant_id, [edge_of_operation(operation, trace_id)])


def held_by(state: State, claim: Claim, now: datetime) -> Operation:
    """The operation as it is. Raises LeaseLost when the claim does not hold it at that moment."""
    key = key_of(claim.operation)
    hold = state.holds.get(key)
    if hold is None or hold.fence != claim.fence or hold.until is None or hold.until < now:
        raise LeaseLost(operation_id=claim.operation.operation_id)
    return state.operations[key]
