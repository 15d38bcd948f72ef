"""A trailing slash on a route that has none is answered with 307 to the route (HTTP contract 1.4)."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Handler
from yarl import URL

# What may stand in a path and a query as it is; a percent sign begins what was encoded by the caller.
_KEPT = "!$%&'()*+,-./:;=?@_~"


@web.middleware
async def slashes(request: web.Request, handler: Handler) -> web.StreamResponse:
    path = request.rel_url.raw_path
    missed = isinstance(request.match_info.http_exception, web.HTTPNotFound)
    if not (missed and path.endswith("/") and path.strip("/")):
        return await handler(request)
    target = path.rstrip("/")
    found = await request.app.router.resolve(request.clone(rel_url=URL.build(path=target, encoded=True)))
    if isinstance(found.http_exception, web.HTTPNotFound):
        return await handler(request)
    location = relative_location(path, request.rel_url.raw_query_string)
    return web.Response(status=HTTPStatus.TEMPORARY_REDIRECT, headers={"Location": location})


def relative_location(path: str, query: str) -> str:
    """From a path with slashes at its end to the one without (ruling 20).

    It names no host and does not begin at the root, so that scheme, host, port and the path under which a
    proxy publishes the service stay what they are for the caller.
    """
    target = path.rstrip("/")
    steps = "../" * (len(path) - len(target))
    located = steps + target.rpartition("/")[2] + (f"?{query}" if query else "")
    return quote(located, safe=_KEPT, errors="surrogateescape")
