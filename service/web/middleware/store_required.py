"""Refuses whatever needs the store when no store was configured, before anything else is looked at."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from service.errors.families import ServiceError
from service.web.middleware.problem_details import PROPOSALS

# These reach the store last, so that a bad request is told what is wrong with it (HTTP contract 2.2).
UNAFFECTED = frozenset(
    {
        "/health/live",
        "/health/ready",
        "/docs",
        "/docs/{asset}",
        "/redoc",
        "/openapi.json",
        "/rebalance/simulate",
        "/rebalance/analyze",
        "/rebalance/analyze/async",
        # Their catalog may be elsewhere, and says so in words of its own.
        "/rebalance/policies/effective",
        "/rebalance/policies/catalog",
        "/rebalance/policies/catalog/{policy_pack_id}",
        "/rebalance/proposals/simulate",
        "/rebalance/proposals/artifact",
        # Tells which store there is, and what is wrong with it.
        "/rebalance/proposals/supportability/config",
    }
)


def configured(missing: ServiceError | None, proposals_missing: ServiceError | None) -> Middleware:
    """Middleware: raises the refusal of a store, if it has one, on every route to what it keeps."""

    @web.middleware
    async def require_configured(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        if resource is not None and resource.canonical not in UNAFFECTED:
            refusal = proposals_missing if resource.canonical.startswith(PROPOSALS) else missing
            if refusal is not None:
                raise refusal
        return await handler(request)

    return require_configured
