"""The operations on reviews of runs; each run can be named in three ways."""

from __future__ import annotations

from service.domains.workflow_decisions import WorkflowActionRequest
from service.errors.dpm_runs import RunNotFound
from service.errors.idempotency import IdempotencyKeyConflict, IdempotencyKeyNotFound
from service.errors.workflow_decisions import (
    WorkflowDisabled,
    WorkflowInvalidTransition,
    WorkflowNotRequired,
    WorkflowStateConflict,
)
from service.web.answers.workflow_decisions import DecisionList, Workflow, WorkflowHistory
from service.web.feature_flags import Flag
from service.web.handlers import workflow_decisions as workflow_decisions_handlers
from service.web.operations.row import SUPPORT, Header, Operation, Refusals, Tag
from service.web.schemas.parameters import HistoryQuery
from service.web.schemas.workflow_decisions import DecisionListQuery

BY_RUN: tuple[str, str, Refusals] = ("/rebalance/runs/{rebalance_run_id}/workflow", "", (RunNotFound,))
BY_CORRELATION: tuple[str, str, Refusals] = (
    "/rebalance/runs/by-correlation/{correlation_id}/workflow",
    "_by_correlation",
    (RunNotFound,),
)
BY_KEY: tuple[str, str, Refusals] = (
    "/rebalance/runs/idempotency/{idempotency_key}/workflow",
    "_by_idempotency",
    (IdempotencyKeyNotFound, RunNotFound),
)


def _review(path: str, way: str, missing: Refusals) -> Operation:
    return Operation(
        method="GET",
        path=path,
        name=f"get_dpm_run_workflow{way}",
        handler=workflow_decisions_handlers.get_workflow,
        flags=(Flag.SUPPORT_APIS, Flag.WORKFLOW),
        tag=Tag.SUPPORT,
        summary="Where a run stands in its review",
        description="The state that follows from the status of the run and its latest decision.",
        answer=Workflow,
        refusals=(*SUPPORT, WorkflowDisabled, *missing),
        example="workflow",
    )


def _history(path: str, way: str, missing: Refusals) -> Operation:
    return Operation(
        method="GET",
        path=f"{path}/history",
        name=f"get_dpm_run_workflow_history{way}",
        handler=workflow_decisions_handlers.get_history,
        flags=(Flag.SUPPORT_APIS, Flag.WORKFLOW),
        tag=Tag.SUPPORT,
        summary="The decisions on a run",
        description="The decisions, oldest first; where more follow, there is a `next_cursor`.",
        answer=WorkflowHistory,
        query=HistoryQuery,
        refusals=(*SUPPORT, WorkflowDisabled, *missing),
        example="workflow_history",
    )


def _action(path: str, way: str, missing: Refusals) -> Operation:
    return Operation(
        method="POST",
        path=f"{path}/actions",
        name=f"apply_dpm_run_workflow_action{way}",
        handler=workflow_decisions_handlers.decide,
        flags=(Flag.SUPPORT_APIS, Flag.WORKFLOW),
        tag=Tag.SUPPORT,
        summary="Decide on a run",
        description="Appends one decision of a reviewer and answers where the run stands after it. With "
        "`expected_workflow_status` it is refused when somebody else decided meanwhile. A refusal tells the "
        "latest decision: `decision`, `decided_by`, `decided_at` and `decision_id`.",
        answer=Workflow,
        headers=(Header.OPTIONAL_KEY, Header.CORRELATION),
        body=WorkflowActionRequest,
        replays=True,
        refusals=(
            *SUPPORT,
            WorkflowDisabled,
            *missing,
            WorkflowNotRequired,
            WorkflowInvalidTransition,
            WorkflowStateConflict,
            IdempotencyKeyConflict,
        ),
        example="workflow_action",
    )


OPERATIONS: tuple[Operation, ...] = (
    *(make(*named) for named in (BY_RUN, BY_CORRELATION, BY_KEY) for make in (_review, _history, _action)),
    Operation(
        method="GET",
        path="/rebalance/workflow/decisions",
        name="list_dpm_workflow_decisions",
        handler=workflow_decisions_handlers.list_decisions,
        flags=(Flag.SUPPORT_APIS, Flag.WORKFLOW),
        tag=Tag.SUPPORT,
        summary="List decisions",
        description="Decisions on all runs, newest first, a page at a time.",
        answer=DecisionList,
        query=DecisionListQuery,
        refusals=(*SUPPORT, WorkflowDisabled),
        example="decision_list",
    ),
    Operation(
        method="GET",
        path="/rebalance/workflow/decisions/by-correlation/{correlation_id}",
        name="get_dpm_workflow_decisions_by_correlation",
        handler=workflow_decisions_handlers.get_history,
        flags=(Flag.SUPPORT_APIS, Flag.WORKFLOW),
        tag=Tag.SUPPORT,
        summary="The decisions on the newest run of a correlation id",
        description="The decisions, oldest first; where more follow, there is a `next_cursor`.",
        answer=WorkflowHistory,
        query=HistoryQuery,
        refusals=(*SUPPORT, WorkflowDisabled, RunNotFound),
        example="workflow_history",
    ),
)
