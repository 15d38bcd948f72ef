"""Which entity led to which."""

from __future__ import annotations

import msgspec
from aiohttp import web

from service.domains.lineage import EdgeFilter
from service.web import keys
from service.web.answers.lineage import lineage_of
from service.web.requests import parameters
from service.web.requests.callers import caller_of


async def list_lineage(request: web.Request) -> web.Response:
    """The edges around an entity, near or far (HTTP contract 5.3); none for an unknown one."""
    asked = request[keys.QUERY]
    entity_id = parameters.path_id(request, "entity_id", web.HTTPNotFound)
    depth, limit, cursor = asked.pop("depth"), asked.pop("limit"), asked.pop("cursor")
    met = await request.app[keys.FLOWS].lineage.list(
        caller_of(request), entity_id, EdgeFilter(**asked), depth=depth, limit=limit, cursor=cursor
    )
    answer = lineage_of(entity_id, met.page, truncated=met.truncated)
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")
