"""Invites a body that its sender holds back; what the head decides is answered without (ruling 21)."""

from __future__ import annotations

import contextlib

from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Handler

from service.errors.requests import ExpectationUnsupported
from service.web.middleware.problem_details import refusal

CONTINUE = "100-continue"


async def hold(_: web.Request) -> None:
    """Stands in for what the server does at once, before it is known whether the body is wanted."""


def is_held_back(request: web.Request) -> bool:
    """Whether the sender waits for a word before the body; HTTP/1.0 knows no such word."""
    return (
        request.headers.get("Expect", "").lower() == CONTINUE
        and request.version == HttpVersion11
        and not request.content.is_eof()
    )


async def invite(request: web.Request) -> None:
    """Asks for the body that is held back."""
    request[INVITED] = True
    # Of a caller who has left, reading the body tells.
    with contextlib.suppress(ConnectionError):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    # It is no part of the answer, which may still become any.
    request.writer.output_size = 0


@web.middleware
async def expectations(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses what cannot be met; closes the connection where nothing tells whether the body will follow."""
    expected = request.headers.get("Expect")
    if not expected or request.version != HttpVersion11:
        return await handler(request)
    if request.headers.getall("Expect") != [expected] or expected.lower() != CONTINUE:
        answer: web.StreamResponse = refusal(request, ExpectationUnsupported())
    else:
        answer = await handler(request)
    if INVITED not in request and not request.content.is_eof():
        answer.force_close()
    return answer


INVITED = web.RequestKey("INVITED", bool)
