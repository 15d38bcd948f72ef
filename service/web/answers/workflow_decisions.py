"""Answers about review decisions."""

from __future__ import annotations

import msgspec

from service.domains.values.ids import ActorId, CorrelationId, NextCursor, RunId
from service.domains.values.published import published
from service.domains.workflow_decisions import (
    WorkflowAction,
    WorkflowDecision,
    WorkflowStatus,
)
from service.flows.workflow_decisions import History


@published("DpmRunWorkflowDecisionResponse")
class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmRunWorkflowDecisionResponse`."""

    decision_id: str
    """Id of the decision: `dwd_` and 32 hexadecimal digits."""
    run_id: RunId
    action: WorkflowAction
    """What was decided.

    Values as of `service.domains.workflow_decisions.WorkflowAction`.
    """
    reason_code: str
    """Why, as a code of the house."""
    comment: str | None
    """Why, in words; null where nothing was said."""
    actor_id: ActorId
    decided_at: str
    """Instant of the decision, in UTC."""
    correlation_id: CorrelationId


@published("DpmRunWorkflowResponse")
class Workflow(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmRunWorkflowResponse`."""

    run_id: RunId
    run_status: str
    """What the simulation came to.

    Values as of `service.domains.rebalances.results.values.RunStatusText`.
    """
    workflow_status: WorkflowStatus
    """Where the review of the run stands.

    Values as of `service.domains.workflow_decisions.WorkflowStatus`.
    """
    requires_review: bool
    """Whether runs in this status need a review, going by the settings."""
    latest_decision: Decision | None
    """Latest decision on the run; null where there is none."""


@published("DpmRunWorkflowHistoryResponse")
class WorkflowHistory(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmRunWorkflowHistoryResponse`, and a cursor where more decisions follow."""

    run_id: RunId
    decisions: list[Decision]
    """Decisions on the page, oldest first."""
    next_cursor: NextCursor | None


@published("DpmWorkflowDecisionListResponse")
class DecisionList(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmWorkflowDecisionListResponse`."""

    items: list[Decision]
    """Decisions on the page, newest first."""
    next_cursor: NextCursor | None


def history_of(history: History) -> WorkflowHistory:
    return WorkflowHistory(
        run_id=history.rebalance_run_id,
        decisions=[decision_of(item) for item in history.decisions.items],
        next_cursor=history.decisions.next_cursor,
    )


def decision_of(decision: WorkflowDecision) -> Decision:
    return Decision(
        decision_id=decision.decision_id,
        run_id=decision.rebalance_run_id,
        action=decision.action,
        reason_code=decision.reason_code,
        comment=decision.comment,
        actor_id=decision.actor_id,
        decided_at=decision.decided_at.isoformat(),
        correlation_id=decision.correlation_id,
    )
