"""What a test reads of a store, in one word."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from service.domains.dpm_runs.supportability import Subject
from service.domains.dpm_runs.values import DEFAULT_TENANT, DpmRun, RunFilter, RunSummary
from service.domains.idempotency import IdempotencyRecord, KeyHistoryEntry, KeyScope
from service.domains.lineage import Direction, Edge, EdgeFilter
from service.domains.operations import (
    Operation,
    OperationFilter,
    OperationSummary,
    StagedScenario,
)
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.domains.values.pages import Page, all_of
from service.errors.dpm_runs import RunNotFound
from service.storage.ports.store import Store

ALL_RUNS = RunFilter()
ALL_EDGES = EdgeFilter()
ALL_OPERATIONS = OperationFilter()
LIMIT = 100
PAGES_MAX = 1000


async def key_of(store: Store, run: DpmRun, cutoff: RetentionCutoff = KEEP_ALL) -> IdempotencyRecord | None:
    assert run.idempotency_key is not None
    return await store.idempotency.find(run.tenant_id, KeyScope.DPM_SIMULATE, run.idempotency_key, cutoff)


async def history_of(
    store: Store, run: DpmRun, cutoff: RetentionCutoff = KEEP_ALL
) -> tuple[KeyHistoryEntry, ...]:
    assert run.idempotency_key is not None
    return await all_of(
        store.idempotency.list_history,
        run.tenant_id,
        KeyScope.DPM_SIMULATE,
        run.idempotency_key,
        cutoff,
    )


async def edges_at(
    store: Store, entity_id: str, cutoff: RetentionCutoff = KEEP_ALL, tenant_id: str = DEFAULT_TENANT
) -> tuple[Edge, ...]:
    """The edges that start or end at an entity, which are few."""
    page = await store.lineage.list(tenant_id, entity_id, ALL_EDGES, limit=LIMIT, cursor=None, cutoff=cutoff)
    assert page.next_cursor is None
    return page.items


async def all_edges_at(
    store: Store, entity_id: str, edges: EdgeFilter, *, limit: int, cutoff: RetentionCutoff = KEEP_ALL
) -> tuple[Edge, ...]:
    """The edges at an entity from all pages, which are full but for the last."""
    found: list[Edge] = []
    cursor = None
    for _ in range(PAGES_MAX):
        page = await store.lineage.list(
            DEFAULT_TENANT, entity_id, edges, limit=limit, cursor=cursor, cutoff=cutoff
        )
        found += page.items
        if page.next_cursor is None:
            return tuple(found)
        assert len(page.items) == limit
        cursor = page.next_cursor
    raise AssertionError("the pages do not end")


async def runs_of(
    store: Store,
    runs: RunFilter = ALL_RUNS,
    *,
    limit: int = LIMIT,
    cursor: str | None = None,
    cutoff: RetentionCutoff = KEEP_ALL,
) -> Page[RunSummary]:
    return await store.dpm_runs.list(DEFAULT_TENANT, runs, limit=limit, cursor=cursor, cutoff=cutoff)


def touching(entity_id: str, *edges: Edge, direction: Direction = Direction.BOTH) -> tuple[Edge, ...]:
    """Those of the edges that a list of an entity shows, as it shows them."""
    seen = EdgeFilter(direction)
    return tuple(sorted((one for one in edges if seen.touches(one, entity_id)), key=lambda one: one.place))


async def assert_absent(store: Store, run: DpmRun) -> None:
    """Neither the run nor anything that came with it is there."""
    with pytest.raises(RunNotFound):
        await store.dpm_runs.get_request(run.tenant_id, run.request_id)
    await assert_run_absent(store, run)
    if run.idempotency_key is not None:
        assert run.rebalance_run_id not in [use.rebalance_run_id for use in await history_of(store, run)]


async def assert_run_absent(store: Store, run: DpmRun) -> None:
    """The run is not there; its request may be, if others share it."""
    tenant_id, run_id = run.tenant_id, run.rebalance_run_id
    for lookup in (store.dpm_runs.get, store.dpm_runs.get_head, store.dpm_runs.get_sealed):
        with pytest.raises(RunNotFound):
            await lookup(tenant_id, run_id, KEEP_ALL)
    with pytest.raises(RunNotFound):
        await store.dpm_runs.get_newest_by_correlation(tenant_id, run.correlation_id, KEEP_ALL)
    assert await store.artifacts.find(tenant_id, run_id, KEEP_ALL) is None
    assert await edges_at(store, run_id, tenant_id=tenant_id) == ()
    assert await edges_at(store, run.correlation_id, tenant_id=tenant_id) == ()


async def operation_in(
    store: Store, operation: OperationSummary, cutoff: RetentionCutoff = KEEP_ALL
) -> Operation:
    return await store.operations.get(operation.tenant_id, operation.operation_id, cutoff)


async def newest_of(
    store: Store, correlation_id: str, cutoff: RetentionCutoff = KEEP_ALL
) -> Operation | None:
    return await store.operations.find_newest_by_correlation(DEFAULT_TENANT, correlation_id, cutoff)


async def staged_of(store: Store, operation: OperationSummary) -> tuple[StagedScenario, ...]:
    return await store.operations.list_staged(operation.tenant_id, operation.operation_id)


async def operations_of(
    store: Store,
    operations: OperationFilter = ALL_OPERATIONS,
    *,
    limit: int = LIMIT,
    cursor: str | None = None,
    cutoff: RetentionCutoff = KEEP_ALL,
) -> Page[OperationSummary]:
    return await store.operations.list(DEFAULT_TENANT, operations, limit=limit, cursor=cursor, cutoff=cutoff)


async def status_counts_of(store: Store, tenant_id: str = DEFAULT_TENANT) -> Mapping[str, int]:
    """How many operations are in each state."""
    summary = await store.supportability.summarise(tenant_id, KEEP_ALL)
    return summary.counts[Subject.OPERATION_STATUS]
