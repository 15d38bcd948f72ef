"""The description of the API as a page to read; it comes whole from this service (ruling 16)."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).resolve().parents[1] / "docs"
PAGE = "index.html"

# What a browser may ask for, and as what.
ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "start.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}

# Nothing from elsewhere, no script or style in the page itself, and in nobody's frame. The pictures of the
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


async def show(_: web.Request) -> web.StreamResponse:
    """The page."""
    return _file(PAGE, "text/html")


async def show_asset(request: web.Request) -> web.StreamResponse:
    """A part of the page."""
    name = request.match_info["asset"]
    if name not in ASSETS:
        raise web.HTTPNotFound()
    return _file(name, ASSETS[name])


async def move(_: web.Request) -> web.StreamResponse:
    """Another page of the existing service showed the same document."""
    return web.Response(status=HTTPStatus.TEMPORARY_REDIRECT, headers={"Location": "/docs"})


def _file(name: str, media_type: str) -> web.FileResponse:
    answer = web.FileResponse(FOLDER / name, headers=HEADERS)
    answer.content_type = media_type
    if media_type.startswith("text/"):
        answer.charset = "utf-8"
    return answer
