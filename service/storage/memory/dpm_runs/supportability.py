"""What memory holds, counted: the tallies, less what has expired and waits for its purge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from service.domains.dpm_runs.supportability import Bounds, Subject, Summary, Unfinished, counts_of
from service.domains.operations import OperationStatus
from service.domains.retention.cutoffs import RetentionCutoff
from service.storage.memory import lineage
from service.storage.memory.operations import lists
from service.storage.memory.tables.state import State


class MemorySupportability:
    def __init__(self, state: State) -> None:
        self.state = state

    async def summarise(self, tenant_id: str, cutoff: RetentionCutoff) -> Summary:
        self.state.require_open()
        counts = Counter(self.state.tallies.get(tenant_id))
        counts.subtract(expired(self.state, tenant_id, cutoff))
        return Summary(
            counts=counts_of((subject.value, value, count) for (subject, value), count in counts.items()),
            runs=bounds_of_runs(self.state, tenant_id, cutoff),
            operations=bounds_of_operations(self.state, tenant_id, cutoff),
        )

    async def list_unfinished(self, tenant_id: str) -> tuple[Unfinished, ...]:
        self.state.require_open()
        found: list[Unfinished] = []
        for status in (OperationStatus.PENDING, OperationStatus.RUNNING):
            places = self.state.operations_by_status.forward((tenant_id, status.value))
            held = [self.state.operations[tenant_id, operation_id] for _, operation_id in places]
            for operation_type in {operation.operation_type for operation in held}:
                accepted = [one.created_at for one in held if one.operation_type is operation_type]
                found.append(Unfinished(operation_type, status, len(accepted), min(accepted)))
        return tuple(sorted(found, key=lambda one: (one.operation_type.value, one.status.value)))

    async def compact(self) -> None:
        """Nothing to do: what comes and goes is counted at once."""
        self.state.require_open()


def expired(state: State, tenant_id: str, cutoff: RetentionCutoff) -> Iterator[tuple[Subject, str]]:
    """What is tallied of runs and operations that have expired, one for each row."""
    for _, run_id in state.runs_by_creation.older_than((tenant_id,), cutoff.runs_since):
        yield Subject.RUN_STATUS, state.runs[tenant_id, run_id].head.status.value
        for decision in state.decisions_of_run.get((tenant_id, run_id), ()):
            yield Subject.WORKFLOW_ACTION, decision.action.value
            yield Subject.WORKFLOW_REASON_CODE, decision.reason_code
        for edge in lineage.edges_of_run(state, tenant_id, run_id):
            yield Subject.LINEAGE_EDGE_TYPE, edge.edge_type.value
    for _, operation_id in state.operations_by_end.older_than((tenant_id,), cutoff.operations_since):
        yield Subject.OPERATION_STATUS, state.operations[tenant_id, operation_id].status.value


def bounds_of_runs(state: State, tenant_id: str, cutoff: RetentionCutoff) -> Bounds:
    shelves, since = state.runs_by_creation, cutoff.runs_since
    oldest = next(shelves.forward((tenant_id,), first=since), None)
    newest = next(shelves.backward((tenant_id,), first=since), None)
    return Bounds(None if oldest is None else oldest[0], None if newest is None else newest[0])


def bounds_of_operations(state: State, tenant_id: str, cutoff: RetentionCutoff) -> Bounds:
    shelves = state.operations_by_creation
    ends = [
        next(
            (one for one in lists.those_there(state, tenant_id, places, cutoff) if one.is_analysis),
            None,
        )
        for places in (shelves.forward((tenant_id,)), shelves.backward((tenant_id,)))
    ]
    return Bounds(*(None if operation is None else operation.created_at for operation in ends))
