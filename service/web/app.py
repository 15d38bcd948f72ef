"""The application: middlewares, routes, and what handlers find on it."""

from __future__ import annotations

from aiohttp import web

from service.clock import NewId
from service.errors import ServiceError
from service.server_metrics import ServerMetrics
from service.telemetry import Telemetry
from service.web import bodies, keys
from service.web.configured import configured
from service.web.correlation import correlation
from service.web.flows import Flows
from service.web.gates import Gates
from service.web.handlers.workflow_decisions import DECODE_ACTION
from service.web.measuring import measuring
from service.web.overload import CAPACITY, Capacity, limits
from service.web.refusals import BODY_BYTES_MAX, RESULT_BYTES_MAX, refusals
from service.web.routes import ROUTES
from service.web.slashes import slashes
from service.web.traces import follow_traces, record_traces


def build(
    *,
    flows: Flows,
    gates: Gates,
    new_id: NewId,
    body_bytes_max: int,
    result_bytes_max: int,
    capacity: Capacity,
    refuse_unknown: bool = False,
    store_missing: ServiceError | None = None,
    proposal_store_missing: ServiceError | None = None,
    metrics: ServerMetrics | None = None,
    telemetry: Telemetry | None = None,
) -> web.Application:
    app = web.Application(
        middlewares=[
            *([measuring(metrics)] if metrics else []),
            record_traces(telemetry) if telemetry else follow_traces,
            correlation(new_id),
            refusals,
            slashes,
            limits(capacity),
            configured(store_missing, proposal_store_missing),
        ],
        client_max_size=body_bytes_max,
    )
    app[keys.FLOWS] = flows
    app[keys.GATES] = gates
    app[BODY_BYTES_MAX] = body_bytes_max
    app[RESULT_BYTES_MAX] = result_bytes_max
    app[CAPACITY] = capacity
    if metrics:
        metrics.watch_capacity(
            waiting=lambda: sum(len(lane.waiting) for lane in capacity.lanes),
            turned_away=lambda: capacity.refused,
        )
    app.on_response_prepare.append(capacity.close_when_draining)
    app[DECODE_ACTION] = bodies.decode_action_strict if refuse_unknown else bodies.decode_action
    app.add_routes(ROUTES)
    return app
