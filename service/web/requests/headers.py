"""What a handler reads off a request before any flow is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from aiohttp import web

from service.domains.policy_packs import RequestedPack
from service.domains.values.bounds import CORRELATION_ID, ID, TextBound
from service.errors.requests import BodyTooLarge, MediaTypeUnsupported, RequestInvalid
from service.flows.idempotency import KeyedAnswer
from service.web import keys
from service.web.http.admission import SLOT
from service.web.middleware import correlation
from service.web.middleware.problem_details import BODY_BYTES_MAX
from service.web.requests import content_coding, expectations
from service.web.schemas.entries import SCALAR_CHARACTERS_MAX, size_entries

KEY_HEADER = correlation.KEY_HEADER
# Ruling 4: 1 to 255 visible ASCII characters.
KEY_PATTERN = "^[!-~]{1,255}$"

_KEY = re.compile(KEY_PATTERN)
_JSON = re.compile(r"application/(?:json|[^\s;/]+\+json)", re.IGNORECASE)

Entry = dict[str, Any]


async def json_body(request: web.Request, head_faults: Sequence[Entry] = ()) -> bytes:
    """The body's bytes as they were before they were compressed, and with them a place of work.

    What the head decides is raised before a body that is held back is asked for; so are the faults found in
    the headers, which otherwise wait for those of the body. Raises RequestInvalid, MediaTypeUnsupported,
    ContentCodingUnsupported, BodyTooLarge, BodyUnreadable, RequestTooSlow, and what the server raises on too
    large a body.
    """
    media_type = request.headers.get("Content-Type")
    if media_type is not None and _JSON.fullmatch(media_type.partition(";")[0].strip()) is None:
        raise MediaTypeUnsupported()
    coding = content_coding.coding_of(request.headers)
    bytes_max = request.app[BODY_BYTES_MAX]
    if (request.content_length or 0) > bytes_max:
        # What will be too much is not read first.
        raise BodyTooLarge(bytes_max=bytes_max)
    if expectations.is_held_back(request):
        if head_faults:
            raise RequestInvalid(head_faults)
        await expectations.invite(request)
    if coding is None:
        return await request[SLOT].receive(request)
    return await request[SLOT].receive(
        request, partial(content_coding.decoded, coding=coding, bytes_max=bytes_max)
    )


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


def optional_key_entries(request: web.Request) -> list[Entry]:
    """What is wrong with the idempotency key where none is needed."""
    return key_entries(request) if KEY_HEADER in request.headers else []


def correlation_entries(request: web.Request) -> list[Entry]:
    """What is wrong with the correlation id that was sent; an empty one counts as absent."""
    return _text_entries(request, correlation.HEADER, request[keys.CORRELATION_SENT], CORRELATION_ID)


def _text_entries(request: web.Request, header: str, sent: str, bound: TextBound) -> list[Entry]:
    if sent == "":
        return []
    if correlation.is_text(sent):
        return size_entries(sent, ("header", header), bound, request.app[keys.BOUNDS])
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
        for entry in _text_entries(request, name, request.headers.get(name, ""), ID)
    ]


def requested_pack(request: web.Request) -> RequestedPack:
    """What the headers say of policy packs; the same on every route that reads them (D33)."""
    headers = request.headers
    return RequestedPack(
        request_pack_id=headers.get(PACK_HEADER, ""),
        tenant_pack_id=headers.get(TENANT_PACK_HEADER),
        tenant_id=headers.get(TENANT_HEADER, ""),
    )


def keyed(answer: KeyedAnswer, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    """The answer to a request with a key, which says whether it was given before."""
    response = web.Response(body=answer.body, status=int(status), content_type="application/json")
    if answer.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def path_text(request: web.Request, name: str) -> str:
    """A path segment, percent-decoded; `%2F` stays inside its segment (D53)."""
    return request.match_info[name]


def _printable(text: str) -> str:
    return text[:SCALAR_CHARACTERS_MAX].encode("utf-8", "replace").decode("utf-8")


def is_enabled(request: web.Request) -> bool:
    """Whether every feature flag of the operation is on."""
    return request.app[keys.GATES].are_on(request[keys.FLAGS])


def require_enabled(request: web.Request) -> None:
    """Raises the error of the first feature flag of the operation that is off."""
    request.app[keys.GATES].require(request[keys.FLAGS])
