"""The description of the API as a page to read; it comes whole from this service (ruling 16)."""

from __future__ import annotations

import asyncio
import hashlib
from functools import cache
from http import HTTPStatus
from pathlib import Path

from aiohttp import ETag, web

FOLDER = Path(__file__).resolve().parents[1] / "openapi" / "docs"
PAGE = "index.html"

# What a browser may ask for, and as what.
ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "start.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}

# Nothing from elsewhere, no script or style in the page itself, and in no frame. The pictures of the
# page are data inside its style sheet.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


async def show(request: web.Request) -> web.Response:
    """The page."""
    return await _file(request, PAGE, "text/html")


async def show_asset(request: web.Request) -> web.Response:
    """A part of the page."""
    name = request.match_info["asset"]
    if name not in ASSETS:
        raise web.HTTPNotFound()
    return await _file(request, name, ASSETS[name])


async def move(_: web.Request) -> web.StreamResponse:
    """Another page of the existing service showed the same document."""
    # Beside it, wherever a proxy publishes both.
    return web.Response(status=HTTPStatus.TEMPORARY_REDIRECT, headers={"Location": "docs"})


async def _file(request: web.Request, name: str, media_type: str) -> web.Response:
    """A file of the folder, whole, or word that the caller has it already.

    The server's own answer of files knows ranges and conditions, and refuses some without saying why.
    """
    content, tag = await asyncio.to_thread(_read, name)
    known = request.if_none_match or ()
    answer = web.Response(headers=HEADERS)
    answer.etag = ETag(tag)
    if any(each.value in (tag, "*") for each in known):
        answer.set_status(HTTPStatus.NOT_MODIFIED)
        return answer
    answer.body = content
    answer.content_type = media_type
    if media_type.startswith("text/"):
        answer.charset = "utf-8"
    return answer


@cache
def _read(name: str) -> tuple[bytes, str]:
    content = (FOLDER / name).read_bytes()
    return content, hashlib.sha256(content).hexdigest()
