"""Operations in memory. No method awaits between its checks and its writes, so each is atomic."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from datetime import datetime
from itertools import islice

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
from service.domains.proposals import ProposalChange, ProposalKey
from service.domains.retention import Horizon
from service.errors import OperationExists, OperationLost, OperationMoved, OperationNotFound
from service.storage.memory import dpm_runs, lineage, operation_sweeps, proposals
from service.storage.memory.collector import hide
from service.storage.memory.operation_moves import (
    end,
    insert_operation,
    key_of,
    move,
    place_of,
    take_back,
)
from service.storage.memory.shelves import Place, ShelfKey, Shelves
from service.storage.memory.state import Hold, State
from service.storage.texts import require_storable

HEAD = tuple(field.name for field in fields(OperationHead))


class MemoryOperations:
    def __init__(self, state: State) -> None:
        self.state = state

    async def submit(self, operation: Operation, *, trace_id: str | None = None, offer: bool = True) -> None:
        require_storable(operation)
        state, tenant_id = self.state, operation.tenant_id
        state.require_open()
        assert operation.is_executable, operation.status
        assert not (operation.is_queued and offer), "memory has no queue"
        if (tenant_id, operation.operation_id) in state.operations:
            raise OperationExists(operation_id=operation.operation_id)
        state.trim("operations", tenant_id)
        insert_operation(state, operation)
        hold = state.holds[tenant_id, operation.operation_id] = Hold()
        hide(hold)
        lineage.insert_edges(state, tenant_id, [edge_of_operation(operation, trace_id)])

    async def claim(self, tenant_id: str, operation_id: str, lease: Lease) -> Claim:
        self.state.require_open()
        held = self.state.operations.get((tenant_id, operation_id))
        if held is None:
            raise OperationNotFound(operation_id=operation_id)
        if held.status is not OperationStatus.PENDING:
            raise OperationMoved(operation_id=operation_id)
        running = replace(
            held, status=OperationStatus.RUNNING, started_at=lease.now, attempt=held.attempt + 1
        )
        fence = self.state.holds[tenant_id, operation_id].fence + 1
        move(self.state, running, Hold(fence, lease.until))
        return Claim(running, fence)

    async def extend(self, claim: Claim, lease: Lease) -> None:
        self.state.require_open()
        held = held_by(self.state, claim, lease.now)
        self.state.holds[key_of(held)] = Hold(claim.fence, lease.until)

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
        held = held_by(state, claim, ending.finished_at)
        taken = insert_effect(state, ending.effect)
        if taken is not None:
            return taken
        has_succeeded = ending.status is OperationStatus.SUCCEEDED
        done = held.scenarios_total if has_succeeded else held.scenarios_done
        end(state, replace(held, result=ending.result, scenarios_done=done), ending.finished_at, ending.error)
        return None

    async def hand_back(self, claim: Claim, lease: Lease) -> None:
        self.state.require_open()
        held = held_by(self.state, claim, lease.now)
        take_back(self.state, replace(held, attempt=held.attempt - 1))

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
        return operation_sweeps.reap(
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
        return operation_sweeps.expire(
            self.state, tenant_id, created_before=created_before, now=now, limit=limit, only=only
        )

    async def get(self, tenant_id: str, operation_id: str, horizon: Horizon) -> Operation:
        self.state.require_open()
        operation = self.state.operations.get((tenant_id, operation_id))
        if operation is None or not is_there(operation, horizon):
            raise OperationNotFound(operation_id=operation_id)
        return operation

    async def find_newest_by_correlation(
        self, tenant_id: str, correlation_id: str, horizon: Horizon
    ) -> Operation | None:
        self.state.require_open()
        places = self.state.operations_by_correlation.backward((tenant_id, correlation_id))
        return next(those_there(self.state, tenant_id, places, horizon), None)

    async def list(
        self,
        tenant_id: str,
        operations: OperationFilter,
        *,
        limit: int,
        cursor: str | None,
        horizon: Horizon,
    ) -> Page[OperationHead]:
        state = self.state
        state.require_open()
        before = None
        if cursor is not None:
            held = state.operations.get((tenant_id, cursor))
            if held is None or not is_there(held, horizon) or not operations.matches(held):
                return empty_page()
            before = place_of(held)
        shelves, shelf = shelf_for(state, tenant_id, operations)
        places = shelves.backward(
            shelf,
            first=operations.created_from or EARLIEST,
            last=operations.created_to or LATEST,
            before=before,
        )
        rows = filter(operations.matches, those_there(state, tenant_id, places, horizon))
        heads = [head_of(operation) for operation in islice(rows, limit + 1)]
        return page_of(heads, limit, lambda head: head.operation_id)


def held_by(state: State, claim: Claim, now: datetime) -> Operation:
    """The operation as it is. Raises OperationLost when the claim does not hold it at that moment."""
    key = key_of(claim.operation)
    hold = state.holds.get(key)
    if hold is None or hold.fence != claim.fence or hold.until is None or hold.until < now:
        raise OperationLost(operation_id=claim.operation.operation_id)
    return state.operations[key]


def insert_effect(state: State, effect: BatchAdmission | ProposalChange | None) -> ProposalKey | None:
    """Write what came of an operation; or give back what its key stands for already, and write nothing."""
    match effect:
        case BatchAdmission():
            dpm_runs.require_free(state, effect.runs, effect.request)
            dpm_runs.insert_batch(state, effect)
        case ProposalChange():
            taken = proposals.require_changeable(state, effect)
            if taken is not None:
                return taken
            proposals.insert_change(state, effect)
    return None


def shelf_for(state: State, tenant_id: str, operations: OperationFilter) -> tuple[Shelves[Place], ShelfKey]:
    """The shortest shelf with all operations that a filter lets through."""
    if operations.correlation_id is not None:
        return state.operations_by_correlation, (tenant_id, operations.correlation_id)
    if operations.status is not None:
        return state.operations_by_status, (tenant_id, operations.status)
    return state.operations_by_creation, (tenant_id,)


def those_there(
    state: State, tenant_id: str, places: Iterable[Place], horizon: Horizon
) -> Iterator[Operation]:
    """The operations at these places that have not expired."""
    for _, operation_id in places:
        operation = state.operations[tenant_id, operation_id]
        if is_there(operation, horizon):
            yield operation


def is_there(operation: Operation, horizon: Horizon) -> bool:
    return operation.finished_at is None or operation.finished_at >= horizon.operations_since


def head_of(operation: Operation) -> OperationHead:
    return OperationHead(**{name: getattr(operation, name) for name in HEAD})
