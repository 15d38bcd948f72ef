"""Creations and versions of proposals accepted for later: submitted and looked up (HTTP contract 6.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from http import HTTPStatus

import msgspec
from aiohttp import web

from service.domains.callers import Caller
from service.domains.operations import Operation, OperationSummary
from service.domains.proposals.tasks import read_task_head
from service.domains.values.json_heads import head_before
from service.errors.proposals import ProposalOperationNotFound
from service.runtime import large_texts
from service.web import keys
from service.web.answers.operations import OperationFailure, last_error_of
from service.web.answers.proposals.operations import (
    CREATED_HEAD,
    ProposalOperationAccepted,
    ProposalOperationStatus,
)
from service.web.handlers.operations import accepted_at
from service.web.handlers.proposals.proposals import proposal_id_of
from service.web.requests import headers, parameters
from service.web.requests.callers import caller_of

OPERATIONS = "/rebalance/proposals/operations"


async def submit_creation(request: web.Request) -> web.Response:
    """Accepts a creation; a bad one is told what is wrong with it, even where none is accepted (2.2)."""
    flows = request.app[keys.FLOWS]
    faults = headers.key_entries(request) + headers.correlation_entries(request)
    body = await _read(request, faults, flows.proposals.check_create)
    operation = await flows.proposal_operations.submit_create(
        caller_of(request),
        body,
        idempotency_key=request.headers[headers.KEY_HEADER],
        correlation_id=request[keys.CORRELATION_ID],
        correlation_sent=request[keys.CORRELATION_SENT] or None,
    )
    return _accepted(operation)


async def submit_version(request: web.Request) -> web.Response:
    """Accepts a version; a bad one is told what is wrong with it, even where none is accepted (2.2)."""
    flows = request.app[keys.FLOWS]
    body = await _read(request, headers.correlation_entries(request), flows.proposals.check_version)
    operation = await flows.proposal_operations.submit_version(
        caller_of(request),
        proposal_id_of(request),
        body,
        correlation_id=request[keys.CORRELATION_ID],
        correlation_sent=request[keys.CORRELATION_SENT] or None,
    )
    return _accepted(operation)


async def get_operation(request: web.Request) -> web.Response:
    """One operation with its result."""
    operation_id = parameters.path_id(request, "operation_id", ProposalOperationNotFound)
    return await _found(
        await request.app[keys.FLOWS].proposal_operations.get(caller_of(request), operation_id)
    )


async def get_operation_by_correlation(request: web.Request) -> web.Response:
    """The newest operation of a correlation id (D04)."""
    correlation_id = parameters.path_id(request, "correlation_id", ProposalOperationNotFound)
    flow = request.app[keys.FLOWS].proposal_operations
    return await _found(await flow.get_newest_by_correlation(caller_of(request), correlation_id))


async def cancel(request: web.Request) -> web.Response:
    """Ends one pending or running operation, and answers it as it ended."""
    operation_id = parameters.path_id(request, "operation_id", ProposalOperationNotFound)
    return await _found(
        await request.app[keys.FLOWS].proposal_operations.cancel(caller_of(request), operation_id)
    )


async def _read(
    request: web.Request, faults: Sequence[headers.Entry], check: Callable[[Caller, bytes], Awaitable[None]]
) -> bytes:
    body = await headers.json_body(request, faults)
    if faults or not headers.is_enabled(request):
        with parameters.together_with(faults):
            await check(caller_of(request), body)
    headers.require_enabled(request)
    return body


def _accepted(operation: OperationSummary) -> web.Response:
    accepted = ProposalOperationAccepted(
        operation_id=operation.operation_id,
        operation_type=operation.operation_type,
        status=operation.status,
        correlation_id=operation.correlation_id,
        created_at=operation.created_at.isoformat(),
        status_url=f"{OPERATIONS}/{operation.operation_id}",
    )
    return accepted_at(_answer(accepted, HTTPStatus.ACCEPTED), accepted.status_url)


async def _found(operation: Operation) -> web.Response:
    task, result, error = read_task_head(operation.request), operation.result, operation.error
    proposal_id = task.proposal_id
    if result is not None:
        proposal_id = CREATED_HEAD.decode(head_before(result, "version")).proposal.proposal_id
    body = await large_texts.encoded(
        ProposalOperationStatus(
            operation_id=operation.operation_id,
            operation_type=operation.operation_type,
            status=operation.status,
            correlation_id=operation.correlation_id,
            idempotency_key=task.idempotency_key,
            proposal_id=proposal_id,
            created_by=task.created_by,
            created_at=operation.created_at.isoformat(),
            started_at=_text_of(operation.started_at),
            finished_at=_text_of(operation.finished_at),
            result=msgspec.Raw(result) if result is not None else None,
            error=OperationFailure(error.code, error.message) if error else None,
            attempt=operation.attempt,
            lease_owner=operation.lease_owner,
            lease_expires_at=_text_of(operation.lease_expires_at),
            last_error=last_error_of(operation),
        ),
        len(result or b""),
    )
    return web.Response(body=body, content_type="application/json")


def _text_of(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant is not None else None


def _answer(body: msgspec.Struct, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=int(status), content_type="application/json")
