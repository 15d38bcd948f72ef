"""What the store holds, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from aiohttp import web

from service.domains.dpm_runs.supportability import Subject
from service.flows.dpm_runs.supportability import Supportability
from service.web import keys


class SupportabilitySummary(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmSupportabilitySummaryResponse`."""

    store_backend: str
    retention_days: int
    run_count: int
    operation_count: int
    operation_status_counts: Mapping[str, int]
    run_status_counts: Mapping[str, int]
    workflow_decision_count: int
    workflow_action_counts: Mapping[str, int]
    workflow_reason_code_counts: Mapping[str, int]
    lineage_edge_count: int
    oldest_run_created_at: str | None
    newest_run_created_at: str | None
    oldest_operation_created_at: str | None
    newest_operation_created_at: str | None


async def get_summary(request: web.Request) -> web.Response:
    """Exact counts over all that has not expired (HTTP contract 7.6)."""
    gates = request.app[keys.GATES]
    gates.require_support_apis()
    gates.require_summary_apis()
    found = await request.app[keys.FLOWS].supportability.summarise()
    return web.Response(body=msgspec.json.encode(_summary_of(found)), content_type="application/json")


def _summary_of(found: Supportability) -> SupportabilitySummary:
    summary = found.summary
    return SupportabilitySummary(
        store_backend=found.store_backend,
        retention_days=found.retention_days,
        run_count=summary.total(Subject.RUN_STATUS),
        operation_count=summary.total(Subject.OPERATION_STATUS),
        operation_status_counts=summary.counts[Subject.OPERATION_STATUS],
        run_status_counts=summary.counts[Subject.RUN_STATUS],
        workflow_decision_count=summary.total(Subject.WORKFLOW_ACTION),
        workflow_action_counts=summary.counts[Subject.WORKFLOW_ACTION],
        workflow_reason_code_counts=summary.counts[Subject.WORKFLOW_REASON_CODE],
        lineage_edge_count=summary.total(Subject.LINEAGE_EDGE_TYPE),
        oldest_run_created_at=_text_of(summary.runs.oldest),
        newest_run_created_at=_text_of(summary.runs.newest),
        oldest_operation_created_at=_text_of(summary.operations.oldest),
        newest_operation_created_at=_text_of(summary.operations.newest),
    )


def _text_of(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant is not None else None
