"""The application: middlewares, routes, and what handlers find on it."""

from __future__ import annotations

from aiohttp import web

from service.clock import NewId
from service.errors import ServiceError
from service.web import bodies, keys
from service.web.configured import configured
from service.web.correlation import correlation
from service.web.flows import Flows
from service.web.gates import Gates
from service.web.handlers.workflow_decisions import DECODE_ACTION
from service.web.refusals import BODY_BYTES_MAX, refusals
from service.web.routes import ROUTES
from service.web.slashes import slashes


def build(
    *,
    flows: Flows,
    gates: Gates,
    new_id: NewId,
    body_bytes_max: int,
    refuse_unknown: bool = False,
    store_missing: ServiceError | None = None,
    proposal_store_missing: ServiceError | None = None,
) -> web.Application:
    app = web.Application(
        middlewares=[
            correlation(new_id),
            refusals,
            slashes,
            configured(store_missing, proposal_store_missing),
        ],
        client_max_size=body_bytes_max,
    )
    app[keys.FLOWS] = flows
    app[keys.GATES] = gates
    app[BODY_BYTES_MAX] = body_bytes_max
    app[DECODE_ACTION] = bodies.decode_action_strict if refuse_unknown else bodies.decode_action
    app.add_routes(ROUTES)
    return app
