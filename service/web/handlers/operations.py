"""Batches accepted for later: submitted, executed and looked up (HTTP contract 4.3, 4.4, 5.3)."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from http import HTTPStatus

import msgspec
from aiohttp import web

from service.domains.operations import (
    Operation,
    OperationFilter,
    OperationSummary,
)
from service.errors.operations import OperationNotFound
from service.flows.idempotency import KeyedAnswer
from service.runtime import large_texts
from service.web import keys
from service.web.answers.operations import (
    AttemptFailure,
    OperationAccepted,
    OperationFailure,
    OperationList,
    OperationListItem,
    OperationProgress,
    OperationStatus,
)
from service.web.handlers.policy_packs import resolved, told
from service.web.requests import headers, parameters
from service.web.schemas.parameters import OperationListQuery

OPERATION_LIST = OperationListQuery()
OPERATIONS = "/rebalance/operations"
# Most operations have ended by then.
RETRY_AFTER_SECONDS = "1"


async def submit(request: web.Request) -> web.Response:
    """Accepts a batch; a bad one is told what is wrong with it, even where none is accepted (2.2)."""
    faults = (
        headers.optional_key_entries(request)
        + headers.correlation_entries(request)
        + headers.pack_entries(request)
    )
    body = await headers.json_body(request, faults)
    gates = request.app[keys.GATES]
    flow = request.app[keys.FLOWS].operations
    if faults or not gates.async_operations_enabled:
        with parameters.together_with(faults):
            await flow.check(body)
    gates.require_operations()
    resolution = await resolved(request, partial(flow.check, body))
    correlation_id, key = request[keys.CORRELATION_ID], request.headers.get(headers.KEY_HEADER)
    if key is None:
        operation = await flow.submit(body, correlation_id=correlation_id, pack=resolution.pack)
        answered = KeyedAnswer(_written(operation), operation.operation_id, replayed=False)
    else:
        answered = await flow.submit_once(
            body,
            correlation_id=correlation_id,
            pack=resolution.pack,
            idempotency_key=key,
            write=_written,
        )
    response = headers.keyed(answered, HTTPStatus.ACCEPTED)
    return told(accepted_at(response, f"{OPERATIONS}/{answered.entity_id}"), resolution)


async def cancel(request: web.Request) -> web.Response:
    """Ends one pending or running operation, and answers it as it ended."""
    request.app[keys.GATES].require_operations()
    operation_id = parameters.path_id(request, "operation_id", OperationNotFound)
    return await _found(await request.app[keys.FLOWS].operations.cancel(operation_id))


async def execute(request: web.Request) -> web.Response:
    """Executes one pending operation, and waits for its end."""
    gates = request.app[keys.GATES]
    gates.require_operations()
    gates.require_manual_execution()
    operation_id = parameters.path_id(request, "operation_id", OperationNotFound)
    return await _found(await request.app[keys.FLOWS].operations.execute(operation_id))


async def get_operation(request: web.Request) -> web.Response:
    """One operation with its result."""
    _require_open(request)
    operation_id = parameters.path_id(request, "operation_id", OperationNotFound)
    return await _found(await request.app[keys.FLOWS].operations.get(operation_id))


async def get_operation_by_correlation(request: web.Request) -> web.Response:
    """The newest operation of a correlation id (D03)."""
    _require_open(request)
    correlation_id = parameters.path_id(request, "correlation_id", OperationNotFound)
    flow = request.app[keys.FLOWS].operations
    return await _found(await flow.get_newest_by_correlation(correlation_id))


async def list_operations(request: web.Request) -> web.Response:
    """Operations, newest first, a page at a time (HTTP contract 5.5)."""
    asked = parameters.read(request, OPERATION_LIST)
    _require_open(request)
    limit, cursor = asked.pop("limit"), asked.pop("cursor")
    page = await request.app[keys.FLOWS].operations.list(OperationFilter(**asked), limit=limit, cursor=cursor)
    answer = OperationList(items=[_listed(item) for item in page.items], next_cursor=page.next_cursor)
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def status_of(operation: Operation) -> OperationStatus:
    error = operation.error
    return OperationStatus(
        operation_id=operation.operation_id,
        operation_type=operation.operation_type.value,
        status=operation.status.value,
        is_executable=operation.is_executable,
        correlation_id=operation.correlation_id,
        created_at=operation.created_at.isoformat(),
        started_at=_text_of(operation.started_at),
        finished_at=_text_of(operation.finished_at),
        result=msgspec.Raw(operation.result) if operation.result is not None else None,
        error=OperationFailure(error.code, error.message) if error else None,
        progress=_progress_of(operation),
        attempt=operation.attempt,
        lease_owner=operation.lease_owner,
        lease_expires_at=_text_of(operation.lease_expires_at),
        last_error=last_error_of(operation),
    )


def last_error_of(operation: OperationSummary) -> AttemptFailure | None:
    error = operation.last_error
    return AttemptFailure(error.code, error.message, error.attempt, error.at.isoformat()) if error else None


def accepted_at(response: web.Response, location: str) -> web.Response:
    """Says where an accepted operation can be looked up, and after how many seconds (ruling 18)."""
    response.headers["Location"] = location
    response.headers["Retry-After"] = RETRY_AFTER_SECONDS
    return response


def _require_open(request: web.Request) -> None:
    gates = request.app[keys.GATES]
    gates.require_support_apis()
    gates.require_operations()


def _written(operation: OperationSummary) -> bytes:
    return msgspec.json.encode(_accepted_of(operation))


def _accepted_of(operation: OperationSummary) -> OperationAccepted:
    return OperationAccepted(
        operation_id=operation.operation_id,
        operation_type=operation.operation_type.value,
        status=operation.status.value,
        correlation_id=operation.correlation_id,
        created_at=operation.created_at.isoformat(),
        status_url=f"{OPERATIONS}/{operation.operation_id}",
        execute_url=f"{OPERATIONS}/{operation.operation_id}/execute",
        progress=_progress_of(operation),
        attempt=operation.attempt,
    )


def _listed(operation: OperationSummary) -> OperationListItem:
    return OperationListItem(
        operation_id=operation.operation_id,
        operation_type=operation.operation_type.value,
        status=operation.status.value,
        correlation_id=operation.correlation_id,
        is_executable=operation.is_executable,
        created_at=operation.created_at.isoformat(),
        started_at=_text_of(operation.started_at),
        finished_at=_text_of(operation.finished_at),
        progress=_progress_of(operation),
        attempt=operation.attempt,
        lease_owner=operation.lease_owner,
        lease_expires_at=_text_of(operation.lease_expires_at),
        last_error=last_error_of(operation),
    )


def _progress_of(operation: OperationSummary) -> OperationProgress:
    return OperationProgress(operation.scenarios_total, operation.scenarios_done)


def _text_of(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant is not None else None


async def _found(operation: Operation) -> web.Response:
    body = await large_texts.encoded(status_of(operation), len(operation.result or b""))
    return web.Response(body=body, content_type="application/json")
