"""Reviews of runs: where a run stands, what was decided on it, and the next decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from service.clock import Clock, NewId
from service.domains.dpm_runs import DEFAULT_TENANT, RunHead, RunStatus
from service.domains.pages import Page
from service.domains.retention import Retention
from service.domains.workflow_decisions import (
    DecisionFilter,
    ReviewRule,
    Verdict,
    WorkflowAction,
    WorkflowActionRequest,
    WorkflowDecision,
    WorkflowStatus,
)
from service.errors import DecisionExists
from service.flows.costs import work_on_body
from service.flows.dpm_runs import DRAWS_MAX
from service.flows.run_names import RunName, run_id_of
from service.processes import Offload
from service.storage.port import Store


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
    """The decisions on a run, oldest first."""

    rebalance_run_id: str
    decisions: tuple[WorkflowDecision, ...]


class WorkflowFlow:
    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        retention: Retention,
        new_id: NewId,
        offload: Offload,
        rule: ReviewRule,
    ) -> None:
        self._store = store
        self._clock = clock
        self._retention = retention
        self._new_id = new_id
        self._offload = offload
        self._rule = rule

    async def read(
        self, read: Callable[[bytes], WorkflowActionRequest], body: bytes
    ) -> WorkflowActionRequest:
        """The decision a body brings. Raises RequestInvalid, JsonTooDeep."""
        return await work_on_body(self._offload, body, read, body)

    async def get(self, name: RunName) -> Review:
        """Raises RunNotFound, IdempotencyKeyNotFound."""
        head = await self._head(name)
        latest = await self._store.workflow_decisions.find_latest(DEFAULT_TENANT, head.rebalance_run_id)
        return self._review(head, latest)

    async def get_history(self, name: RunName) -> History:
        """Raises RunNotFound, IdempotencyKeyNotFound."""
        run_id = (await self._head(name)).rebalance_run_id
        return History(run_id, await self._store.workflow_decisions.list_of_run(DEFAULT_TENANT, run_id))

    async def decide(self, name: RunName, asked: WorkflowActionRequest, *, correlation_id: str) -> Review:
        """Appends a decision, and tells where the run stands after it.

        Raises RunNotFound, IdempotencyKeyNotFound, WorkflowNotRequired, WorkflowStateConflict,
        WorkflowInvalidTransition.
        """
        now = self._clock.now()
        horizon = self._retention.horizon_at(now)
        run_id = await run_id_of(self._store, name, horizon)
        expected = asked.expected_workflow_status
        for _ in range(DRAWS_MAX):
            verdict = Verdict(
                decision_id=self._new_id("dwd"),
                tenant_id=DEFAULT_TENANT,
                rebalance_run_id=run_id,
                action=WorkflowAction(asked.action),
                reason_code=asked.reason_code,
                comment=asked.comment,
                actor_id=asked.actor_id,
                decided_at=now,
                correlation_id=correlation_id,
                expected_status=None if expected is None else WorkflowStatus(expected),
            )
            try:
                return self._review(
                    *await self._store.workflow_decisions.decide(verdict, self._rule, horizon)
                )
            except DecisionExists:
                continue
        raise AssertionError("drawn decision ids keep clashing")

    async def list(
        self, decisions: DecisionFilter, *, limit: int, cursor: str | None
    ) -> Page[WorkflowDecision]:
        """Decisions on all runs, newest first."""
        horizon = self._retention.horizon_at(self._clock.now())
        return await self._store.workflow_decisions.list(
            DEFAULT_TENANT, decisions, limit=limit, cursor=cursor, horizon=horizon
        )

    async def _head(self, name: RunName) -> RunHead:
        horizon = self._retention.horizon_at(self._clock.now())
        run_id = await run_id_of(self._store, name, horizon)
        return await self._store.dpm_runs.get_head(DEFAULT_TENANT, run_id, horizon)

    def _review(self, head: RunHead, latest: WorkflowDecision | None) -> Review:
        return Review(
            rebalance_run_id=head.rebalance_run_id,
            run_status=head.status,
            workflow_status=self._rule.status_of(head.status, latest.action if latest else None),
            requires_review=self._rule.requires_review(head.status),
            latest=latest,
        )
