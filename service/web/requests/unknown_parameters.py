"""Tells of the parameters of a query that mean nothing, which are spelled wrongly more often than not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from service.errors.requests import RequestInvalid
from service.web.requests import parameters
from service.web.schemas.entries import entry

HEADER = "X-Ignored-Parameters"
# Probes and pages are asked with parameters of browsers and caches.
BUSINESS = "/rebalance/"
SHOWN_MAX = 10
CHARACTERS_MAX = 60

# The parameters of each route that takes any, by its method and its template.
Known = Mapping[tuple[str, str], frozenset[str]]

_UNFIT = re.compile(r"[^A-Za-z0-9_.\[\]-]")


def unknown_parameters(known: Known, *, refused: bool) -> Middleware:
    """Middleware: with `refused` raises RequestInvalid (ruling 9), else an answer names what was ignored."""

    @web.middleware
    async def look(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.rel_url.raw_query_string or not request.path.startswith(BUSINESS):
            return await handler(request)
        resource = request.match_info.route.resource
        if resource is None:
            return await handler(request)
        method = "GET" if request.method == "HEAD" else request.method
        taken = known.get((method, resource.canonical), frozenset())
        received = parameters.received_in(request)
        ignored = [name for name in received if name not in taken]
        if refused and ignored:
            shown = islice(ignored, SHOWN_MAX)
            raise RequestInvalid(
                [entry("extra_forbidden", ("query", plain(name)), received[name]) for name in shown]
            )
        answer = await handler(request)
        if ignored:
            answer.headers[HEADER] = told(ignored)
        return answer

    return look


def told(names: list[str]) -> str:
    """The names as one header of a bounded length."""
    shown = ", ".join(plain(name) for name in names[:SHOWN_MAX])
    return shown if len(names) <= SHOWN_MAX else f"{shown}, and {len(names) - SHOWN_MAX} more"


def plain(name: str) -> str:
    """A name without what could be taken for something else, and not for ever."""
    return _UNFIT.sub("_", name[:CHARACTERS_MAX])
