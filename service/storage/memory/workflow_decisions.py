"""Decisions on runs in memory."""

from __future__ import annotations

from itertools import islice

from service.domains.dpm_runs.supportability import Subject
from service.domains.dpm_runs.values import RunSummary
from service.domains.idempotency import IdempotentAnswer
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import EARLIEST, LATEST, Page, empty_page, page_of
from service.domains.workflow_decisions import DecisionFilter, ReviewAction, ReviewRule, WorkflowDecision
from service.errors.workflow_decisions import DecisionExists
from service.storage.memory.dpm_runs import runs
from service.storage.memory.idempotent_answers import find_answer, insert_answer
from service.storage.memory.tables.collector import hide
from service.storage.memory.tables.histories import rows_behind
from service.storage.memory.tables.sorted_index import Place
from service.storage.memory.tables.state import State
from service.storage.texts import require_storable


class MemoryWorkflowDecisions:
    def __init__(self, state: State) -> None:
        self.state = state

    async def decide(
        self, verdict: ReviewAction, rule: ReviewRule, cutoff: RetentionCutoff
    ) -> tuple[RunSummary, WorkflowDecision]:
        require_storable(verdict)
        self.state.require_open()
        return decide(self.state, verdict, rule, cutoff)

    async def decide_once(
        self,
        verdict: ReviewAction,
        rule: ReviewRule,
        cutoff: RetentionCutoff,
        answer: IdempotentAnswer,
    ) -> IdempotentAnswer | None:
        require_storable(verdict)
        self.state.require_open()
        held = find_answer(self.state, answer, cutoff)
        if held is None:
            decide(self.state, verdict, rule, cutoff)
            insert_answer(self.state, answer)
        return held

    async def list_of_run(
        self, tenant_id: str, rebalance_run_id: str, *, limit: int, cursor: str | None
    ) -> Page[WorkflowDecision]:
        self.state.require_open()
        decisions = self.state.decisions_of_run.get((tenant_id, rebalance_run_id), [])
        rows = rows_behind(decisions, cursor, limit, lambda decision: decision.decision_id)
        return page_of(rows, limit, lambda decision: decision.decision_id)

    async def find_latest(self, tenant_id: str, rebalance_run_id: str) -> WorkflowDecision | None:
        self.state.require_open()
        return find_latest(self.state, tenant_id, rebalance_run_id)

    async def list(
        self,
        tenant_id: str,
        decisions: DecisionFilter,
        *,
        limit: int,
        cursor: str | None,
        cutoff: RetentionCutoff,
    ) -> Page[WorkflowDecision]:
        self.state.require_open()

        def is_listed(decision: WorkflowDecision) -> bool:
            run = self.state.runs[tenant_id, decision.rebalance_run_id]
            return run.created_at >= cutoff.runs_since and decisions.matches(decision)

        before = None
        if cursor is not None:
            held = self.state.decisions.get((tenant_id, cursor))
            if held is None or not is_listed(held):
                return empty_page()
            before = place_of(held)
        places = self.state.decisions_by_time.backward(
            (tenant_id,),
            first=decisions.decided_from or EARLIEST,
            last=decisions.decided_to or LATEST,
            before=before,
        )
        rows = filter(is_listed, (self.state.decisions[tenant_id, decision_id] for _, decision_id in places))
        return page_of(list(islice(rows, limit + 1)), limit, lambda decision: decision.decision_id)


def decide(
    state: State, verdict: ReviewAction, rule: ReviewRule, cutoff: RetentionCutoff
) -> tuple[RunSummary, WorkflowDecision]:
    run = runs.get_run(state, verdict.tenant_id, verdict.rebalance_run_id, cutoff).head
    latest = find_latest(state, verdict.tenant_id, verdict.rebalance_run_id)
    rule.require_allowed(verdict, run.status, latest)
    if (verdict.tenant_id, verdict.decision_id) in state.decisions:
        raise DecisionExists(decision_id=verdict.decision_id)
    decision = verdict.numbered(1 if latest is None else latest.decision_no + 1)
    insert_decision(state, decision)
    return run, decision


def find_latest(state: State, tenant_id: str, rebalance_run_id: str) -> WorkflowDecision | None:
    taken = state.decisions_of_run.get((tenant_id, rebalance_run_id))
    return taken[-1] if taken else None


def insert_decision(state: State, decision: WorkflowDecision) -> None:
    tenant_id = decision.tenant_id
    hide(decision)
    state.decisions[tenant_id, decision.decision_id] = decision
    taken = state.decisions_of_run.setdefault((tenant_id, decision.rebalance_run_id), [])
    taken.append(decision)
    hide(taken)
    state.decisions_by_time.put((tenant_id,), place_of(decision))
    state.tally(tenant_id, Subject.WORKFLOW_ACTION, decision.action.value, 1)
    state.tally(tenant_id, Subject.WORKFLOW_REASON_CODE, decision.reason_code, 1)


def remove_decisions(state: State, tenant_id: str, rebalance_run_id: str) -> int:
    """Remove the decisions on a run."""
    taken = state.decisions_of_run.pop((tenant_id, rebalance_run_id), [])
    for decision in taken:
        del state.decisions[tenant_id, decision.decision_id]
        state.decisions_by_time.take((tenant_id,), place_of(decision))
        state.tally(tenant_id, Subject.WORKFLOW_ACTION, decision.action.value, -1)
        state.tally(tenant_id, Subject.WORKFLOW_REASON_CODE, decision.reason_code, -1)
    return len(taken)


def place_of(decision: WorkflowDecision) -> Place:
    return (decision.decided_at, decision.decision_id)
