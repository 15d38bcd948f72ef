"""Which entity led to which."""

from __future__ import annotations

import msgspec
from aiohttp import web

from service.domains.lineage import Edge, EdgeFilter
from service.domains.values.ids import NextCursor
from service.domains.values.pages import Page
from service.flows.lineage import LineageEdge, edge_of
from service.web import keys
from service.web.requests import parameters
from service.web.schemas.parameters import LineageQuery

LINEAGE = LineageQuery()


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmLineageResponse`; truncated says that a walk met more edges than are shown on all its pages."""

    entity_id: str
    """Id that the walk started from."""
    edges: list[LineageEdge]
    """Edges that the walk met, oldest first."""
    next_cursor: NextCursor | None
    truncated: bool
    """Whether the walk met more edges than all its pages show, which are those nearest to the entity."""


async def list_lineage(request: web.Request) -> web.Response:
    """The edges around an entity, near or far (HTTP contract 5.3); none for an unknown one."""
    asked = parameters.read(request, LINEAGE)
    gates = request.app[keys.GATES]
    gates.require_support_apis()
    gates.require_lineage_apis()
    entity_id = parameters.path_id(request, "entity_id", web.HTTPNotFound)
    depth, limit, cursor = asked.pop("depth"), asked.pop("limit"), asked.pop("cursor")
    met = await request.app[keys.FLOWS].lineage.list(
        entity_id, EdgeFilter(**asked), depth=depth, limit=limit, cursor=cursor
    )
    answer = lineage_of(entity_id, met.page, truncated=met.truncated)
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def lineage_of(entity_id: str, page: Page[Edge], *, truncated: bool = False) -> Lineage:
    return Lineage(
        entity_id=entity_id,
        edges=[edge_of(edge) for edge in page.items],
        next_cursor=page.next_cursor,
        truncated=truncated,
    )
