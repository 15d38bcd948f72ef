"""Answers about runs."""

from __future__ import annotations

from typing import Annotated

import msgspec

from service.domains.dpm_runs.values import DpmRun, RunSummary
from service.domains.rebalances.results.rebalance import BatchScenarioMetric, RebalanceResult
from service.domains.values.ids import (
    CorrelationId,
    IdempotencyKey,
    NextCursor,
    PortfolioId,
    RequestHash,
    RunId,
)
from service.domains.values.published import document, published
from service.flows.dpm_runs.analyses import BatchAnalysis
from service.runtime.large_texts import written


@published("DpmRunLookupResponse")
class RunLookup(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmRunLookupResponse`; the result is the stored bytes."""

    rebalance_run_id: RunId
    correlation_id: CorrelationId
    request_hash: RequestHash
    idempotency_key: IdempotencyKey | None
    portfolio_id: PortfolioId
    created_at: str
    """Instant at which the run was recorded, in UTC."""
    result: Annotated[msgspec.Raw, document(RebalanceResult)]
    """The whole result, as it was answered."""


@published("DpmRunListItemResponse")
class RunListItem(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmRunListItemResponse`."""

    rebalance_run_id: RunId
    correlation_id: CorrelationId
    request_hash: RequestHash
    idempotency_key: IdempotencyKey | None
    portfolio_id: PortfolioId
    status: str
    """What the simulation came to.

    Values as of `service.domains.rebalances.results.values.RunStatusText`.
    """
    created_at: str
    """Instant at which the run was recorded, in UTC."""


@published("DpmRunListResponse")
class RunList(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmRunListResponse`."""

    items: list[RunListItem]
    """Runs on the page, newest first."""
    next_cursor: NextCursor | None


def lookup_of(run: DpmRun) -> RunLookup:
    return RunLookup(
        rebalance_run_id=run.rebalance_run_id,
        correlation_id=run.correlation_id,
        request_hash=run.request_hash,
        idempotency_key=run.idempotency_key,
        portfolio_id=run.portfolio_id,
        created_at=run.created_at.isoformat(),
        result=msgspec.Raw(run.result),
    )


def listed(run: RunSummary) -> RunListItem:
    return RunListItem(
        rebalance_run_id=run.rebalance_run_id,
        correlation_id=run.correlation_id,
        request_hash=run.request_hash,
        idempotency_key=run.idempotency_key,
        portfolio_id=run.portfolio_id,
        status=run.status.value,
        created_at=run.created_at.isoformat(),
    )


@published("BatchRebalanceResult")
class BatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`BatchRebalanceResult` of the HTTP contract; results are the stored bytes."""

    batch_run_id: str
    """Id of the batch: `batch_` and 32 hexadecimal digits."""
    run_at_utc: str
    """Instant at which the batch was computed, in UTC."""
    base_snapshot_ids: dict[str, str]
    """What the scenarios were computed from: `portfolio_snapshot_id` and `market_data_snapshot_id`; the
    portfolio id and `md` where the snapshots have none."""
    results: Annotated[dict[str, msgspec.Raw], document(dict[str, RebalanceResult])]
    """Result of each scenario that ran, by its name; one that is blocked is among them."""
    comparison_metrics: Annotated[dict[str, msgspec.Raw], document(dict[str, BatchScenarioMetric])]
    """Figures of each scenario that ran, by its name."""
    failed_scenarios: dict[str, str]
    """Why a scenario did not run, by its name; empty where all ran.

    - INVALID_OPTIONS: Its options break the published shape; the first fault follows.
    - SCENARIO_EXECUTION_ERROR: Its simulation failed; the kind of the error follows.
    """
    warnings: tuple[str, ...]
    """Something to know about the batch.

    - PARTIAL_BATCH_FAILURE: At least one scenario did not run.
    """


def batch_answer(analysis: BatchAnalysis) -> bytes:
    """The results of a batch, in bytes."""
    plan, outcomes = analysis.analyzed.plan, analysis.analyzed.outcomes
    answer = BatchAnswer(
        batch_run_id=plan.batch_id,
        run_at_utc=analysis.run_at.isoformat(),
        base_snapshot_ids=plan.base_snapshot_ids,
        results={one.scenario: msgspec.Raw(one.result) for one in outcomes if one.result is not None},
        comparison_metrics={
            one.scenario: msgspec.Raw(one.metric) for one in outcomes if one.metric is not None
        },
        failed_scenarios=analysis.failed,
        warnings=analysis.warnings,
    )
    return written(answer, analysis.bytes_count)
