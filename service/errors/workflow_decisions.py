"""Errors of review decisions about runs."""

from __future__ import annotations

from service.errors.families import Conflict, NotFound


class WorkflowDisabled(NotFound):
    """Reviews of runs are switched off."""

    code = message = "DPM_WORKFLOW_DISABLED"


class WorkflowNotRequired(Conflict):
    """The run needs no review, going by its status."""

    code = message = "DPM_WORKFLOW_NOT_REQUIRED_FOR_RUN_STATUS"


class DecidedBefore(Conflict):
    """An earlier decision forbids this one; the caller is told who decided what and when (ruling 18)."""

    shown = ("decision", "decided_by", "decided_at", "decision_id")


class WorkflowInvalidTransition(DecidedBefore):
    """The decision cannot follow the latest one, which the problem shows."""

    code = message = "DPM_WORKFLOW_INVALID_TRANSITION"


class WorkflowStateConflict(DecidedBefore):
    """The review is not in the status that the reviewer saw; the problem shows the latest decision."""

    code = message = "DPM_WORKFLOW_STATE_CONFLICT"


class DecisionExists(Conflict):
    """A drawn decision id is taken; never reaches a caller, the flow draws another."""

    code = message = "DPM_WORKFLOW_DECISION_EXISTS"
