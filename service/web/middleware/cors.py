"""Lets pages of named origins call the API from a browser (the Fetch standard, CORS protocol; ruling 21)."""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

PREFLIGHT_SECONDS = 600
# What a page may send beyond what any page may.
REQUEST_HEADERS = (
    "Content-Type",
    "Content-Encoding",
    "Idempotency-Key",
    "X-Correlation-Id",
    "X-Policy-Pack-Id",
    "X-Tenant-Policy-Pack-Id",
    "X-Tenant-Id",
    "traceparent",
    "tracestate",
)
# What a page may read beyond what any page may.
ANSWER_HEADERS = (
    "Accept-Encoding",
    "Allow",
    "Idempotent-Replayed",
    "Location",
    "Retry-After",
    "X-Correlation-Id",
    "X-Ignored-Parameters",
    "X-Policy-Pack-Status",
    "X-Request-Hash",
    "X-Scenario",
)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
ALLOW_ORIGIN = "Access-Control-Allow-Origin"


def cors(origins: Collection[str], *, credentials_allowed: bool = False) -> Middleware:
    """Middleware: answers the questions browsers ask first, and says on every answer who may read it.

    To be outside of what makes refusals, so that a page can read those too. A page of another origin is told
    nothing of all this.
    """
    allowed = frozenset(origins)

    def grant(answer: web.StreamResponse, origin: str) -> None:
        answer.headers[ALLOW_ORIGIN] = origin
        if credentials_allowed:
            answer.headers["Access-Control-Allow-Credentials"] = "true"

    @web.middleware
    async def answer_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
        sent = request.headers.getall("Origin", ())
        origin = sent[0] if len(sent) == 1 and sent[0] in allowed else None
        asked = request.headers.get("Access-Control-Request-Method")
        if origin is not None and request.method == "OPTIONS" and asked is not None:
            methods = await methods_of(request)
            if methods:
                return _preflight(methods, origin)
        answer = await handler(request)
        answer.headers.add("Vary", "Origin")
        if origin is not None:
            grant(answer, origin)
            answer.headers["Access-Control-Expose-Headers"] = ", ".join(ANSWER_HEADERS)
        return answer

    def _preflight(methods: list[str], origin: str) -> web.Response:
        answer = web.Response(
            status=int(HTTPStatus.NO_CONTENT),
            headers={
                "Access-Control-Allow-Methods": ", ".join(methods),
                "Access-Control-Allow-Headers": ", ".join(REQUEST_HEADERS),
                "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
                "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
            },
        )
        grant(answer, origin)
        return answer

    return answer_pages


async def methods_of(request: web.Request) -> list[str]:
    """The methods that the path of a request is served for; none for a path that leads nowhere."""
    exception = request.match_info.http_exception
    if not isinstance(exception, web.HTTPMethodNotAllowed):
        return []
    return [method for method in METHODS if method in exception.allowed_methods]
