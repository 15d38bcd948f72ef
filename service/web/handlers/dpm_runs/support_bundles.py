"""Everything that is known about one run, in one answer."""

from __future__ import annotations

import msgspec
from aiohttp import web

from service.domains.values.pages import Page
from service.errors.dpm_runs import RunNotFound
from service.errors.idempotency import IdempotencyKeyNotFound
from service.errors.operations import OperationNotFound
from service.flows.dpm_runs.support_bundles import BundleParts, SupportBundle
from service.flows.workflow_decisions import History
from service.runtime import large_texts
from service.web import keys
from service.web.answers.dpm_runs import lookup_of
from service.web.answers.idempotency import history_of as key_history_of
from service.web.answers.lineage import lineage_of
from service.web.answers.operations import status_of
from service.web.answers.support_bundles import SupportBundleAnswer, related
from service.web.answers.workflow_decisions import history_of
from service.web.requests import parameters
from service.web.requests.callers import caller_of


async def get_bundle(request: web.Request) -> web.Response:
    """The bundle of a run."""
    wanted = _wanted(request)
    run_id = parameters.path_id(request, "rebalance_run_id", RunNotFound)
    return await _bundled(
        await request.app[keys.FLOWS].support_bundles.get(caller_of(request), run_id, wanted)
    )


async def get_bundle_by_correlation(request: web.Request) -> web.Response:
    """The bundle of the newest run, or analysis, of a correlation id (D37)."""
    wanted = _wanted(request)
    correlation_id = parameters.path_id(request, "correlation_id", RunNotFound)
    flow = request.app[keys.FLOWS].support_bundles
    return await _bundled(await flow.get_by_correlation(caller_of(request), correlation_id, wanted))


async def get_bundle_by_key(request: web.Request) -> web.Response:
    """The bundle of the run that a simulate key stands for."""
    wanted = _wanted(request)
    key = parameters.path_id(request, "idempotency_key", IdempotencyKeyNotFound)
    return await _bundled(
        await request.app[keys.FLOWS].support_bundles.get_by_key(caller_of(request), key, wanted)
    )


async def get_bundle_by_operation(request: web.Request) -> web.Response:
    """The bundle of the run, or the first of the runs, of an operation (D37)."""
    wanted = _wanted(request)
    operation_id = parameters.path_id(request, "operation_id", OperationNotFound)
    flow = request.app[keys.FLOWS].support_bundles
    return await _bundled(await flow.get_by_operation(caller_of(request), operation_id, wanted))


def _wanted(request: web.Request) -> BundleParts:
    """What the query asks for; a malformed one is refused before a gate is looked at (2.2)."""
    asked = request[keys.QUERY]
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
        related_runs=[related(head) for head in bundle.related],
    )
    documents = (
        run.result,
        bundle.artifact.body if bundle.artifact else b"",
        (bundle.operation.result if bundle.operation else None) or b"",
    )
    body = await large_texts.encoded(answer, sum(map(len, documents)))
    return web.Response(body=body, content_type="application/json")
