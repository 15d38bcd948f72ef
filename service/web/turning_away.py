"""Refuses a request by its first bytes, before anything is made of it.

Only what is written as plainly as nearly all requests are is looked at: where the next request on the
connection begins must never be in doubt. Everything else takes the long way, and is refused there.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from aiohttp.helpers import rfc822_formatted_time

from service.errors import Overloaded
from service.web.correlation import HEADER
from service.web.refusals import retry_after

# A path that JSON takes as it is, and header lines that no two readers would tell apart differently.
_HEAD = re.compile(
    rb"(GET|POST|PUT|DELETE) (/[A-Za-z0-9._~:%-][A-Za-z0-9._~:%/-]*)(?:\?[!-~]*)? HTTP/1\.1\r\n"
    rb"(?:[A-Za-z0-9_-]+:[^\r\n\0]*\r\n)*\r\n"
)
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n")
_CORRELATION = re.compile(rb"\r\n(?i:x-correlation-id):[ \t]*([!-~]{1,255})[ \t]*\r\n")
_CORRELATION_NAME = HEADER.lower().encode()
# Whatever these say, it changes what follows.
_UNUSUAL = re.compile(rb"\r\n(?:transfer-encoding|expect|upgrade|connection):")
_LENGTH_NAME = b"\r\ncontent-length:"

# The code is also the detail.
_BODY = (
    '{"type":"about:blank","title":"Service Unavailable","status":503,'
    f'"detail":"{Overloaded.message}","instance":"%s","code":"{Overloaded.code}"}}'
)
_BODY_BYTES = len(_BODY) - len("%s")
_ANSWER = (
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: %s\r\n"
    f"{HEADER}: %s\r\nContent-Length: %d\r\nDate: %s\r\n\r\n{_BODY}"
)


class Beginning(NamedTuple):
    """What a request says of itself; `remaining` bytes of its body are still to come."""

    method: str
    path: str
    content_length: int
    remaining: int
    # Empty when it has none.
    correlation_id: str


def beginning_of(data: bytes) -> Beginning | None:
    """The one request that `data` is or begins with; None when it has to take the long way."""
    found = _HEAD.match(data)
    if found is None:
        return None
    end = found.end()
    head = data[:end]
    lowered = head.lower()
    length = _length_of(lowered)
    correlation_id = _correlation_id_of(head, lowered)
    if length is None or correlation_id is None or _UNUSUAL.search(lowered):
        return None
    remaining = length - (len(data) - end)
    if remaining < 0:
        return None
    return Beginning(found[1].decode(), found[2].decode(), length, remaining, correlation_id)


def _length_of(lowered: bytes) -> int | None:
    count = lowered.count(_LENGTH_NAME)
    if count == 0:
        return 0
    told = _LENGTH.search(lowered)
    return int(told[1]) if told is not None and count == 1 else None


def _correlation_id_of(head: bytes, lowered: bytes) -> str | None:
    if _CORRELATION_NAME not in lowered:
        return ""
    told = _CORRELATION.findall(head)
    return told[0].decode() if lowered.count(_CORRELATION_NAME) == len(told) == 1 else None


def refusal_of(path: str, correlation_id: str) -> bytes:
    """The whole answer to a request for which there is no room; the connection stays open."""
    told = (retry_after(Overloaded), correlation_id, _BODY_BYTES + len(path), rfc822_formatted_time(), path)
    return (_ANSWER % told).encode()
