"""Batches accepted for later: submitted, executed and looked up (HTTP contract 4.3, 4.4, 5.3)."""

from __future__ import annotations

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
    OPERATIONS,
    OperationList,
    accepted_of,
    listed,
    status_of,
)
from service.web.handlers.policy_packs import resolved, told
from service.web.requests import headers, parameters
from service.web.requests.callers import caller_of

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
    flow = request.app[keys.FLOWS].operations
    if faults or not headers.is_enabled(request):
        with parameters.together_with(faults):
            await flow.check(caller_of(request), body)
    headers.require_enabled(request)
    resolution = await resolved(request, partial(flow.check, caller_of(request), body))
    correlation_id, key = request[keys.CORRELATION_ID], request.headers.get(headers.KEY_HEADER)
    if key is None:
        operation = await flow.submit(
            caller_of(request), body, correlation_id=correlation_id, pack=resolution.pack
        )
        answered = KeyedAnswer(_written(operation), operation.operation_id, replayed=False)
    else:
        answered = await flow.submit_once(
            caller_of(request),
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
    operation_id = parameters.path_id(request, "operation_id", OperationNotFound)
    return await _found(await request.app[keys.FLOWS].operations.cancel(caller_of(request), operation_id))


async def execute(request: web.Request) -> web.Response:
    """Executes one pending operation, and waits for its end."""
    operation_id = parameters.path_id(request, "operation_id", OperationNotFound)
    return await _found(await request.app[keys.FLOWS].operations.execute(caller_of(request), operation_id))


async def get_operation(request: web.Request) -> web.Response:
    """One operation with its result."""
    operation_id = parameters.path_id(request, "operation_id", OperationNotFound)
    return await _found(await request.app[keys.FLOWS].operations.get(caller_of(request), operation_id))


async def get_operation_by_correlation(request: web.Request) -> web.Response:
    """The newest operation of a correlation id (D03)."""
    correlation_id = parameters.path_id(request, "correlation_id", OperationNotFound)
    flow = request.app[keys.FLOWS].operations
    return await _found(await flow.get_newest_by_correlation(caller_of(request), correlation_id))


async def list_operations(request: web.Request) -> web.Response:
    """Operations, newest first, a page at a time (HTTP contract 5.5)."""
    asked = request[keys.QUERY]
    limit, cursor = asked.pop("limit"), asked.pop("cursor")
    page = await request.app[keys.FLOWS].operations.list(
        caller_of(request), OperationFilter(**asked), limit=limit, cursor=cursor
    )
    answer = OperationList(items=[listed(item) for item in page.items], next_cursor=page.next_cursor)
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def accepted_at(response: web.Response, location: str) -> web.Response:
    """Says where an accepted operation can be looked up, and after how many seconds (ruling 18)."""
    response.headers["Location"] = location
    response.headers["Retry-After"] = RETRY_AFTER_SECONDS
    return response


def _written(operation: OperationSummary) -> bytes:
    return msgspec.json.encode(accepted_of(operation))


async def _found(operation: Operation) -> web.Response:
    body = await large_texts.encoded(status_of(operation), len(operation.result or b""))
    return web.Response(body=body, content_type="application/json")
