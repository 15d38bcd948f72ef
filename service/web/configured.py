"""Refuses whatever needs the store when no store was configured, before anything else is looked at."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from service.errors import ServiceError

# These reach the store last, so that a bad request is told what is wrong with it (HTTP contract 2.2).
UNAFFECTED = frozenset(
    {
        "/health/live",
        "/health/ready",
        "/rebalance/simulate",
        "/rebalance/analyze",
        "/rebalance/analyze/async",
    }
)


def configured(missing: ServiceError | None) -> Middleware:
    """Middleware: raises the refusal, if there is one, on every route that stands for stored things."""

    @web.middleware
    async def require_configured(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        if missing is not None and resource is not None and resource.canonical not in UNAFFECTED:
            raise missing
        return await handler(request)

    return require_configured
