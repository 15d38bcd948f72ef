"""What the store holds, in numbers."""

from __future__ import annotations

import msgspec
from aiohttp import web

from service.web import keys
from service.web.answers.supportability import summary_of
from service.web.requests.callers import caller_of


async def get_summary(request: web.Request) -> web.Response:
    """Exact counts over all that has not expired (HTTP contract 7.6)."""
    found = await request.app[keys.FLOWS].supportability.summarise(caller_of(request))
    return web.Response(body=msgspec.json.encode(summary_of(found)), content_type="application/json")
