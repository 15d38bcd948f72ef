"""What is known of a shadow (RFC-0024, rollout phase 2)."""

from __future__ import annotations

import msgspec
from aiohttp import web

from service.domains.shadow_differences import (
    ShadowDifferenceFilter,
)
from service.web import keys
from service.web.answers.shadow_differences import parity_of
from service.web.requests.callers import caller_of


async def get_parity(request: web.Request) -> web.Response:
    """The differences that were found, newest first, a page at a time."""
    asked = request[keys.QUERY]
    limit, cursor = asked.pop("limit"), asked.pop("cursor")
    report = await request.app[keys.FLOWS].shadow_differences.report(
        caller_of(request), ShadowDifferenceFilter(**asked), limit=limit, cursor=cursor
    )
    return web.Response(body=msgspec.json.encode(parity_of(report)), content_type="application/json")
