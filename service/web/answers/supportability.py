"""Answers about what a store holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from service.domains.dpm_runs.supportability import Subject
from service.domains.values.published import published
from service.flows.dpm_runs.supportability import Supportability


@published("DpmSupportabilitySummaryResponse")
class SupportabilitySummary(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmSupportabilitySummaryResponse`."""

    store_backend: str
    """Store that runs and operations are kept in."""
    retention_days: int
    """Days after which a run expires; 0 where runs are kept for good."""
    run_count: int
    """How many runs are stored."""
    operation_count: int
    """How many operations of the discretionary desk are stored."""
    operation_status_counts: Mapping[str, int]
    """How many operations are in each status."""
    run_status_counts: Mapping[str, int]
    """How many runs came to each status."""
    workflow_decision_count: int
    """How many decisions on runs are stored."""
    workflow_action_counts: Mapping[str, int]
    """How many decisions of each kind there are."""
    workflow_reason_code_counts: Mapping[str, int]
    """How many decisions there are for each reason code."""
    lineage_edge_count: int
    """How many edges are stored."""
    oldest_run_created_at: str | None
    """Instant of the oldest run, in UTC; null where there is none."""
    newest_run_created_at: str | None
    """Instant of the newest run, in UTC; null where there is none."""
    oldest_operation_created_at: str | None
    """Instant of the oldest operation, in UTC; null where there is none."""
    newest_operation_created_at: str | None
    """Instant of the newest operation, in UTC; null where there is none."""


def summary_of(found: Supportability) -> SupportabilitySummary:
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
        oldest_run_created_at=text_of(summary.runs.oldest),
        newest_run_created_at=text_of(summary.runs.newest),
        oldest_operation_created_at=text_of(summary.operations.oldest),
        newest_operation_created_at=text_of(summary.operations.newest),
    )


def text_of(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant is not None else None
