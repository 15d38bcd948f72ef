"""Reviews of runs: where they stand, what was decided, and decisions to come (HTTP contract 5.4)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from aiohttp import web

from service.domains.workflow_decisions import (
    NO_CORRELATION,
    DecisionFilter,
    WorkflowActionRequest,
)
from service.errors.dpm_runs import RunNotFound
from service.errors.idempotency import IdempotencyKeyNotFound
from service.flows.dpm_runs.references import ByCorrelation, ByKey, ByRunId, RunName
from service.flows.workflow_decisions import Review
from service.web import keys
from service.web.answers.workflow_decisions import DecisionList, Workflow, decision_of, history_of
from service.web.requests import headers, parameters
from service.web.requests.callers import caller_of

# How the body of an action is read: leniently or strictly, as the process was told (ruling 9).
DECODE_ACTION: web.AppKey[Callable[[bytes], WorkflowActionRequest]] = web.AppKey("DECODE_ACTION")


async def get_workflow(request: web.Request) -> web.Response:
    """Where a run stands in its review."""
    return _reviewed(await request.app[keys.FLOWS].workflow.get(caller_of(request), _run_name(request)))


async def get_history(request: web.Request) -> web.Response:
    """The decisions on a run, oldest first."""
    asked = request[keys.QUERY]
    history = await request.app[keys.FLOWS].workflow.get_history(
        caller_of(request), _run_name(request), **asked
    )
    return _answer(history_of(history))


async def decide(request: web.Request) -> web.Response:
    """One decision of a reviewer; answers where the run stands after it."""
    faults = headers.optional_key_entries(request) + headers.correlation_entries(request)
    body = await headers.json_body(request, faults)
    flow, name = request.app[keys.FLOWS].workflow, _run_name(request)
    with parameters.together_with(faults):
        asked = await flow.read(caller_of(request), request.app[DECODE_ACTION], body)
    headers.require_enabled(request)
    correlation_id = request[keys.CORRELATION_SENT] or NO_CORRELATION
    key = request.headers.get(headers.KEY_HEADER)
    if key is None:
        return _reviewed(await flow.decide(caller_of(request), name, asked, correlation_id=correlation_id))
    return headers.keyed(
        await flow.decide_once(
            caller_of(request),
            name,
            asked,
            correlation_id=correlation_id,
            idempotency_key=key,
            write=_written,
        )
    )


async def list_decisions(request: web.Request) -> web.Response:
    """Decisions on all runs, newest first, a page at a time (HTTP contract 5.5)."""
    asked = request[keys.QUERY]
    limit, cursor = asked.pop("limit"), asked.pop("cursor")
    page = await request.app[keys.FLOWS].workflow.list(
        caller_of(request), DecisionFilter(**asked), limit=limit, cursor=cursor
    )
    return _answer(
        DecisionList(items=[decision_of(item) for item in page.items], next_cursor=page.next_cursor)
    )


def _run_name(request: web.Request) -> RunName:
    """The run by what the route names it by."""
    if "correlation_id" in request.match_info:
        return ByCorrelation(parameters.path_id(request, "correlation_id", RunNotFound))
    if "idempotency_key" in request.match_info:
        return ByKey(parameters.path_id(request, "idempotency_key", IdempotencyKeyNotFound))
    return ByRunId(parameters.path_id(request, "rebalance_run_id", RunNotFound))


def _reviewed(review: Review) -> web.Response:
    return web.Response(body=_written(review), content_type="application/json")


def _written(review: Review) -> bytes:
    return msgspec.json.encode(
        Workflow(
            run_id=review.rebalance_run_id,
            run_status=review.run_status.value,
            workflow_status=review.workflow_status,
            requires_review=review.requires_review,
            latest_decision=decision_of(review.latest) if review.latest else None,
        )
    )


def _answer(body: msgspec.Struct) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")
