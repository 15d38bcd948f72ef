"""Counts every request by method, route and status, and how long it took."""

from __future__ import annotations

import time

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from service.observability.server_metrics import ServerMetrics
from service.web.middleware.problem_details import CODE

REPLAYED_HEADER = "Idempotent-Replayed"

# A path that leads nowhere is as long and as various as callers like.
NOWHERE = "none"
# The same goes for unknown methods.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
# What the handler did not live to answer: its caller went away, or the process stops.
LEFT = 499


def measuring(metrics: ServerMetrics) -> Middleware:
    """Middleware: tells what was answered; to be the outermost, so that it sees what callers see."""

    @web.middleware
    async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        metrics.in_flight += 1
        status = LEFT
        try:
            answer = await handler(request)
            status = answer.status
            if REPLAYED_HEADER in answer.headers:
                metrics.replayed(route_of(request))
            code = answer.get(CODE)
            if code is not None:
                metrics.refused(status, code)
            return answer
        except web.HTTPException as raised:
            status = raised.status
            raise
        finally:
            metrics.in_flight -= 1
            method = request.method if request.method in METHODS else OTHER
            metrics.answered(method, route_of(request), status, time.perf_counter() - started)

    return measure


def route_of(request: web.Request) -> str:
    """The template of the route that was taken, with ids left out."""
    resource = request.match_info.route.resource
    return NOWHERE if resource is None else resource.canonical
