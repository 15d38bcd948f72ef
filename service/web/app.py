"""The application: middlewares, routes, and what handlers find on it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial

from aiohttp import web
from aiohttp.typedefs import Middleware

from service.domains.values.bounds import DEFAULT_BOUNDS, Bounds
from service.domains.workflow_decisions import WorkflowActionRequest
from service.errors.families import ServiceError
from service.observability.opentelemetry import Telemetry
from service.observability.server_metrics import ServerMetrics
from service.runtime.clock import NewId
from service.settings.server import HEAD_BYTES_MAX_DEFAULT
from service.web import keys
from service.web.feature_flags import FeatureFlags
from service.web.flows import Flows
from service.web.handlers.workflow_decisions import DECODE_ACTION
from service.web.http.admission import CAPACITY, Capacity
from service.web.http.heads import heads
from service.web.http.router import Router
from service.web.middleware.correlation import correlation
from service.web.middleware.cors import cors
from service.web.middleware.limits import limits, sends
from service.web.middleware.metrics import measuring
from service.web.middleware.problem_details import BODY_BYTES_MAX, RESULT_BYTES_MAX, refusals
from service.web.middleware.store_required import configured
from service.web.middleware.trace_context import follow_traces, record_traces
from service.web.middleware.trailing_slash import slashes
from service.web.operations.table import PARAMETERS, ROUTES, WITHOUT_STORE
from service.web.requests import bodies
from service.web.requests.expectations import expectations
from service.web.requests.unknown_parameters import unknown_parameters


def build(
    *,
    flows: Flows,
    gates: FeatureFlags,
    new_id: NewId,
    body_bytes_max: int,
    result_bytes_max: int,
    capacity: Capacity,
    refuse_unknown: bool = False,
    bounds: Bounds = DEFAULT_BOUNDS,
    store_missing: ServiceError | None = None,
    proposal_store_missing: ServiceError | None = None,
    metrics: ServerMetrics | None = None,
    telemetry: Telemetry | None = None,
    cors_origins: Sequence[str] = (),
    cors_credentials: bool = False,
    head_bytes_max: int = HEAD_BYTES_MAX_DEFAULT,
) -> web.Application:
    app = _application(
        [
            sends(capacity),
            *([measuring(metrics)] if metrics else []),
            record_traces(telemetry) if telemetry else follow_traces,
            correlation(new_id),
            *([cors(cors_origins, credentials_allowed=cors_credentials)] if cors_origins else []),
            expectations,
            refusals,
            slashes,
            heads(head_bytes_max),
            unknown_parameters(PARAMETERS, refused=refuse_unknown),
            limits(capacity),
            configured(store_missing, proposal_store_missing, unaffected=WITHOUT_STORE),
        ],
        body_bytes_max=body_bytes_max,
        head_bytes_max=head_bytes_max,
    )
    app[keys.FLOWS] = flows
    app[keys.GATES] = gates
    app[BODY_BYTES_MAX] = body_bytes_max
    app[RESULT_BYTES_MAX] = result_bytes_max
    app[CAPACITY] = capacity
    if metrics:
        metrics.watch_capacity(
            waiting={name: limit.count_queued for name, limit in capacity.limits.items()},
            expected_wait={name: limit.expected_wait for name, limit in capacity.limits.items()},
            turned_away=lambda: capacity.refused,
            answers_cut=lambda: capacity.answers_cut,
        )
    app.on_response_prepare.append(capacity.close_when_draining)
    app[keys.BOUNDS] = bounds
    read_action = bodies.decode_action.strict if refuse_unknown else bodies.decode_action
    decode_action: Callable[[bytes], WorkflowActionRequest] = partial(read_action, bounds=bounds)
    app[DECODE_ACTION] = decode_action
    app.add_routes(ROUTES)
    return app


def _application(
    middlewares: Sequence[Middleware], *, body_bytes_max: int, head_bytes_max: int
) -> web.Application:
    with warnings.catch_warnings():
        # The library would rather have no router but its own; there is no other way to say what an id may be.
        warnings.filterwarnings("ignore", "router argument", DeprecationWarning)
        return web.Application(
            router=Router(),
            middlewares=middlewares,
            client_max_size=body_bytes_max,
            # For connections that the library takes by itself, as in tests; connection.py says the same.
            handler_args={"auto_decompress": False, "max_field_size": head_bytes_max},
        )
