"""Reviews of runs: what was decided, and the state that follows from it (HTTP contract 7.2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Annotated, ClassVar, Literal

from service.domains.dpm_runs.values import RunStatus
from service.domains.values.bounds import COMMENT, ID, REASON_CODE
from service.domains.values.fields import Check, Checked, Pattern
from service.domains.values.published import published
from service.errors.workflow_decisions import (
    WorkflowInvalidTransition,
    WorkflowNotRequired,
    WorkflowStateConflict,
)

# What a decision without a correlation id of its own is filed under.
NO_CORRELATION = "c_none"


class WorkflowStatus(Enum):
    """Where the review of a run stands."""

    NOT_REQUIRED = "NOT_REQUIRED"
    """The run needs no review, going by its status."""
    PENDING_REVIEW = "PENDING_REVIEW"
    """A reviewer has to decide."""
    APPROVED = "APPROVED"
    """The latest decision approves the run."""
    REJECTED = "REJECTED"
    """The latest decision rejects the run."""


class WorkflowAction(Enum):
    """What a reviewer decides."""

    APPROVE = "APPROVE"
    """The run may go on."""
    REJECT = "REJECT"
    """The run may not go on."""
    REQUEST_CHANGES = "REQUEST_CHANGES"
    """The run goes back to review."""


LEADS_TO = {
    WorkflowAction.APPROVE: WorkflowStatus.APPROVED,
    WorkflowAction.REJECT: WorkflowStatus.REJECTED,
    WorkflowAction.REQUEST_CHANGES: WorkflowStatus.PENDING_REVIEW,
}
ALLOWED = {
    WorkflowStatus.PENDING_REVIEW: frozenset(WorkflowAction),
    WorkflowStatus.APPROVED: frozenset({WorkflowAction.REJECT, WorkflowAction.REQUEST_CHANGES}),
    WorkflowStatus.REJECTED: frozenset({WorkflowAction.REQUEST_CHANGES}),
}


@published(request="DpmRunWorkflowActionRequest")
class WorkflowActionRequest(Checked, frozen=True, kw_only=True):
    """What a reviewer sends; the status they saw, if said, must still be the one that holds."""

    CHECKS: ClassVar[tuple[Check, ...]] = (Pattern("reason_code", "^[A-Z][A-Z0-9_]*$"),)

    action: Literal["APPROVE", "REJECT", "REQUEST_CHANGES"]
    """What the reviewer decides.

    Values as of `service.domains.workflow_decisions.WorkflowAction`.
    """
    reason_code: Annotated[str, REASON_CODE]
    """Why, as a code of the house: capital letters, digits and underscores."""
    comment: Annotated[str | None, COMMENT] = None
    """Why, in words; null where nothing is said."""
    actor_id: Annotated[str, ID]
    """Who decides, as the caller names them."""
    expected_workflow_status: Literal["PENDING_REVIEW", "APPROVED", "REJECTED", "NOT_REQUIRED"] | None = None
    """Status that the reviewer saw; the decision is refused where another holds by now. Null does not check.

    Values as of `service.domains.workflow_decisions.WorkflowStatus`.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowDecision:
    """One decision on a run; `decision_no` counts from 1 for each run."""

    decision_id: str
    tenant_id: str
    rebalance_run_id: str
    decision_no: int
    action: WorkflowAction
    reason_code: str
    comment: str | None
    actor_id: str
    decided_at: datetime
    correlation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewAction:
    """A decision that asks to be appended; `expected_status` is the state its reviewer saw, if said."""

    decision_id: str
    tenant_id: str
    rebalance_run_id: str
    action: WorkflowAction
    reason_code: str
    comment: str | None
    actor_id: str
    decided_at: datetime
    correlation_id: str
    expected_status: WorkflowStatus | None = None

    def numbered(self, decision_no: int) -> WorkflowDecision:
        return WorkflowDecision(
            decision_id=self.decision_id,
            tenant_id=self.tenant_id,
            rebalance_run_id=self.rebalance_run_id,
            decision_no=decision_no,
            action=self.action,
            reason_code=self.reason_code,
            comment=self.comment,
            actor_id=self.actor_id,
            decided_at=self.decided_at,
            correlation_id=self.correlation_id,
        )


@dataclass(frozen=True, slots=True)
class ReviewRule:
    """Which runs need a review; statuses are free text, as the setting is."""

    statuses: frozenset[str]

    def requires_review(self, run_status: RunStatus) -> bool:
        return run_status.value in self.statuses

    def status_of(self, run_status: RunStatus, latest: WorkflowAction | None) -> WorkflowStatus:
        if not self.requires_review(run_status):
            return WorkflowStatus.NOT_REQUIRED
        return WorkflowStatus.PENDING_REVIEW if latest is None else LEADS_TO[latest]

    def require_allowed(
        self, verdict: ReviewAction, run_status: RunStatus, latest: WorkflowDecision | None
    ) -> None:
        """Raises WorkflowNotRequired, WorkflowStateConflict or WorkflowInvalidTransition, in this order."""
        current = self.status_of(run_status, latest.action if latest else None)
        if current is WorkflowStatus.NOT_REQUIRED:
            raise WorkflowNotRequired()
        if verdict.expected_status not in (None, current):
            raise WorkflowStateConflict(**facts_of(latest))
        if verdict.action not in ALLOWED[current]:
            raise WorkflowInvalidTransition(**facts_of(latest))


def facts_of(decision: WorkflowDecision | None) -> dict[str, str]:
    """What a refusal tells of the decision that stands in the way; nothing when there is none."""
    if decision is None:
        return {}
    return {
        "decision": decision.action.value,
        "decided_by": decision.actor_id,
        "decided_at": decision.decided_at.isoformat(),
        "decision_id": decision.decision_id,
    }


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """Bounds are inclusive and on the time of the decision."""

    rebalance_run_id: str | None = None
    actor_id: str | None = None
    reason_code: str | None = None
    action: WorkflowAction | None = None
    decided_from: datetime | None = None
    decided_to: datetime | None = None

    def matches(self, decision: WorkflowDecision) -> bool:
        return (
            self.rebalance_run_id in (None, decision.rebalance_run_id)
            and self.actor_id in (None, decision.actor_id)
            and self.reason_code in (None, decision.reason_code)
            and self.action in (None, decision.action)
            and (self.decided_from is None or decision.decided_at >= self.decided_from)
            and (self.decided_to is None or decision.decided_at <= self.decided_to)
        )
