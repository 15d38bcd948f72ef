"""Reviews of runs: where a run stands, what was decided on it, and the next decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from service.domains.callers import Caller
from service.domains.dpm_runs.values import RunStatus, RunSummary
from service.domains.idempotency import AnswerScope, IdempotentAnswer
from service.domains.values.canonical import canonical_json, digest_of
from service.domains.values.pages import Page
from service.domains.workflow_decisions import (
    DecisionFilter,
    ReviewAction,
    ReviewRule,
    WorkflowAction,
    WorkflowActionRequest,
    WorkflowDecision,
    WorkflowStatus,
)
from service.errors.workflow_decisions import DecisionExists
from service.flows.dpm_runs.flow import DRAWS_MAX
from service.flows.dpm_runs.references import RunName, run_id_of
from service.flows.idempotency import KeyedAnswer, keyed_answer
from service.flows.limits.work_costs import is_explained_on_loop, work_where
from service.flows.runtime import Runtime
from service.storage.ports.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Where a run stands; the latest decision is told even when no review is required."""

    rebalance_run_id: str
    run_status: RunStatus
    workflow_status: WorkflowStatus
    requires_review: bool
    latest: WorkflowDecision | None


@dataclass(frozen=True, slots=True)
class History:
    """One page of the decisions on a run, oldest first."""

    rebalance_run_id: str
    decisions: Page[WorkflowDecision]


class WorkflowFlow:
    def __init__(self, *, store: Store, runtime: Runtime, rule: ReviewRule) -> None:
        self._store = store
        self._clock = runtime.clock
        self._retention = runtime.retention
        self._new_id = runtime.new_id
        self._offload = runtime.offload
        self._rule = rule

    async def read(
        self, caller: Caller, read: Callable[[bytes], WorkflowActionRequest], body: bytes
    ) -> WorkflowActionRequest:
        """The decision a body brings. Raises RequestInvalid, JsonTooDeep."""
        return await work_where(self._offload, is_explained_on_loop(body), read, body)

    async def get(self, caller: Caller, name: RunName) -> Review:
        """Raises RunNotFound, IdempotencyKeyNotFound."""
        head = await self._head(caller, name)
        latest = await self._store.workflow_decisions.find_latest(caller.tenant_id, head.rebalance_run_id)
        return self._review(head, latest)

    async def get_history(self, caller: Caller, name: RunName, *, limit: int, cursor: str | None) -> History:
        """Raises RunNotFound, IdempotencyKeyNotFound."""
        run_id = (await self._head(caller, name)).rebalance_run_id
        decisions = await self._store.workflow_decisions.list_of_run(
            caller.tenant_id, run_id, limit=limit, cursor=cursor
        )
        return History(run_id, decisions)

    async def decide(
        self, caller: Caller, name: RunName, asked: WorkflowActionRequest, *, correlation_id: str
    ) -> Review:
        """Appends a decision, and tells where the run stands after it.

        Raises RunNotFound, IdempotencyKeyNotFound, WorkflowNotRequired, WorkflowStateConflict,
        WorkflowInvalidTransition.
        """
        cutoff = self._retention.cutoff_at(self._clock.now())
        run_id = await run_id_of(caller, self._store, name, cutoff)
        for _ in range(DRAWS_MAX):
            verdict = self._verdict(caller, run_id, asked, correlation_id)
            try:
                return self._review(*await self._store.workflow_decisions.decide(verdict, self._rule, cutoff))
            except DecisionExists:
                continue
        raise AssertionError("drawn decision ids keep clashing")

    async def decide_once(
        self,
        caller: Caller,
        name: RunName,
        asked: WorkflowActionRequest,
        *,
        correlation_id: str,
        idempotency_key: str,
        write: Callable[[Review], bytes],
    ) -> KeyedAnswer:
        """Decides once for all requests with the key, and gives each the bytes that the first was answered.

        `write` makes the answer. Raises what `decide` raises, and IdempotencyKeyConflict.
        """
        cutoff = self._retention.cutoff_at(self._clock.now())
        run_id = await run_id_of(caller, self._store, name, cutoff)
        head = await self._store.dpm_runs.get_head(caller.tenant_id, run_id, cutoff)
        # By which name the run was found makes no difference.
        request_hash = digest_of(canonical_json([run_id, msgspec.to_builtins(asked)]))
        for _ in range(DRAWS_MAX):
            verdict = self._verdict(caller, run_id, asked, correlation_id)
            answer = IdempotentAnswer(
                tenant_id=caller.tenant_id,
                family=AnswerScope.WORKFLOW_ACTION,
                idempotency_key=idempotency_key,
                request_hash=request_hash,
                entity_id=run_id,
                created_at=verdict.decided_at,
                # Its number is drawn by the store, and no answer has it.
                answer=write(self._review(head, verdict.numbered(1))),
            )
            try:
                decisions = self._store.workflow_decisions
                return keyed_answer(answer, await decisions.decide_once(verdict, self._rule, cutoff, answer))
            except DecisionExists:
                continue
        raise AssertionError("drawn decision ids keep clashing")

    async def list(
        self, caller: Caller, decisions: DecisionFilter, *, limit: int, cursor: str | None
    ) -> Page[WorkflowDecision]:
        """Decisions on all runs, newest first."""
        cutoff = self._retention.cutoff_at(self._clock.now())
        return await self._store.workflow_decisions.list(
            caller.tenant_id, decisions, limit=limit, cursor=cursor, cutoff=cutoff
        )

    def _verdict(
        self, caller: Caller, run_id: str, asked: WorkflowActionRequest, correlation_id: str
    ) -> ReviewAction:
        expected = asked.expected_workflow_status
        return ReviewAction(
            decision_id=self._new_id("dwd"),
            tenant_id=caller.tenant_id,
            rebalance_run_id=run_id,
            action=WorkflowAction(asked.action),
            reason_code=asked.reason_code,
            comment=asked.comment,
            actor_id=asked.actor_id,
            decided_at=self._clock.now(),
            correlation_id=correlation_id,
            expected_status=None if expected is None else WorkflowStatus(expected),
        )

    async def _head(self, caller: Caller, name: RunName) -> RunSummary:
        cutoff = self._retention.cutoff_at(self._clock.now())
        run_id = await run_id_of(caller, self._store, name, cutoff)
        return await self._store.dpm_runs.get_head(caller.tenant_id, run_id, cutoff)

    def _review(self, head: RunSummary, latest: WorkflowDecision | None) -> Review:
        return Review(
            rebalance_run_id=head.rebalance_run_id,
            run_status=head.status,
            workflow_status=self._rule.status_of(head.status, latest.action if latest else None),
            requires_review=self._rule.requires_review(head.status),
            latest=latest,
        )
