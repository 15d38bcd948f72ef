"""Refuses whatever needs the store when no store was configured, before anything else is looked at."""

from __future__ import annotations

from collections.abc import Set

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from service.errors.families import ServiceError
from service.web.middleware.problem_details import PROPOSALS


def configured(
    missing: ServiceError | None, proposals_missing: ServiceError | None, *, unaffected: Set[str]
) -> Middleware:
    """Middleware: raises the refusal of a store, if it has one, on every route to what it keeps.

    `unaffected` are the paths that are served without a store.
    """

    @web.middleware
    async def require_configured(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        if resource is not None and resource.canonical not in unaffected:
            refusal = proposals_missing if resource.canonical.startswith(PROPOSALS) else missing
            if refusal is not None:
                raise refusal
        return await handler(request)

    return require_configured
