"""Liveness and readiness."""

from __future__ import annotations

from aiohttp import web

from service.web import keys

UP = b'{"status":"UP"}'


async def live(_: web.Request) -> web.Response:
    """The process runs and its loop turns."""
    return web.Response(body=UP, content_type="application/json")


async def ready(request: web.Request) -> web.Response:
    """The process can take work: a write would succeed and it is not stopping."""
    await request.app[keys.FLOWS].health.check_ready()
    return web.Response(body=UP, content_type="application/json")
