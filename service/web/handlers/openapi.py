"""The description of the API, as it was written with this build."""

from __future__ import annotations

import asyncio
from functools import cache
from importlib.resources import files

from aiohttp import web

PACKAGE = "service.web.openapi"
FILE = "openapi.json"


async def get_document(_: web.Request) -> web.Response:
    """The OpenAPI document, the same bytes at every call."""
    # Making it takes longer than the loop may stand still, even from a thread beside it; so it is made with
    # the build, and here only read.
    return web.Response(body=await asyncio.to_thread(shipped), content_type="application/json")


@cache
def shipped() -> bytes:
    return files(PACKAGE).joinpath(FILE).read_bytes()
