"""What the flows may ask of storage about review decisions."""

from __future__ import annotations

from typing import Protocol

from service.domains.dpm_runs.values import (
    RunSummary,
)
from service.domains.idempotency import IdempotentAnswer
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import Page
from service.domains.workflow_decisions import DecisionFilter, ReviewAction, ReviewRule, WorkflowDecision


class WorkflowDecisionStore(Protocol):
    async def decide(
        self, verdict: ReviewAction, rule: ReviewRule, cutoff: RetentionCutoff
    ) -> tuple[RunSummary, WorkflowDecision]:
        """Check the verdict against the state the rule derives and append it, in one act.

        Of two at once one is appended. The other raises WorkflowInvalidTransition, or WorkflowStateConflict
        if it named the state it expected; unless it finds the state the first left and is allowed in it.

        Raises RunNotFound, WorkflowNotRequired, WorkflowStateConflict, WorkflowInvalidTransition, and
        DecisionExists when the decision id is taken.
        """
        ...

    async def decide_once(
        self, verdict: ReviewAction, rule: ReviewRule, cutoff: RetentionCutoff, answer: IdempotentAnswer
    ) -> IdempotentAnswer | None:
        """Decide, and keep the answer under a key, in one act; None when it was decided now.

        When the key is taken with the same request hash, the answer that is kept is given back and nothing is
        written; with another hash, raises IdempotencyKeyConflict. Equal callers at once leave one decision.
        Raises what `decide` raises; then the key stays free.
        """
        ...

    async def list_of_run(
        self, tenant_id: str, rebalance_run_id: str, *, limit: int, cursor: str | None
    ) -> Page[WorkflowDecision]:
        """The decisions on a run in the order they were taken; the cursor is the id of the last.

        Of a run that is there.
        """
        ...

    async def find_latest(self, tenant_id: str, rebalance_run_id: str) -> WorkflowDecision | None:
        """The last decision on a run; of a run that is there."""
        ...

    async def list(
        self,
        tenant_id: str,
        decisions: DecisionFilter,
        *,
        limit: int,
        cursor: str | None,
        cutoff: RetentionCutoff,
    ) -> Page[WorkflowDecision]:
        """Decisions by their time and id, newest first; the cursor is the id of the last row."""
        ...
