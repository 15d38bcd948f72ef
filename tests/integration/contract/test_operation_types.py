"""Analyses expire and are counted; operations of proposals, which may be kept beside them, do neither."""

from __future__ import annotations

import pytest

from service.domains.callers import DEFAULT_TENANT
from service.domains.dpm_runs.supportability import Bounds, Subject
from service.domains.operations import OperationFilter, OperationStatus, OperationType
from service.domains.retention.cutoffs import KEEP_ALL
from service.errors.operations import OperationNotFound
from tests.integration.contract.builders import (
    a_lease,
    a_purge,
    after,
    an_operation,
    ending_of,
    operations_since,
    started,
    submit_and_move,
    succeeded,
)

OF_PROPOSALS = [kind for kind in OperationType if kind is not OperationType.ANALYZE_SCENARIOS]


async def counts_in(store, cutoff=KEEP_ALL):
    summary = await store.supportability.summarise(DEFAULT_TENANT, cutoff)
    return summary.counts[Subject.OPERATION_STATUS], summary.operations


@pytest.mark.parametrize("kind", OF_PROPOSALS)
async def test_an_operation_of_a_proposal_is_not_counted_at_any_step(store, kind):
    operation = an_operation(operation_type=kind)
    await store.operations.submit(operation)
    assert await counts_in(store) == ({}, Bounds(None, None))

    claim = await store.operations.claim(DEFAULT_TENANT, operation.operation_id, a_lease())
    assert await counts_in(store) == ({}, Bounds(None, None))

    await store.operations.finish(claim, ending_of(succeeded(started(operation))))
    await store.supportability.compact()
    assert await counts_in(store, operations_since(100)) == ({}, Bounds(None, None))


async def test_analyses_beside_operations_of_proposals_are_counted_as_if_they_were_alone(store):
    await store.operations.submit(an_operation(operation_type=OF_PROPOSALS[0], created_at=after(-9)))
    await store.operations.submit(an_operation(created_at=after(1)))
    await store.operations.submit(an_operation(operation_type=OF_PROPOSALS[1], created_at=after(9)))

    assert await counts_in(store) == ({OperationStatus.PENDING.value: 1}, Bounds(after(1), after(1)))


async def test_a_purge_removes_analyses_and_leaves_operations_of_proposals(store):
    analysis = succeeded(started(an_operation()))
    kept = [succeeded(started(an_operation(operation_type=kind))) for kind in OF_PROPOSALS]
    for operation in (analysis, *kept):
        await submit_and_move(store, operation)

    removed = await store.retention.remove(a_purge(operations_since(100)))

    assert removed.operations == 1
    with pytest.raises(OperationNotFound):
        await store.operations.get(DEFAULT_TENANT, analysis.operation_id, KEEP_ALL)
    for operation in kept:
        assert await store.operations.get(DEFAULT_TENANT, operation.operation_id, KEEP_ALL) == operation
        listed = await store.operations.list(
            DEFAULT_TENANT,
            OperationFilter(operation_type=operation.operation_type.value),
            limit=9,
            cursor=None,
            cutoff=KEEP_ALL,
        )
        assert [head.operation_id for head in listed.items] == [operation.operation_id]


async def test_only_analyses_expire_unexecuted(store):
    analysis = an_operation(created_at=after(3))
    kept = [an_operation(operation_type=kind, created_at=after(1)) for kind in OF_PROPOSALS]
    for operation in (*kept, analysis):
        await store.operations.submit(operation)

    expired = await store.operations.expire(DEFAULT_TENANT, created_before=after(50), now=after(60), limit=1)

    assert expired == (analysis.operation_id,)
    for operation in kept:
        assert await store.operations.get(DEFAULT_TENANT, operation.operation_id, KEEP_ALL) == operation
