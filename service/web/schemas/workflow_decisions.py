"""Schemas of what a reviewer sends, and of what the list of decisions can be asked for."""

from __future__ import annotations

from service.domains.values.bounds import CURSOR, DEFAULT_BOUNDS, OPEN_ID, REASON_CODE, Bounds
from service.domains.workflow_decisions import WorkflowAction, WorkflowActionRequest
from service.web.schemas.derive import StructSchema, loader_of
from service.web.schemas.fields import Choice
from service.web.schemas.parameters import LIMIT_DEFAULT, LIMIT_MAX, AskedText, Count, Instant, QuerySchema


def workflow_action_request(
    *, refuse_unknown: bool = False, bounds: Bounds | None = DEFAULT_BOUNDS
) -> StructSchema:
    return loader_of(WorkflowActionRequest, refuse_unknown, bounds)


class DecisionListQuery(QuerySchema):
    """What the list of decisions can be asked for."""

    rebalance_run_id = AskedText(OPEN_ID, load_default=None)
    action = Choice("literal_error", {action.value: action for action in WorkflowAction}, load_default=None)
    actor_id = AskedText(OPEN_ID, load_default=None)
    reason_code = AskedText(REASON_CODE, load_default=None)
    decided_from = Instant(data_key="from", load_default=None)
    decided_to = Instant(data_key="to", load_default=None)
    limit = Count("limit", least=1, most=LIMIT_MAX, default=LIMIT_DEFAULT)
    cursor = AskedText(CURSOR, load_default=None)
