"""What the holder of an operation may do and for how long, whatever the backend."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from service.domains.dpm_runs.artifacts import edge_of_artifact
from service.domains.dpm_runs.values import DEFAULT_TENANT, edges_of
from service.domains.operations import RELEASE, AttemptError, OperationStatus
from service.domains.retention.cutoffs import KEEP_ALL
from service.errors.dpm_runs import RunExists
from service.errors.operations import LeaseLost, OperationNotPending
from tests.integration.contract.builders import (
    a_batch,
    a_lease,
    a_purge,
    a_staged,
    a_staged_failure,
    after,
    an_admission,
    an_operation,
    claimed,
    ending_of,
    failed,
    operations_since,
    started,
    submit_and_move,
    succeeded,
    with_run_id,
)
from tests.integration.contract.reading import (
    assert_absent,
    edges_at,
    operation_in,
    operations_of,
    runs_of,
    staged_of,
    status_counts_of,
    touching,
)

PENDING = an_operation(operation_id="dop_1")
BATCH = a_batch("a", "b", cause_id="dop_1", artifacts=True, sent_as="corr-op")
# What only the holder may do; each would be seen.
WRITES = {
    "extend": lambda store, claim: store.operations.extend(claim, a_lease(5, until=50)),
    "stage": lambda store, claim: store.operations.stage(claim, [a_staged("late")], a_lease(5, until=50)),
    "finish with a result": lambda store, claim: store.operations.finish(
        claim, ending_of(succeeded(PENDING, 5), BATCH)
    ),
    "finish with an error": lambda store, claim: store.operations.finish(
        claim, ending_of(failed(PENDING, 5))
    ),
    "hand back": lambda store, claim: store.operations.release(claim, a_lease(5)),
}
EACH_WRITE = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


async def reap(store, second):
    return await store.operations.reap(DEFAULT_TENANT, now=after(second), attempts_max=9, limit=9)


async def seen_of(store):
    """All that a write of a holder may change."""
    runs = (await runs_of(store)).items
    return await operation_in(store, PENDING), await staged_of(store, PENDING), runs


async def test_a_claim_gives_the_operation_as_it_is_from_then_on(store):
    await store.operations.submit(PENDING)

    claim = await claimed(store, PENDING, a_lease(4))

    assert claim.operation == started(PENDING, 4) == await operation_in(store, PENDING)


async def test_each_claim_has_a_greater_fence_than_the_one_before(store):
    fences = [(await submit_and_move(store, started(PENDING))).fence]
    await store.operations.release(await reclaimed(store), a_lease())
    fences += [(await claimed(store, PENDING)).fence]

    assert fences == sorted(set(fences))


async def reclaimed(store):
    """The claim of one who took over after the lease of the holder had ended."""
    assert (await reap(store, 20_000_000)).requeued == ("dop_1",)
    return await claimed(store, PENDING)


async def test_of_many_who_claim_an_operation_at_once_one_gets_it(store):
    await store.operations.submit(PENDING)

    answers = await asyncio.gather(
        *(claimed(store, PENDING, a_lease(n)) for n in range(64)), return_exceptions=True
    )

    (claim,) = (answer for answer in answers if not isinstance(answer, Exception))
    assert sum(isinstance(answer, OperationNotPending) for answer in answers) == 63
    assert await operation_in(store, PENDING) == claim.operation
    assert claim.operation.attempt == 1
    assert await status_counts_of(store) == {"RUNNING": 1}
    await store.operations.finish(claim, ending_of(succeeded(PENDING, 100)))


@EACH_WRITE
async def test_who_lost_an_operation_to_another_writes_nothing(store, write):
    lost = await submit_and_move(store, started(PENDING))
    await store.operations.stage(lost, [a_staged("early")], a_lease(2, until=3))
    await reap(store, 4)
    claim = await claimed(store, PENDING, a_lease(4))
    before = await seen_of(store)

    with pytest.raises(LeaseLost):
        await write(store, lost)

    assert await seen_of(store) == before
    await write(store, claim)


@EACH_WRITE
async def test_who_handed_an_operation_back_writes_nothing(store, write):
    claim = await submit_and_move(store, started(PENDING))
    await store.operations.release(claim, a_lease(2))
    before = await seen_of(store)

    with pytest.raises(LeaseLost):
        await write(store, claim)

    assert await seen_of(store) == before


@EACH_WRITE
async def test_whose_lease_has_ended_writes_nothing_though_nobody_else_came(store, write):
    await store.operations.submit(PENDING)
    claim = await claimed(store, PENDING, a_lease(1, until=4.999999))
    before = await seen_of(store)

    with pytest.raises(LeaseLost):
        await write(store, claim)

    assert await seen_of(store) == before
    assert before[0].status is OperationStatus.RUNNING


@EACH_WRITE
async def test_a_lease_holds_until_its_last_instant(store, write):
    await store.operations.submit(PENDING)
    claim = await claimed(store, PENDING, a_lease(1, until=5))
    before = await seen_of(store)

    await write(store, claim)

    assert not (await reap(store, 5)).requeued
    assert write is WRITES["extend"] or await seen_of(store) != before


async def test_a_lease_can_be_made_longer_and_shorter(store):
    await store.operations.submit(PENDING)
    claim = await claimed(store, PENDING, a_lease(1, until=5))

    await store.operations.extend(claim, a_lease(5, until=9))
    await store.operations.extend(claim, a_lease(9, until=20))
    await store.operations.stage(claim, [], a_lease(10, until=12))

    assert not (await reap(store, 12)).requeued
    assert (await reap(store, 12.000001)).requeued == ("dop_1",)


async def test_a_lease_may_end_at_once(store):
    claim = await submit_and_move(store, started(PENDING))

    await store.operations.stage(claim, [a_staged("a")], a_lease(5, until=4))

    assert await staged_of(store, PENDING) == (a_staged("a"),)
    assert (await reap(store, 4.5)).requeued == ("dop_1",)


async def test_what_came_of_scenarios_comes_back_by_their_names(store):
    claim = await submit_and_move(store, started(an_operation(scenarios_total=4)))
    parts = [a_staged("é", result=b"{}" * 500_000), a_staged_failure("b"), a_staged("B"), a_staged("a")]

    await store.operations.stage(claim, parts[:3], a_lease(2))
    await store.operations.stage(claim, parts[3:], a_lease(3))

    assert await staged_of(store, claim.operation) == tuple(sorted(parts, key=lambda part: part.scenario))
    assert (await operation_in(store, claim.operation)).scenarios_done == 4


async def test_a_scenario_is_kept_as_it_first_was_and_counts_once(store):
    claim = await submit_and_move(store, started(PENDING))
    first, second = a_staged("a"), a_staged_failure("b")

    await store.operations.stage(claim, [first, a_staged_failure("a")], a_lease(2))
    await store.operations.stage(claim, [a_staged("b"), first][::-1], a_lease(3))
    await store.operations.stage(claim, [first, second], a_lease(3))

    assert await staged_of(store, PENDING) == (first, a_staged("b"))
    assert (await operation_in(store, PENDING)).scenarios_done == 2


async def test_many_who_stage_the_same_scenarios_at_once_count_each_once(store):
    claim = await submit_and_move(store, started(PENDING))
    names = [("a", "b"), ("b", "c"), ("c", "a")]

    await asyncio.gather(
        *(
            store.operations.stage(claim, [a_staged(name) for name in names[n % 3]], a_lease(n))
            for n in range(16)
        )
    )

    assert await staged_of(store, PENDING) == tuple(a_staged(name) for name in "abc")
    assert (await operation_in(store, PENDING)).scenarios_done == 3


async def test_what_is_staged_outlives_its_holder_and_is_nobodys_else(store):
    claim = await submit_and_move(store, started(PENDING))
    await store.operations.stage(claim, [a_staged("a")], a_lease(2, until=3))
    await submit_and_move(store, started(replace(PENDING, tenant_id="theirs")))

    await reap(store, 4)
    after_reaping = await staged_of(store, PENDING)
    claim = await claimed(store, PENDING)
    await store.operations.release(claim, a_lease(5))

    assert after_reaping == await staged_of(store, PENDING) == (a_staged("a"),)
    assert (await operation_in(store, PENDING)).scenarios_done == 1
    assert await store.operations.list_staged("theirs", "dop_1") == ()


async def test_no_reader_of_operations_or_runs_sees_what_is_staged(store):
    claim = await submit_and_move(store, started(PENDING))
    await store.operations.stage(claim, [a_staged("a"), a_staged_failure("b")], a_lease(2))

    assert await operation_in(store, PENDING) == replace(started(PENDING), scenarios_done=2)
    assert (await operations_of(store)).items[0].scenarios_done == 2
    assert (await runs_of(store)).items == ()
    assert len(await edges_at(store, "dop_1")) == 1


@pytest.mark.parametrize("end", [succeeded, failed])
async def test_with_its_end_what_was_staged_is_forgotten(store, end):
    claim = await submit_and_move(store, started(PENDING))
    await store.operations.stage(claim, [a_staged("a"), a_staged_failure("b")], a_lease(2))

    await store.operations.finish(claim, ending_of(end(started(PENDING), 3)))

    assert await staged_of(store, PENDING) == ()
    assert (await operation_in(store, PENDING)).scenarios_done == (3 if end is succeeded else 2)
    # A row that was left would hold the operation back from its purge.
    assert (await store.retention.remove(a_purge(operations_since(9)))).operations == 1


async def test_the_end_of_an_operation_brings_its_result_its_runs_and_their_edges(store):
    claim = await submit_and_move(store, started(PENDING))
    await store.operations.stage(claim, [a_staged("a"), a_staged("b")], a_lease(2))

    await store.operations.finish(claim, ending_of(succeeded(PENDING, 3), BATCH))

    assert await operation_in(store, PENDING) == succeeded(started(PENDING), 3)
    caused = await store.dpm_runs.list_by_cause(DEFAULT_TENANT, "dop_1", KEEP_ALL)
    assert [run.rebalance_run_id for run in caused] == [run.rebalance_run_id for run in BATCH.runs]
    request_id = BATCH.request.request_id
    assert await store.dpm_runs.get_request(DEFAULT_TENANT, request_id) == BATCH.request
    assert await store.dpm_runs.find_newest_batch(DEFAULT_TENANT, "corr-op", KEEP_ALL) == request_id
    for run, artifact in zip(BATCH.runs, BATCH.artifacts, strict=True):
        assert await store.dpm_runs.get(DEFAULT_TENANT, run.rebalance_run_id, KEEP_ALL) == run
        assert await store.artifacts.find(DEFAULT_TENANT, run.rebalance_run_id, KEEP_ALL) == artifact
        brought = (*edges_of(run, cause_id="dop_1"), edge_of_artifact(artifact))
        assert await edges_at(store, run.rebalance_run_id) == touching(run.rebalance_run_id, *brought)


@pytest.mark.parametrize("taken", ["a run", "the batch"])
async def test_an_end_whose_ids_are_taken_leaves_the_operation_with_its_holder(store, taken):
    claim = await submit_and_move(store, started(PENDING))
    await store.operations.stage(claim, [a_staged("a")], a_lease(2))
    if taken == "a run":
        held = an_admission().run
        await store.dpm_runs.admit(an_admission(rebalance_run_id=held.rebalance_run_id), KEEP_ALL)
        batch = with_run_id(a_batch("a", "b", cause_id="dop_1", artifacts=True), 1, held.rebalance_run_id)
    else:
        held = a_batch("c")
        await store.dpm_runs.admit_batch(held)
        batch = a_batch("a", "b", cause_id="dop_1", batch_id=held.request.request_id)
    before = await seen_of(store)

    with pytest.raises(RunExists):
        await store.operations.finish(claim, ending_of(succeeded(PENDING, 3), batch))

    assert await seen_of(store) == before
    assert len(await edges_at(store, "dop_1")) == 1
    if taken == "a run":
        await assert_absent(store, batch.runs[0])
    again = a_batch("a", "b", cause_id="dop_1")
    await store.operations.finish(claim, ending_of(succeeded(PENDING, 3), again))
    assert (await operation_in(store, PENDING)).status is OperationStatus.SUCCEEDED


async def test_who_lost_an_operation_is_told_so_even_if_his_ids_are_taken(store):
    claim = await submit_and_move(store, started(PENDING))
    await store.operations.finish(claim, ending_of(succeeded(PENDING, 3), BATCH))

    with pytest.raises(LeaseLost):
        await store.operations.finish(claim, ending_of(succeeded(PENDING, 3), BATCH))


async def test_an_operation_that_is_handed_back_tells_why_and_when_it_first_began(store):
    claim = await submit_and_move(store, started(PENDING))

    await store.operations.release(claim, a_lease(2))

    waiting = replace(
        PENDING,
        first_started_at=after(1),
        last_error=AttemptError(RELEASE.code, RELEASE.message, 1, after(2)),
    )
    assert await operation_in(store, PENDING) == waiting
    assert (await claimed(store, PENDING, a_lease(3))).operation == started(waiting, 3)
