"""Decodes the body of a request that was sent compressed (RFC 9110, section 8.4; ruling 21).

The server's own decoder works while it parses: on the event loop, without looking at checksums that are
missing, and it takes what it does not know for plain text. So it is switched off, and decoding is done here.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from typing import Any

from multidict import CIMultiDictProxy

from service.errors.requests import BodyTooLarge, BodyUnreadable, ContentCodingUnsupported

GZIP, DEFLATE = "gzip", "deflate"
# What a caller may send; `identity` is no encoding at all.
CODINGS = (GZIP, DEFLATE, "identity")
ACCEPT_ENCODING = ", ".join(CODINGS)
_KNOWN = {GZIP: GZIP, "x-gzip": GZIP, DEFLATE: DEFLATE}
# A body that is larger than this, or becomes larger than that, is decoded in a thread; decoding less takes no
# longer than handing it over.
INLINE_BYTES_MAX = 4 * 1024
INLINE_PLAIN_BYTES_MAX = 64 * 1024
# A gzip body may have several (RFC 1952, section 2.2); tools that compress in parallel write some hundred.
MEMBERS_MAX = 1000
# What follows a member is copied once for each member, so it is handed over in pieces.
PIECE_BYTES = 64 * 1024


def coding_of(headers: CIMultiDictProxy[str]) -> str | None:
    """How a body was encoded, None for plain. Raises ContentCodingUnsupported, BodyUnreadable."""
    if headers.get("Transfer-Encoding", "chunked").lower() != "chunked":
        # The parser takes the chunks apart, and leaves what was done before.
        raise BodyUnreadable()
    if "Content-Encoding" not in headers:
        return None
    named = ",".join(headers.getall("Content-Encoding")).lower().split(",")
    applied = [coding for coding in map(str.strip, named) if coding not in ("", "identity")]
    if not applied:
        return None
    if len(applied) > 1 or applied[0] not in _KNOWN:
        raise ContentCodingUnsupported(codings=f"{GZIP} or {DEFLATE}")
    return _KNOWN[applied[0]]


async def decoded(body: bytes, coding: str, bytes_max: int) -> bytes:
    """The plain body. Raises BodyTooLarge, BodyUnreadable.

    Large ones are decoded in a thread, for which the decoder lets go of the interpreter.
    """
    if len(body) <= INLINE_BYTES_MAX:
        with contextlib.suppress(BodyTooLarge):
            return decode(body, coding, min(bytes_max, INLINE_PLAIN_BYTES_MAX))
    return await asyncio.to_thread(decode, body, coding, bytes_max)


def decode(body: bytes, coding: str, bytes_max: int) -> bytes:
    """As `decoded`, where it is called. At most `bytes_max` bytes and a piece are ever held."""
    try:
        return _members(memoryview(body), coding, bytes_max)
    except zlib.error:
        raise BodyUnreadable() from None


def _members(body: memoryview, coding: str, bytes_max: int) -> bytes:
    parts: list[bytes] = []
    at, left = 0, bytes_max
    for _ in range(MEMBERS_MAX if coding == GZIP else 1):
        decoder = zlib.decompressobj(wbits=_window_of(coding, body))
        while not decoder.eof:
            if at == len(body):
                raise BodyUnreadable()
            part, at = _next(decoder, body, at, left)
            parts.append(part)
            left -= len(part)
            if left < 0:
                raise BodyTooLarge(bytes_max=bytes_max)
        if at == len(body):
            return b"".join(parts)
    # What follows the end is not part of what was encoded.
    raise BodyUnreadable()


def _next(decoder: Any, body: memoryview, at: int, left: int) -> tuple[bytes, int]:
    """What comes of the next piece, one byte more than may be left at most, and where the next one begins."""
    end = min(at + PIECE_BYTES, len(body))
    part = decoder.decompress(body[at:end], left + 1)
    return part, end - len(decoder.unused_data if decoder.eof else decoder.unconsumed_tail)


def _window_of(coding: str, body: memoryview) -> int:
    if coding == GZIP:
        return 16 + zlib.MAX_WBITS
    # Some clients leave the frame of RFC 1950 away, whose first byte ends in 8.
    framed = len(body) > 0 and body[0] & 0x0F == 8
    return zlib.MAX_WBITS if framed else -zlib.MAX_WBITS
