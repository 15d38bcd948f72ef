"""Policy packs: which one a caller is under, and the catalog they are in (HTTP contract 6.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec
from aiohttp import web

from service.errors.policy_packs import PolicyPackNotFound, PolicyPackUnknown
from service.errors.requests import RequestInvalid
from service.flows.dpm_runs.computing import RESULT
from service.flows.policy_packs.flow import PackResolution
from service.web import keys
from service.web.answers.policy_packs import EffectivePolicyPack, PolicyPackCatalog, PolicyPackMutation
from service.web.requests import headers, parameters
from service.web.requests.callers import caller_of

STATUS_HEADER = "X-Policy-Pack-Status"
UNKNOWN = "UNKNOWN"


async def get_effective(request: web.Request) -> web.Response:
    """The pack the headers select, whether it exists or not; answered also where the catalog is away."""
    _require_readable(request)
    flow = request.app[keys.FLOWS].policy_packs
    selection = flow.select(caller_of(request), headers.requested_pack(request))
    present = await flow.is_there(caller_of(request), selection)
    answer = _answer(
        EffectivePolicyPack(
            enabled=selection.enabled,
            selected_policy_pack_id=selection.policy_pack_id,
            source=selection.source,
            selected_policy_pack_present=present,
        )
    )
    if selection.policy_pack_id is not None and present is False:
        answer.headers[STATUS_HEADER] = UNKNOWN
    return answer


async def list_packs(request: web.Request) -> web.Response:
    """The whole catalog by id, and which pack of it the headers select."""
    _require_readable(request)
    flow = request.app[keys.FLOWS].policy_packs
    selection = flow.select(caller_of(request), headers.requested_pack(request))
    packs = await flow.list(caller_of(request))
    return _answer(
        PolicyPackCatalog(
            enabled=selection.enabled,
            total=len(packs),
            selected_policy_pack_id=selection.policy_pack_id,
            selected_policy_pack_present=any(
                pack.policy_pack_id == selection.policy_pack_id for pack in packs
            ),
            selected_policy_pack_source=selection.source,
            items=list(packs),
        )
    )


async def get_pack(request: web.Request) -> web.Response:
    """One pack of the catalog."""
    policy_pack_id = parameters.path_id(request, "policy_pack_id", PolicyPackNotFound)
    return _answer(await request.app[keys.FLOWS].policy_packs.get(caller_of(request), policy_pack_id))


async def publish(request: web.Request) -> web.Response:
    """Puts a pack into the catalog, or another in its place."""
    flow = request.app[keys.FLOWS].policy_packs
    faults = headers.correlation_entries(request)
    body = await headers.json_body(request, faults)
    with parameters.together_with(faults):
        wanted = await flow.read(caller_of(request), body)
    headers.require_enabled(request)
    policy_pack_id = parameters.path_id(request, "policy_pack_id", PolicyPackNotFound)
    pack = await flow.publish(
        caller_of(request), policy_pack_id, wanted, correlation_id=request[keys.CORRELATION_ID]
    )
    return _answer(PolicyPackMutation(item=pack))


async def remove(request: web.Request) -> web.Response:
    """Takes a pack out of the catalog."""
    policy_pack_id = parameters.path_id(request, "policy_pack_id", PolicyPackNotFound)
    flow = request.app[keys.FLOWS].policy_packs
    await flow.remove(caller_of(request), policy_pack_id, correlation_id=request[keys.CORRELATION_ID])
    return web.Response(status=int(HTTPStatus.NO_CONTENT))


async def resolved(request: web.Request, check: Callable[[], Awaitable[None]]) -> PackResolution:
    """The pack the headers put a request under; `check` raises what is wrong with its body, which goes first.

    Raises PolicyPackUnknown where a missing pack is refused, and StoreUnavailable of the catalog.
    """
    try:
        return await request.app[keys.FLOWS].policy_packs.resolve(
            caller_of(request), headers.requested_pack(request)
        )
    except PolicyPackUnknown:
        await check()
        raise


def told(answer: web.Response, resolution: PackResolution) -> web.Response:
    """An answer that says so when the pack that was selected is not there (D35)."""
    if resolution.is_unknown:
        answer.headers[STATUS_HEADER] = UNKNOWN
    return answer


def _require_readable(request: web.Request) -> None:
    if faults := headers.pack_entries(request):
        raise RequestInvalid(faults)


def _answer(body: msgspec.Struct) -> web.Response:
    return web.Response(body=RESULT.encode(body), content_type="application/json")
