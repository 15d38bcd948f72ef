"""Everything that is known about one run, in one answer."""

from __future__ import annotations

import msgspec
from aiohttp import web

from service.domains.dpm_runs.values import RunSummary
from service.domains.values.ids import RunId
from service.domains.values.pages import Page
from service.errors.dpm_runs import RunNotFound
from service.errors.idempotency import IdempotencyKeyNotFound
from service.errors.operations import OperationNotFound
from service.flows.dpm_runs.support_bundles import BundleParts, SupportBundle
from service.flows.workflow_decisions import History
from service.runtime import large_texts
from service.web import keys
from service.web.answers.operations import OperationStatus
from service.web.handlers.dpm_runs.runs import RunLookup, lookup_of
from service.web.handlers.idempotency import KeyHistory
from service.web.handlers.idempotency import history_of as key_history_of
from service.web.handlers.lineage import Lineage, lineage_of
from service.web.handlers.operations import status_of
from service.web.handlers.workflow_decisions import WorkflowHistory, history_of
from service.web.requests import parameters
from service.web.schemas.support_bundles import SupportBundleQuery

BUNDLE = SupportBundleQuery()


class RelatedRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the analysis that a run belongs to."""

    rebalance_run_id: RunId
    scenario: str | None
    """Name of the scenario that the run computed; null where it is none of a batch."""
    status: str
    """What the simulation came to.

    Values as of `service.domains.rebalances.results.values.RunStatusText`.
    """
    created_at: str
    """Instant at which the run was recorded, in UTC."""


class SupportBundleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmRunSupportBundleResponse`, and the runs of the same analysis; the artifact is the kept bytes."""

    run: RunLookup
    """The run with its result."""
    artifact: msgspec.Raw | None
    """Artifact of the run; null where it was not asked for."""
    async_operation: OperationStatus | None
    """Operation that the run came of; null where there is none or it was not asked for."""
    workflow_history: WorkflowHistory
    """Decisions on the run."""
    lineage: Lineage
    """Edges at the run."""
    idempotency_history: KeyHistory | None
    """Uses of the key that the run was sent with; null without a key, or where it was not asked for."""
    related_runs: list[RelatedRun]
    """Other runs of the same analysis; empty where there is none."""


async def get_bundle(request: web.Request) -> web.Response:
    """The bundle of a run."""
    wanted = _wanted(request)
    run_id = parameters.path_id(request, "rebalance_run_id", RunNotFound)
    return await _bundled(await request.app[keys.FLOWS].support_bundles.get(run_id, wanted))


async def get_bundle_by_correlation(request: web.Request) -> web.Response:
    """The bundle of the newest run, or analysis, of a correlation id (D37)."""
    wanted = _wanted(request)
    correlation_id = parameters.path_id(request, "correlation_id", RunNotFound)
    flow = request.app[keys.FLOWS].support_bundles
    return await _bundled(await flow.get_by_correlation(correlation_id, wanted))


async def get_bundle_by_key(request: web.Request) -> web.Response:
    """The bundle of the run that a simulate key stands for."""
    wanted = _wanted(request)
    key = parameters.path_id(request, "idempotency_key", IdempotencyKeyNotFound)
    return await _bundled(await request.app[keys.FLOWS].support_bundles.get_by_key(key, wanted))


async def get_bundle_by_operation(request: web.Request) -> web.Response:
    """The bundle of the run, or the first of the runs, of an operation (D37)."""
    wanted = _wanted(request)
    operation_id = parameters.path_id(request, "operation_id", OperationNotFound)
    flow = request.app[keys.FLOWS].support_bundles
    return await _bundled(await flow.get_by_operation(operation_id, wanted))


def _wanted(request: web.Request) -> BundleParts:
    """What the query asks for; a malformed one is refused before a gate is looked at (2.2)."""
    asked = parameters.read(request, BUNDLE)
    gates = request.app[keys.GATES]
    gates.require_support_apis()
    gates.require_bundle_apis()
    return BundleParts(
        artifact=asked["include_artifact"],
        async_operation=asked["include_async_operation"],
        idempotency_history=asked["include_idempotency_history"],
    )


async def _bundled(bundle: SupportBundle) -> web.Response:
    run = bundle.run
    key, uses = run.idempotency_key, bundle.key_uses
    answer = SupportBundleAnswer(
        run=lookup_of(run),
        artifact=msgspec.Raw(bundle.artifact.body) if bundle.artifact else None,
        async_operation=status_of(bundle.operation) if bundle.operation else None,
        workflow_history=history_of(History(run.rebalance_run_id, bundle.decisions)),
        lineage=lineage_of(
            run.rebalance_run_id,
            Page(bundle.edges.items, None),
            truncated=bundle.edges.next_cursor is not None,
        ),
        idempotency_history=None if key is None or uses is None else key_history_of(key, uses),
        related_runs=[_related(head) for head in bundle.related],
    )
    documents = (
        run.result,
        bundle.artifact.body if bundle.artifact else b"",
        (bundle.operation.result if bundle.operation else None) or b"",
    )
    body = await large_texts.encoded(answer, sum(map(len, documents)))
    return web.Response(body=body, content_type="application/json")


def _related(head: RunSummary) -> RelatedRun:
    return RelatedRun(
        rebalance_run_id=head.rebalance_run_id,
        scenario=head.scenario,
        status=head.status.value,
        created_at=head.created_at.isoformat(),
    )
