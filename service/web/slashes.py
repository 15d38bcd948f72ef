"""A trailing slash on a route that has none is answered with 307 to the route (HTTP contract 1.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def slashes(request: web.Request, handler: Handler) -> web.StreamResponse:
    path = request.rel_url.raw_path
    missed = isinstance(request.match_info.http_exception, web.HTTPNotFound)
    if not (missed and path.endswith("/") and path.strip("/")):
        return await handler(request)
    target = request.url.origin().join(request.rel_url.with_path(path.rstrip("/"), encoded=True))
    target = target.with_query(request.rel_url.query)
    found = await request.app.router.resolve(request.clone(rel_url=target.relative()))
    if isinstance(found.http_exception, web.HTTPNotFound):
        return await handler(request)
    return web.Response(status=HTTPStatus.TEMPORARY_REDIRECT, headers={"Location": str(target)})
