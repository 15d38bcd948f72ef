"""Finds the route of a request; as the server's own does, but for two things."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.web_urldispatcher import MatchInfoError, Resource

from service.web.requests.expectations import hold

_NAMED = re.compile(r"\{(\w+)\}")


class Router(web.UrlDispatcher):
    """Takes any character but a slash in an id, braces included (ruling 21)."""

    def add_resource(self, path: str, *, name: str | None = None) -> Resource:
        return super().add_resource(_NAMED.sub(r"{\1:[^/]+}", path), name=name)

    async def resolve(self, request: web.Request) -> web.UrlMappingMatchInfo:
        found = await super().resolve(request)
        return found if found.http_exception is None else Unrouted(found.http_exception)


class Unrouted(MatchInfoError):
    """No route, or none for the method; a body that is held back is not asked for."""

    @property
    def expect_handler(self) -> Callable[[web.Request], Awaitable[None]]:
        return hold
