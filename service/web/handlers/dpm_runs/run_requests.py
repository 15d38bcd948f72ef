"""What was asked for a run, as it was stored."""

from __future__ import annotations

from aiohttp import web

from service.errors.dpm_runs import RunNotFound
from service.web import keys
from service.web.requests import parameters
from service.web.requests.callers import caller_of

HASH_HEADER = "X-Request-Hash"
SCENARIO_HEADER = "X-Scenario"


async def get_request(request: web.Request) -> web.Response:
    """The canonical JSON of the request, byte for byte; for a batch all of it, and which scenario it is."""
    run_id = parameters.path_id(request, "rebalance_run_id", RunNotFound)
    asked = await request.app[keys.FLOWS].dpm_runs.get_request(caller_of(request), run_id)
    answer = web.Response(body=asked.request.body, content_type="application/json")
    answer.headers[HASH_HEADER] = asked.request.request_hash
    if asked.scenario is not None:
        answer.headers[SCENARIO_HEADER] = asked.scenario
    return answer
