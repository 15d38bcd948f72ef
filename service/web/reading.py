"""What a handler reads off a request before any flow is asked."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from service.domains.policy_packs import PackWish
from service.errors import BodyTooLarge, MediaTypeUnsupported
from service.web import correlation, keys
from service.web.admission import SLOT
from service.web.refusals import BODY_BYTES_MAX

KEY_HEADER = "Idempotency-Key"
# Ruling 4: 1 to 255 visible ASCII characters.
KEY_PATTERN = "^[!-~]{1,255}$"

_KEY = re.compile(KEY_PATTERN)
_JSON = re.compile(r"application/(?:json|[^\s;/]+\+json)", re.IGNORECASE)

Entry = dict[str, Any]


async def json_body(request: web.Request) -> bytes:
    """The body's bytes, and with them a place of work.

    Raises MediaTypeUnsupported, BodyTooLarge, RequestTooSlow, and what the server raises on too large a body.
    """
    media_type = request.headers.get("Content-Type")
    if media_type is not None and _JSON.fullmatch(media_type.partition(";")[0].strip()) is None:
        raise MediaTypeUnsupported()
    if (request.content_length or 0) > request.app[BODY_BYTES_MAX]:
        # What will be too much is not read first.
        raise BodyTooLarge(bytes_max=request.app[BODY_BYTES_MAX])
    return await request[SLOT].receive(request)


def key_entries(request: web.Request) -> list[Entry]:
    """What is wrong with the idempotency key; nothing when it can be used."""
    key = request.headers.get(KEY_HEADER)
    location = ["header", KEY_HEADER]
    if key is None:
        return [{"type": "missing", "loc": location, "msg": "Field required", "input": None}]
    if _KEY.fullmatch(key) is None:
        return [
            {
                "type": "string_pattern_mismatch",
                "loc": location,
                "msg": f"String should match pattern '{KEY_PATTERN}'",
                "input": _printable(key),
                "ctx": {"pattern": KEY_PATTERN},
            }
        ]
    return []


def correlation_entries(request: web.Request) -> list[Entry]:
    """What is wrong with the correlation id that was sent; an empty one counts as absent."""
    return _text_entries(correlation.HEADER, request[keys.CORRELATION_SENT])


def _text_entries(header: str, sent: str) -> list[Entry]:
    if sent == "" or correlation.is_text(sent):
        return []
    return [
        {
            "type": "string_unicode",
            "loc": ["header", header],
            "msg": "Input should be a valid string, unable to parse raw data as a unicode string",
            "input": _printable(sent),
        }
    ]


PACK_HEADER = "X-Policy-Pack-Id"
TENANT_PACK_HEADER = "X-Tenant-Policy-Pack-Id"
TENANT_HEADER = "X-Tenant-Id"


def pack_entries(request: web.Request) -> list[Entry]:
    """What is wrong with the headers that select a policy pack."""
    return [
        entry
        for name in (PACK_HEADER, TENANT_PACK_HEADER, TENANT_HEADER)
        for entry in _text_entries(name, request.headers.get(name, ""))
    ]


def pack_wish(request: web.Request) -> PackWish:
    """What the headers say of policy packs; the same on every route that reads them (D33)."""
    headers = request.headers
    return PackWish(
        request_pack_id=headers.get(PACK_HEADER, ""),
        tenant_pack_id=headers.get(TENANT_PACK_HEADER),
        tenant_id=headers.get(TENANT_HEADER, ""),
    )


def path_text(request: web.Request, name: str) -> str:
    """A path segment, percent-decoded; `%2F` stays inside its segment (D53)."""
    return request.match_info[name]


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
