"""The ways in which a caller can name a run, and the run that each names."""

from __future__ import annotations

from dataclasses import dataclass

from service.domains.dpm_runs.values import DEFAULT_TENANT
from service.domains.idempotency import KeyScope
from service.domains.retention.cutoffs import RetentionCutoff
from service.errors.idempotency import IdempotencyKeyNotFound
from service.storage.ports.store import Store


@dataclass(frozen=True, slots=True)
class ByRunId:
    rebalance_run_id: str


@dataclass(frozen=True, slots=True)
class ByCorrelation:
    """The newest run of a correlation id."""

    correlation_id: str


@dataclass(frozen=True, slots=True)
class ByKey:
    """The run that a simulate key stands for now."""

    idempotency_key: str


RunName = ByRunId | ByCorrelation | ByKey


async def run_id_of(store: Store, name: RunName, cutoff: RetentionCutoff) -> str:
    """The id of the run; one that is named by its id need not be there.

    Raises RunNotFound, IdempotencyKeyNotFound.
    """
    match name:
        case ByRunId(rebalance_run_id):
            return rebalance_run_id
        case ByCorrelation(correlation_id):
            run = await store.dpm_runs.get_newest_by_correlation(DEFAULT_TENANT, correlation_id, cutoff)
            return run.rebalance_run_id
        case ByKey(idempotency_key):
            return await run_id_of_key(store, idempotency_key, cutoff)


async def run_id_of_key(store: Store, idempotency_key: str, cutoff: RetentionCutoff) -> str:
    """Raises IdempotencyKeyNotFound."""
    held = await store.idempotency.find(DEFAULT_TENANT, KeyScope.DPM_SIMULATE, idempotency_key, cutoff)
    if held is None:
        raise IdempotencyKeyNotFound()
    return held.rebalance_run_id
