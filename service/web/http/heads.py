"""Looks at the head of a request as a whole, before any handler does."""

from __future__ import annotations

from itertools import chain
from typing import NoReturn

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from service.errors.requests import HeadTooLarge, RequestInvalid
from service.web.middleware import correlation
from service.web.requests import headers
from service.web.schemas.entries import entry
from service.web.schemas.faults import broken_rule

# Each names one thing; of two it would be unknown which was meant.
SINGLE = (headers.KEY_HEADER, correlation.HEADER)
# A colon, a blank and the end of the line.
MARKS_BYTES = 4


def heads(bytes_max: int) -> Middleware:
    """Middleware: raises HeadTooLarge, and RequestInvalid for a header that is repeated (ruling 18)."""

    @web.middleware
    async def look(request: web.Request, handler: Handler) -> web.StreamResponse:
        fields = request.raw_headers
        if sum(map(len, chain.from_iterable(fields))) + MARKS_BYTES * len(fields) > bytes_max:
            raise HeadTooLarge()
        sent = request.headers.getall
        if any(len(sent(name, ())) > 1 for name in SINGLE) and request.match_info.http_exception is None:
            _refuse_repeated(request)
        return await handler(request)

    return look


def _refuse_repeated(request: web.Request) -> NoReturn:
    raise RequestInvalid(
        [
            entry(broken_rule("the header must be sent once"), ("header", name), sent[0])
            for name in SINGLE
            if len(sent := request.headers.getall(name, [])) > 1
        ]
    )
