"""The artifact of a run."""

from __future__ import annotations

from aiohttp import web

from service.errors.dpm_runs import RunNotFound
from service.web import keys
from service.web.requests import parameters
from service.web.requests.callers import caller_of


async def get_artifact(request: web.Request) -> web.Response:
    """The artifact of a run, the same bytes at every call (RFC-0019)."""
    run_id = parameters.path_id(request, "rebalance_run_id", RunNotFound)
    artifact = await request.app[keys.FLOWS].artifacts.get(caller_of(request), run_id)
    return web.Response(body=artifact.body, content_type="application/json")
