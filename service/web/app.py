"""The application: middlewares, routes, and what handlers find on it."""

from __future__ import annotations

from aiohttp import web

from service.clock import NewId
from service.flows.dpm_runs import DpmRunFlow
from service.flows.health import HealthFlow
from service.flows.idempotency import IdempotencyFlow
from service.web import keys
from service.web.correlation import correlation
from service.web.gates import Gates
from service.web.refusals import BODY_BYTES_MAX, refusals
from service.web.routes import ROUTES
from service.web.slashes import slashes


def build(
    *,
    dpm_runs: DpmRunFlow,
    idempotency: IdempotencyFlow,
    health: HealthFlow,
    gates: Gates,
    new_id: NewId,
    body_bytes_max: int,
) -> web.Application:
    app = web.Application(
        middlewares=[correlation(new_id), refusals, slashes], client_max_size=body_bytes_max
    )
    app[keys.DPM_RUNS] = dpm_runs
    app[keys.IDEMPOTENCY] = idempotency
    app[keys.HEALTH] = health
    app[keys.GATES] = gates
    app[BODY_BYTES_MAX] = body_bytes_max
    app.add_routes(ROUTES)
    return app
