"""A trailing slash on a route that has none is answered with 307 to the route (HTTP contract 1.4)."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler


@web.middleware
async def slashes(request: web.Request, handler: Handler) -> web.StreamResponse:
    path, mark, query = request.path_qs.partition("?")
    missed = isinstance(request.match_info.http_exception, web.HTTPNotFound)
    if not (missed and path.endswith("/") and path.strip("/")):
        return await handler(request)
    target = path.rstrip("/")
    found = await request.app.router.resolve(request.clone(rel_url=target))
    if isinstance(found.http_exception, web.HTTPNotFound):
        return await handler(request)
    # The origin in front keeps a path like //elsewhere from naming another host.
    location = f"{request.url.origin()}{target}{mark}{query}"
    return web.Response(status=HTTPStatus.TEMPORARY_REDIRECT, headers={"Location": location})
