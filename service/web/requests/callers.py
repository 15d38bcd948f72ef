"""Who a request is from."""

from __future__ import annotations

from aiohttp import web

from service.domains.callers import Caller


def caller_of(request: web.Request) -> Caller:
    """The caller of a request; until callers prove who they are, each is the local one.

    A token or a session cookie is read here, and nowhere else.
    """
    return Caller.local()
