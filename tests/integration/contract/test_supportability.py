"""What counts and bounds promise, whatever the backend."""

from __future__ import annotations

import asyncio

import pytest

from service.domains.callers import DEFAULT_TENANT
from service.domains.dpm_runs.supportability import Bounds, Subject, Summary, Unfinished
from service.domains.dpm_runs.values import RunStatus
from service.domains.operations import Claim, OperationStatus, OperationType
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.domains.workflow_decisions import WorkflowAction
from service.errors.dpm_runs import RunExists
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.operations import LeaseLost
from service.errors.workflow_decisions import WorkflowInvalidTransition
from tests.integration.contract.builders import (
    OTHER_HASH,
    REVIEWED,
    a_batch,
    a_lease,
    a_purge,
    a_replay,
    a_verdict,
    after,
    an_admission,
    an_artifact,
    an_operation,
    ending_of,
    failed,
    operations_since,
    runs_since,
    started,
    submit_and_move,
    succeeded,
    with_run_id,
)
from tests.integration.contract.expected_counts import Ledger

NOTHING = Summary({subject: {} for subject in Subject})
IN_REVIEW = RunStatus.PENDING_REVIEW


async def summary_of(store, cutoff=KEEP_ALL, tenant_id=DEFAULT_TENANT):
    return await store.supportability.summarise(tenant_id, cutoff)


async def acts_of_every_kind(ledger):
    """One act after the other, at growing instants; pauses after each."""
    first = await ledger.admit(an_admission(created_at=after(1), status=IN_REVIEW))
    yield
    moved = await ledger.admit(an_admission(created_at=after(2), replay=False, artifact=True))
    yield
    runs = await ledger.admit_batch(
        a_batch("a", "b", "c", created_at=after(3), status=IN_REVIEW, artifacts=True)
    )
    yield
    await ledger.admit_batch(a_batch("a", cause_id="dop_1", created_at=after(3), status=RunStatus.BLOCKED))
    yield
    await ledger.admit_replay(a_replay(first, created_at=after(4), artifact=True))
    yield
    await ledger.keep(an_artifact(first))
    yield
    for action in (WorkflowAction.APPROVE, WorkflowAction.REQUEST_CHANGES, WorkflowAction.REJECT):
        await ledger.decide(a_verdict(first, action, reason_code=f"BY_{action.value}"))
        yield
    await ledger.decide(a_verdict(runs[1], reason_code="REVIEWED"))
    yield
    waiting = await ledger.submit(an_operation(created_at=after(5)))
    yield
    claim = await ledger.claim(waiting, a_lease(6))
    yield
    batch = a_batch("a", "b", cause_id=waiting.operation_id, created_at=after(6), artifacts=True)
    await ledger.finish(claim, ending_of(succeeded(waiting, 7), batch))
    yield
    claim = await ledger.claim(await ledger.submit(an_operation()), a_lease(8))
    await ledger.finish(claim, ending_of(failed(claim.operation, 9)))
    yield
    unlucky = await ledger.submit(an_operation(created_at=after(10)))
    await ledger.release(await ledger.claim(unlucky, a_lease(10)), a_lease(11))
    yield
    await ledger.claim(unlucky, a_lease(11, until=12))
    assert (await ledger.reap(after(13), 2)).requeued == (unlucky.operation_id,)
    yield
    await ledger.claim(unlucky, a_lease(13, until=14))
    assert (await ledger.reap(after(15), 2)).exhausted == (unlucky.operation_id,)
    yield
    late = await ledger.submit(an_operation(created_at=after(10)))
    assert await ledger.expire(after(11), after(16)) == (late.operation_id,)
    yield
    await ledger.submit(an_operation(created_at=after(10)))
    yield
    await ledger.admit(an_admission(created_at=after(11), idempotency_key="key-2", correlation_id="corr-op"))
    yield
    assert moved.rebalance_run_id in ledger.runs


HORIZONS = [
    KEEP_ALL,
    *(runs_since(second) for second in (1, 1.5, 2.5, 3, 3.5, 5, 12)),
    *(operations_since(second) for second in (7, 7.5, 9.5, 15.5)),
    RetentionCutoff(after(100), after(100)),
]


async def test_an_empty_store_counts_nothing(store):
    assert await summary_of(store) == NOTHING
    await store.supportability.compact()

    assert await summary_of(store) == NOTHING
    assert (await summary_of(store)).runs == Bounds(None, None)


@pytest.mark.parametrize("folds", [(), range(1, 100, 3), range(100)], ids=["never", "at times", "always"])
async def test_after_every_act_the_counts_and_bounds_are_those_of_a_recount(store, folds):
    ledger = Ledger(store)
    number = 0

    async for _ in acts_of_every_kind(ledger):
        number += 1
        if number in folds:
            await store.supportability.compact()

        assert await summary_of(store) == ledger.summary_at()
    assert number == 20


@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize("cutoff", HORIZONS)
async def test_what_has_expired_is_not_counted_before_its_purge_nor_after(store, cutoff, folded):
    ledger = Ledger(store)
    async for _ in acts_of_every_kind(ledger):
        pass
    if folded:
        await store.supportability.compact()
    expected = ledger.summary_at(cutoff)

    before = await summary_of(store, cutoff)
    removed = await store.retention.remove(a_purge(cutoff))
    at_once = await summary_of(store, cutoff)
    await store.supportability.compact()
    later = await summary_of(store)

    ended = ledger.summary_at().total(Subject.OPERATION_STATUS) - expected.total(Subject.OPERATION_STATUS)
    assert removed.operations == ended
    assert before == expected
    # The edges of operations are counted until they are removed.
    assert edges_less(at_once, 0) == edges_less(expected, ended) == edges_less(later, 0)
    assert (at_once.runs, at_once.operations) == (expected.runs, expected.operations)


def edges_less(summary, of_operations):
    """The counts, with so many edges of operations less."""
    counts = {subject: dict(values) for subject, values in summary.counts.items()}
    edges = counts[Subject.LINEAGE_EDGE_TYPE]
    left = edges.pop("OPERATION_TO_CORRELATION", 0) - of_operations
    return counts | {Subject.LINEAGE_EDGE_TYPE: edges | ({"OPERATION_TO_CORRELATION": left} if left else {})}


async def test_an_act_that_is_refused_or_replayed_is_not_counted(store):
    ledger = Ledger(store)
    run = await ledger.admit(an_admission(status=IN_REVIEW, artifact=True))
    await ledger.decide(a_verdict(run))
    operation = await ledger.submit(an_operation())
    expected = ledger.summary_at()

    await store.dpm_runs.admit(an_admission(artifact=True), KEEP_ALL)
    await store.artifacts.keep(an_artifact(run))
    for refusal, act in (
        (IdempotencyKeyConflict, store.dpm_runs.admit(an_admission(request_hash=OTHER_HASH), KEEP_ALL)),
        (RunExists, store.dpm_runs.admit_batch(with_run_id(a_batch("a", "b"), 1, run.rebalance_run_id))),
        (WorkflowInvalidTransition, store.workflow_decisions.decide(a_verdict(run), REVIEWED, KEEP_ALL)),
        (LeaseLost, store.operations.finish(Claim(operation, 0), ending_of(succeeded(operation)))),
    ):
        with pytest.raises(refusal):
            await act

    assert await summary_of(store) == expected


async def test_values_that_no_longer_occur_are_left_out(store):
    await submit_and_move(store, started(an_operation()))

    summary = await summary_of(store)

    assert summary.counts[Subject.OPERATION_STATUS] == {"RUNNING": 1}
    assert summary.total(Subject.OPERATION_STATUS) == 1


async def test_tenants_are_counted_each_for_itself(store):
    for tenant_id in ("ours", "theirs", "theirs"):
        await store.dpm_runs.admit(an_admission(tenant_id=tenant_id, replay=False), KEEP_ALL)
    await store.supportability.compact()

    assert (await summary_of(store, tenant_id="ours")).counts[Subject.RUN_STATUS] == {"READY": 1}
    assert (await summary_of(store, tenant_id="theirs")).counts[Subject.RUN_STATUS] == {"READY": 2}
    assert await summary_of(store) == NOTHING


async def test_the_bounds_are_the_instants_of_what_has_not_expired(store):
    for second in (5, 1, 9, 3):
        await store.dpm_runs.admit(an_admission(replay=False, created_at=after(second)), KEEP_ALL)
        operation = an_operation(created_at=after(second))
        ended = succeeded(started(operation), second + 0.5)
        await submit_and_move(store, operation if second == 5 else ended)

    found = await summary_of(store, RetentionCutoff(after(2), after(9.5)))

    assert found.runs == Bounds(after(3), after(9))
    assert found.operations == Bounds(after(5), after(9))
    assert (await summary_of(store, RetentionCutoff(after(20), after(20)))).operations == Bounds(
        after(5), after(5)
    )


async def test_counting_and_folding_beside_writers_loses_nothing(store):
    ledger = Ledger(store)
    batches = [a_batch("a", "b", created_at=after(n)) for n in range(24)]
    totals = []

    async def write(mine):
        for batch in mine:
            await ledger.admit_batch(batch)

    async def compact():
        for _ in range(12):
            await store.supportability.compact()

    async def count():
        for _ in range(12):
            summary = await summary_of(store)
            runs, edges = summary.total(Subject.RUN_STATUS), summary.total(Subject.LINEAGE_EDGE_TYPE)
            # Each act is seen whole or not at all: a run comes with its two edges.
            assert (runs % 2, edges) == (0, 2 * runs)
            totals.append(runs)

    await asyncio.gather(*(write(batches[n::4]) for n in range(4)), compact(), count(), compact())

    assert totals == sorted(totals)
    assert await summary_of(store) == ledger.summary_at()
    await store.supportability.compact()
    assert await summary_of(store) == ledger.summary_at()


async def test_many_who_fold_at_once_count_every_change_once(store):
    ledger = Ledger(store)

    for n in range(40):
        await ledger.admit_batch(a_batch("a", "b", created_at=after(n)))
        await asyncio.gather(*(store.supportability.compact() for _ in range(16)))

        assert await summary_of(store) == ledger.summary_at()


async def test_what_has_not_ended_is_counted_by_type_and_status_with_the_oldest_of_each(store):
    creation = {"operation_type": OperationType.CREATE_PROPOSAL, "scenarios_total": 0}
    for operation in (
        an_operation(created_at=after(3)),
        an_operation(created_at=after(2)),
        started(an_operation(created_at=after(1)), 5),
        an_operation(created_at=after(4), **creation),
        succeeded(started(an_operation(), 5), 6),
        failed(started(an_operation(), 5), 6),
        an_operation(tenant_id="theirs"),
    ):
        await submit_and_move(store, operation)

    analyses, proposals = OperationType.ANALYZE_SCENARIOS, OperationType.CREATE_PROPOSAL
    assert await store.supportability.list_unfinished(DEFAULT_TENANT) == (
        Unfinished(analyses, OperationStatus.PENDING, 2, after(2)),
        Unfinished(analyses, OperationStatus.RUNNING, 1, after(1)),
        Unfinished(proposals, OperationStatus.PENDING, 1, after(4)),
    )
    assert await store.supportability.list_unfinished("nobody") == ()
