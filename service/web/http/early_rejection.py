"""Rejects a request from its parsed head, before anything else is made of it."""

from __future__ import annotations

import re

import msgspec
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import HttpVersion11, RawRequestMessage

from service.domains.values.bounds import CORRELATION_ID
from service.errors.requests import Overloaded
from service.web.http.admission import UNLIMITED
from service.web.middleware.correlation import HEADER, KEY_HEADER
from service.web.middleware.problem_details import Problem

# An answer to HEAD has no body.
_PLAIN_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_VISIBLE = re.compile(f"[!-~]{{1,{CORRELATION_ID.characters_max}}}")
# What changes how an answer is read, or what else it has to say, is left to the application.
_UNUSUAL = ("Expect", "Upgrade", "Origin", "Transfer-Encoding", "Content-Encoding")


def is_plain(message: RawRequestMessage) -> bool:
    """Whether a request is like nearly all are; every other one is left to the application."""
    headers = message.headers
    return (
        message.method in _PLAIN_METHODS
        and message.version == HttpVersion11
        and message.path.isascii()
        and not message.should_close
        and not message.path.startswith(UNLIMITED)
        and not any(name in headers for name in _UNUSUAL)
        and len(headers.getall(KEY_HEADER, ())) <= 1
        and len(headers.getall(HEADER, ())) <= 1
        and (HEADER not in headers or _VISIBLE.fullmatch(headers[HEADER]) is not None)
    )


def rejection(path: str, correlation_id: str, wait: str) -> bytes:
    """The whole answer to a request for which there is no room; the connection stays open."""
    body = msgspec.json.encode(
        Problem(
            title="Service Unavailable",
            status=503,
            # The code is also the detail.
            detail=Overloaded.message,
            instance=path,
            code=Overloaded.code,
        )
    )
    head = (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
        f"Retry-After: {wait}\r\n{HEADER}: {correlation_id}\r\nContent-Length: {len(body)}\r\n"
        f"Date: {rfc822_formatted_time()}\r\n\r\n"
    )
    return head.encode() + body
