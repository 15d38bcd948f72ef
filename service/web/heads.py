"""Looks at the head of a request as a whole, before any handler does."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from service.errors import RequestInvalid
from service.http_errors import HeadTooLarge
from service.web import correlation, reading
from service.web.schemas.entries import entry
from service.web.schemas.faults import broken_rule

# Each names one thing; of two nobody could say which was meant.
SINGLE = (reading.KEY_HEADER, correlation.HEADER)
# A colon, a blank and the end of the line.
MARKS_BYTES = 4


def heads(bytes_max: int) -> Middleware:
    """Middleware: raises HeadTooLarge, and RequestInvalid for a header that is repeated (ruling 18)."""

    @web.middleware
    async def look(request: web.Request, handler: Handler) -> web.StreamResponse:
        fields = sum(len(name) + len(value) + MARKS_BYTES for name, value in request.raw_headers)
        if fields > bytes_max:
            raise HeadTooLarge()
        if request.match_info.http_exception is None:
            faults = [
                entry(broken_rule("the header must be sent once"), ("header", name), sent[0])
                for name in SINGLE
                if len(sent := request.headers.getall(name, [])) > 1
            ]
            if faults:
                raise RequestInvalid(faults)
        return await handler(request)

    return look
