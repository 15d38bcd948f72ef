"""Proposals: created, versioned, moved on, approved and looked up (HTTP contract 6.3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from aiohttp import web

from service.domains.callers import Caller
from service.domains.proposals.requests import VERSION_NO_MAX
from service.domains.proposals.values import ProposalFilter
from service.errors.proposals import ProposalNotFound, ProposalVersionNotFound
from service.errors.requests import RequestInvalid
from service.runtime.large_texts import where_large
from service.web import keys
from service.web.answers.proposals.proposals import answer_detail, answer_list, answer_version
from service.web.handlers.proposals.simulations import answer_of
from service.web.requests import headers, parameters
from service.web.requests.callers import caller_of
from service.web.schemas.proposals import VERSION_NO, EvidenceQuery, version_no_of

EVIDENCE = EvidenceQuery()


async def create(request: web.Request) -> web.Response:
    """A proposal with its first version, recorded under its idempotency key."""
    flow = request.app[keys.FLOWS].proposals
    faults = headers.key_entries(request) + headers.correlation_entries(request)
    body = await _read(request, faults, flow.check_create)
    answered = await flow.create(
        caller_of(request),
        body,
        idempotency_key=request.headers[headers.KEY_HEADER],
        correlation_id=request[keys.CORRELATION_SENT] or None,
    )
    return answer_of(answered)


async def add_version(request: web.Request) -> web.Response:
    """The next version of a proposal."""
    flow = request.app[keys.FLOWS].proposals
    faults = _sent_key_entries(request) + headers.correlation_entries(request)
    body = await _read(request, faults, flow.check_version)
    answered = await flow.add_version(
        caller_of(request),
        proposal_id_of(request),
        body,
        idempotency_key=request.headers.get(headers.KEY_HEADER),
        correlation_id=request[keys.CORRELATION_SENT] or None,
    )
    return answer_of(answered)


async def transition(request: web.Request) -> web.Response:
    """One event of a proposal; answers where it stands after it."""
    flow = request.app[keys.FLOWS].proposals
    body = await _read(request, _sent_key_entries(request), flow.check_transition)
    key = request.headers.get(headers.KEY_HEADER)
    return answer_of(
        await flow.transition(caller_of(request), proposal_id_of(request), body, idempotency_key=key)
    )


async def approve(request: web.Request) -> web.Response:
    """One approval, given or refused; answers where the proposal stands after it."""
    flow = request.app[keys.FLOWS].proposals
    body = await _read(request, _sent_key_entries(request), flow.check_approval)
    key = request.headers.get(headers.KEY_HEADER)
    return answer_of(
        await flow.approve(caller_of(request), proposal_id_of(request), body, idempotency_key=key)
    )


async def list_proposals(request: web.Request) -> web.Response:
    """Proposals, newest first, a page at a time (HTTP contract 5.5)."""
    asked = request[keys.QUERY]
    limit, cursor = asked.pop("limit"), asked.pop("cursor")
    page = await request.app[keys.FLOWS].proposals.list(
        caller_of(request), ProposalFilter(**asked), limit=limit, cursor=cursor
    )
    return json_of(answer_list(page))


async def get_proposal(request: web.Request) -> web.Response:
    """One proposal with its current version."""
    asked = request[keys.QUERY]
    flow = request.app[keys.FLOWS].proposals
    found = await flow.get(caller_of(request), proposal_id_of(request))
    detail = partial(answer_detail, found.proposal, found.version, **asked)
    return json_of(await where_large(found.version.bytes_count, detail))


async def get_version(request: web.Request) -> web.Response:
    """One version of a proposal."""
    faults: Sequence[headers.Entry] = ()
    version_no = 0
    try:
        version_no = version_no_of(headers.path_text(request, VERSION_NO))
    except RequestInvalid as refused:
        faults = refused.entries
    with parameters.together_with(faults):
        asked = parameters.read(request, EVIDENCE)
    headers.require_enabled(request)
    proposal_id = parameters.path_id(request, "proposal_id", ProposalVersionNotFound)
    if version_no > VERSION_NO_MAX:
        raise ProposalVersionNotFound()
    flow = request.app[keys.FLOWS].proposals
    version = await flow.get_version(caller_of(request), proposal_id, version_no)
    return json_of(await where_large(version.bytes_count, partial(answer_version, version, **asked)))


def proposal_id_of(request: web.Request) -> str:
    return parameters.path_id(request, "proposal_id", ProposalNotFound)


def json_of(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def _sent_key_entries(request: web.Request) -> list[headers.Entry]:
    """What is wrong with an idempotency key that may be left out."""
    return headers.optional_key_entries(request)


async def _read(
    request: web.Request, faults: Sequence[headers.Entry], check: Callable[[Caller, bytes], Awaitable[None]]
) -> bytes:
    """The body of an act; a bad request is told what is wrong with it, even where none is served (2.2).

    Raises RequestInvalid, MediaTypeUnsupported, ProposalsDisabled, and what the check raises.
    """
    body = await headers.json_body(request, faults)
    if faults or not headers.is_enabled(request):
        with parameters.together_with(faults):
            await check(caller_of(request), body)
    headers.require_enabled(request)
    return body
