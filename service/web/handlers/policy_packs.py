"""Policy packs: which one a caller is under, and the catalog they are in (HTTP contract 6.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec
from aiohttp import web

from service.domains.policy_packs import PackSource, PolicyPack
from service.errors.policy_packs import PolicyPackNotFound, PolicyPackUnknown
from service.errors.requests import RequestInvalid
from service.flows.dpm_runs.computing import RESULT
from service.flows.policy_packs.flow import PackResolution
from service.web import keys
from service.web.requests import headers, parameters

STATUS_HEADER = "X-Policy-Pack-Status"
UNKNOWN = "UNKNOWN"


class EffectivePolicyPack(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmEffectivePolicyPackResolution`, and whether there is such a pack; null if that is not known."""

    enabled: bool
    """Whether policy packs are switched on."""
    selected_policy_pack_id: str | None
    """Policy pack that the headers and settings select; null where they select none."""
    source: PackSource
    """Where the selection comes from."""
    selected_policy_pack_present: bool | None
    """Whether the catalog has that pack; null where none is selected or the catalog cannot be asked."""


class PolicyPackCatalog(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmPolicyPackCatalogResponse`."""

    enabled: bool
    """Whether policy packs are switched on."""
    total: int
    """How many policy packs the catalog has."""
    selected_policy_pack_id: str | None
    """Policy pack that the headers and settings select; null where they select none."""
    selected_policy_pack_present: bool
    """Whether the catalog has that pack."""
    selected_policy_pack_source: PackSource
    """Where the selection comes from."""
    items: list[PolicyPack]
    """All policy packs in ascending order of their ids."""


class PolicyPackMutation(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmPolicyPackMutationResponse`."""

    item: PolicyPack
    """The policy pack as it is from now on."""


async def get_effective(request: web.Request) -> web.Response:
    """The pack the headers select, whether it exists or not; answered also where the catalog is away."""
    _require_readable(request)
    flow = request.app[keys.FLOWS].policy_packs
    selection = flow.select(headers.pack_wish(request))
    present = await flow.is_there(selection)
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
    selection = flow.select(headers.pack_wish(request))
    packs = await flow.list()
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
    return _answer(await request.app[keys.FLOWS].policy_packs.get(policy_pack_id))


async def publish(request: web.Request) -> web.Response:
    """Puts a pack into the catalog, or another in its place."""
    flow = request.app[keys.FLOWS].policy_packs
    faults = headers.correlation_entries(request)
    body = await headers.json_body(request, faults)
    with parameters.together_with(faults):
        wanted = await flow.read(body)
    request.app[keys.GATES].require_policy_admin()
    policy_pack_id = parameters.path_id(request, "policy_pack_id", PolicyPackNotFound)
    pack = await flow.publish(policy_pack_id, wanted, correlation_id=request[keys.CORRELATION_ID])
    return _answer(PolicyPackMutation(item=pack))


async def remove(request: web.Request) -> web.Response:
    """Takes a pack out of the catalog."""
    if faults := headers.correlation_entries(request):
        raise RequestInvalid(faults)
    request.app[keys.GATES].require_policy_admin()
    policy_pack_id = parameters.path_id(request, "policy_pack_id", PolicyPackNotFound)
    flow = request.app[keys.FLOWS].policy_packs
    await flow.remove(policy_pack_id, correlation_id=request[keys.CORRELATION_ID])
    return web.Response(status=int(HTTPStatus.NO_CONTENT))


async def resolved(request: web.Request, check: Callable[[], Awaitable[None]]) -> PackResolution:
    """The pack the headers put a request under; `check` raises what is wrong with its body, which goes first.

    Raises PolicyPackUnknown where a missing pack is refused, and StoreUnavailable of the catalog.
    """
    try:
        return await request.app[keys.FLOWS].policy_packs.resolve(headers.pack_wish(request))
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
