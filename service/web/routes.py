"""The table of contents of the API; where two routes fit, the earlier one answers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from aiohttp import web
from aiohttp.typedefs import Handler

from service.web.answers.operations import OPERATIONS
from service.web.handlers import (
    docs,
    health,
    idempotency,
    lineage,
    openapi,
    operations,
    policy_packs,
    shadow_differences,
    workflow_decisions,
)
from service.web.handlers.dpm_runs import (
    artifacts,
    replays,
    run_requests,
    runs,
    support_bundles,
    supportability,
)
from service.web.handlers.proposals import operations as proposal_operations
from service.web.handlers.proposals import proposals, simulations, support
from service.web.requests.expectations import hold
from service.web.schemas.parameters import QuerySchema


def route(method: str, path: str, handler: Handler) -> web.RouteDef:
    return web.route(method, path, handler, expect_handler=hold)


def get(path: str, handler: Handler) -> web.RouteDef:
    """HEAD is answered like GET, without the body (ruling 21)."""
    return web.get(path, handler, expect_handler=hold)


post, put, delete = (partial(route, method) for method in ("POST", "PUT", "DELETE"))


BY_CORRELATION = "/rebalance/runs/by-correlation/{correlation_id}"
BY_KEY = "/rebalance/runs/idempotency/{idempotency_key}"
BY_RUN = "/rebalance/runs/{rebalance_run_id}"
BY_OPERATION = f"{OPERATIONS}/{{operation_id}}"
CATALOG = "/rebalance/policies/catalog"
BY_PACK = f"{CATALOG}/{{policy_pack_id}}"
PROPOSALS = "/rebalance/proposals"
# Every literal path comes before it, so that no id shadows one (D53).
BY_PROPOSAL = f"{PROPOSALS}/{{proposal_id}}"
VERSIONS = f"{BY_PROPOSAL}/versions"
APPROVALS = f"{BY_PROPOSAL}/approvals"

ROUTES: tuple[web.RouteDef, ...] = (
    get("/health/live", health.live),
    get("/health/ready", health.ready),
    get("/openapi.json", openapi.get_document),
    get("/docs", docs.show),
    get("/docs/{asset}", docs.show_asset),
    get("/redoc", docs.move),
    post("/rebalance/simulate", runs.simulate),
    post("/rebalance/analyze", runs.analyze),
    post("/rebalance/analyze/async", operations.submit),
    get("/rebalance/runs", runs.list_runs),
    get(BY_CORRELATION, runs.get_run_by_correlation),
    get("/rebalance/runs/by-request-hash/{request_hash}", runs.get_run_by_request_hash),
    get(BY_KEY, idempotency.get_simulation_key),
    get(f"{BY_CORRELATION}/support-bundle", support_bundles.get_bundle_by_correlation),
    get(f"{BY_KEY}/support-bundle", support_bundles.get_bundle_by_key),
    get(
        "/rebalance/runs/by-operation/{operation_id}/support-bundle", support_bundles.get_bundle_by_operation
    ),
    get(f"{BY_CORRELATION}/workflow", workflow_decisions.get_workflow),
    get(f"{BY_KEY}/workflow", workflow_decisions.get_workflow),
    get(f"{BY_CORRELATION}/workflow/history", workflow_decisions.get_history),
    get(f"{BY_KEY}/workflow/history", workflow_decisions.get_history),
    post(f"{BY_CORRELATION}/workflow/actions", workflow_decisions.decide),
    post(f"{BY_KEY}/workflow/actions", workflow_decisions.decide),
    get(BY_RUN, runs.get_run),
    get(f"{BY_RUN}/artifact", artifacts.get_artifact),
    get(f"{BY_RUN}/request", run_requests.get_request),
    get(f"{BY_RUN}/support-bundle", support_bundles.get_bundle),
    get(f"{BY_RUN}/workflow", workflow_decisions.get_workflow),
    get(f"{BY_RUN}/workflow/history", workflow_decisions.get_history),
    post(f"{BY_RUN}/workflow/actions", workflow_decisions.decide),
    post(f"{BY_RUN}/replay", replays.replay),
    get("/rebalance/idempotency/{idempotency_key}/history", idempotency.list_key_history),
    get(OPERATIONS, operations.list_operations),
    get(f"{OPERATIONS}/by-correlation/{{correlation_id}}", operations.get_operation_by_correlation),
    get(BY_OPERATION, operations.get_operation),
    post(f"{BY_OPERATION}/execute", operations.execute),
    post(f"{BY_OPERATION}/cancel", operations.cancel),
    get("/rebalance/supportability/summary", supportability.get_summary),
    get("/rebalance/supportability/parity", shadow_differences.get_parity),
    get("/rebalance/policies/effective", policy_packs.get_effective),
    get(CATALOG, policy_packs.list_packs),
    get(BY_PACK, policy_packs.get_pack),
    put(BY_PACK, policy_packs.publish),
    delete(BY_PACK, policy_packs.remove),
    get("/rebalance/lineage/{entity_id}", lineage.list_lineage),
    get("/rebalance/workflow/decisions", workflow_decisions.list_decisions),
    get("/rebalance/workflow/decisions/by-correlation/{correlation_id}", workflow_decisions.get_history),
    post(f"{PROPOSALS}/simulate", simulations.simulate),
    post(f"{PROPOSALS}/artifact", simulations.build_artifact),
    post(PROPOSALS, proposals.create),
    get(PROPOSALS, proposals.list_proposals),
    post(f"{PROPOSALS}/async", proposal_operations.submit_creation),
    get(
        f"{PROPOSALS}/operations/by-correlation/{{correlation_id}}",
        proposal_operations.get_operation_by_correlation,
    ),
    get(f"{PROPOSALS}/operations/{{operation_id}}", proposal_operations.get_operation),
    post(f"{PROPOSALS}/operations/{{operation_id}}/cancel", proposal_operations.cancel),
    get(f"{PROPOSALS}/idempotency/{{idempotency_key}}", support.get_key),
    get(f"{PROPOSALS}/supportability/config", support.get_config),
    get(BY_PROPOSAL, proposals.get_proposal),
    post(VERSIONS, proposals.add_version),
    post(f"{VERSIONS}/async", proposal_operations.submit_version),
    get(f"{VERSIONS}/{{version_no}}", proposals.get_version),
    post(f"{BY_PROPOSAL}/transitions", proposals.transition),
    post(APPROVALS, proposals.approve),
    get(APPROVALS, support.list_approvals),
    get(f"{BY_PROPOSAL}/workflow-events", support.list_events),
    get(f"{BY_PROPOSAL}/lineage", support.get_lineage),
)

BUNDLES = (
    f"{BY_RUN}/support-bundle",
    f"{BY_CORRELATION}/support-bundle",
    f"{BY_KEY}/support-bundle",
    "/rebalance/runs/by-operation/{operation_id}/support-bundle",
)
HISTORIES = (
    f"{BY_RUN}/workflow/history",
    f"{BY_CORRELATION}/workflow/history",
    f"{BY_KEY}/workflow/history",
    "/rebalance/workflow/decisions/by-correlation/{correlation_id}",
)
KEY_HISTORY = "/rebalance/idempotency/{idempotency_key}/history"
EVENTS = f"{BY_PROPOSAL}/workflow-events"
QUERIES: Mapping[tuple[str, str], QuerySchema] = {
    ("GET", "/rebalance/runs"): runs.RUN_LIST,
    **{("GET", path): support_bundles.BUNDLE for path in BUNDLES},
    ("POST", f"{BY_RUN}/replay"): replays.REPLAY,
    ("GET", OPERATIONS): operations.OPERATION_LIST,
    ("GET", "/rebalance/supportability/parity"): shadow_differences.PARITY,
    ("GET", "/rebalance/lineage/{entity_id}"): lineage.LINEAGE,
    ("GET", "/rebalance/workflow/decisions"): workflow_decisions.DECISION_LIST,
    **{("GET", path): workflow_decisions.HISTORY for path in HISTORIES},
    ("GET", KEY_HISTORY): idempotency.HISTORY,
    ("GET", EVENTS): support.HISTORY,
    ("GET", APPROVALS): support.HISTORY,
    ("GET", f"{BY_PROPOSAL}/lineage"): support.VERSIONS,
    ("GET", PROPOSALS): proposals.PROPOSAL_LIST,
    ("GET", BY_PROPOSAL): proposals.EVIDENCE,
    ("GET", f"{VERSIONS}/{{version_no}}"): proposals.EVIDENCE,
}
# The names that each route knows in a query; all others know none.
PARAMETERS: Mapping[tuple[str, str], frozenset[str]] = {
    named: frozenset(field.data_key or name for name, field in schema.fields.items())
    for named, schema in QUERIES.items()
}
