"""A stored run computed again."""

from __future__ import annotations

import msgspec
from aiohttp import web

from service.errors.dpm_runs import RunNotFound
from service.web import keys
from service.web.answers.replays import answer_of
from service.web.requests import parameters
from service.web.requests.callers import caller_of


async def replay(request: web.Request) -> web.Response:
    """Computes a run again and compares; with `record` the replay is kept as a run of its own."""
    asked = request[keys.QUERY]
    found = await request.app[keys.FLOWS].replays.replay(
        caller_of(request),
        parameters.path_id(request, "rebalance_run_id", RunNotFound),
        record=asked["record"],
        correlation_id=request[keys.CORRELATION_ID],
    )
    return web.Response(body=msgspec.json.encode(answer_of(found)), content_type="application/json")
