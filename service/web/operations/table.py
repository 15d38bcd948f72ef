"""The one table of operations, and the routes that serve them."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from service.errors.requests import RequestInvalid
from service.web import keys
from service.web.handlers import docs
from service.web.operations import (
    dpm_runs,
    operations,
    policy_packs,
    proposal_operations,
    proposal_simulations,
    proposals,
    service,
    support_bundles,
    workflow_decisions,
)
from service.web.operations.row import Header, Operation
from service.web.requests import headers, parameters
from service.web.requests.expectations import hold

OPERATIONS: tuple[Operation, ...] = (
    *dpm_runs.OPERATIONS,
    *support_bundles.OPERATIONS,
    *operations.OPERATIONS,
    *workflow_decisions.OPERATIONS,
    *policy_packs.OPERATIONS,
    *proposal_simulations.OPERATIONS,
    *proposals.OPERATIONS,
    *proposal_operations.OPERATIONS,
    *service.OPERATIONS,
)

# The page that shows the document, and its files; they are no part of the API.
PAGES: Mapping[str, Handler] = {"/docs": docs.show, "/docs/{asset}": docs.show_asset, "/redoc": docs.move}


def served(operation: Operation) -> Handler:
    """The handler of an operation behind what its row says is read and checked first.

    Without a body these are, in this order: headers and query, then the feature flags. With a body the
    handler reads it first, since a bad request is told what is wrong with it even where none is served.
    """
    handler, flags, body = operation.handler, operation.flags, operation.body
    schema = operation.query() if operation.query is not None and operation.reads_query else None
    files_under = Header.CORRELATION in operation.headers

    async def serve(request: web.Request) -> web.StreamResponse:
        request[keys.FLAGS] = flags
        if body is None:
            faults = headers.correlation_entries(request) if files_under else []
            if schema is not None:
                request[keys.QUERY] = parameters.read(request, schema, faults)
            elif faults:
                raise RequestInvalid(faults)
            if operation.reads_query:
                headers.require_enabled(request)
        return await handler(request)

    return serve


def literal_first(path: str) -> tuple[tuple[bool, str], ...]:
    """Orders paths so that none is shadowed by one with a parameter in its place (D53)."""
    return tuple((part.startswith("{"), part) for part in path.split("/"))


def route(method: str, path: str, handler: Handler) -> web.RouteDef:
    """HEAD is answered like GET, without the body (ruling 21)."""
    if method == "GET":
        return web.get(path, handler, expect_handler=hold)
    return web.route(method, path, handler, expect_handler=hold)


# Where two routes fit, the earlier one answers.
ROUTES: tuple[web.RouteDef, ...] = tuple(
    sorted(
        (
            *(route("GET", path, handler) for path, handler in PAGES.items()),
            *(route(one.method, one.path, served(one)) for one in OPERATIONS),
        ),
        key=lambda one: literal_first(one.path),
    )
)
# The names that each operation knows in a query; all others know none.
PARAMETERS: Mapping[tuple[str, str], frozenset[str]] = {
    (one.method, one.path): frozenset(field.data_key or name for name, field in one.query().fields.items())
    for one in OPERATIONS
    if one.query is not None
}
# Paths that are served without a store: they reach it last, or tell what is wrong with it.
WITHOUT_STORE = frozenset([*PAGES, *(one.path for one in OPERATIONS if not one.needs_store)])
