"""How an operation ends before its time: cancelled, over its deadline, handed back too often."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from service.domains.dpm_runs.values import DEFAULT_TENANT
from service.domains.operations import (
    ATTEMPTS_EXHAUSTED,
    CANCELLATION,
    RELEASE,
    Lease,
    OperationError,
    OperationStatus,
    OperationType,
    overdue_after,
)
from service.errors.operations import LeaseLost, OperationEnded, OperationNotFound, OperationNotPending
from tests.integration.contract.builders import (
    LONG_SECONDS,
    a_batch,
    a_lease,
    a_purge,
    a_staged,
    after,
    an_operation,
    claimed,
    ending_of,
    failed,
    operations_since,
    started,
    submit_and_move,
    succeeded,
)
from tests.integration.contract.reading import (
    operation_in,
    runs_of,
    staged_of,
    status_counts_of,
)

OVERDUE = overdue_after(600)


async def cancel(store, operation, second=5):
    return await store.operations.fail(
        operation.tenant_id, operation.operation_id, now=after(second), error=CANCELLATION
    )


async def fail_overdue(store, before, *, limit=10, only=None):
    return await store.operations.fail_overdue(
        DEFAULT_TENANT, started_before=after(before), now=after(1000), error=OVERDUE, limit=limit, only=only
    )


def cancelled(operation, second=5):
    return replace(operation, status=OperationStatus.FAILED, finished_at=after(second), error=CANCELLATION)


@pytest.mark.parametrize("kind", OperationType)
async def test_a_pending_operation_that_is_cancelled_fails_and_is_begun_by_nobody(store, kind):
    operation = an_operation(operation_type=kind)
    await store.operations.submit(operation)

    assert await cancel(store, operation) == cancelled(operation) == await operation_in(store, operation)

    with pytest.raises(OperationNotPending):
        await claimed(store, operation)


async def test_a_running_operation_that_is_cancelled_is_lost_to_its_holder(store):
    operation = an_operation()
    claim = await submit_and_move(store, started(operation))
    await store.operations.stage(claim, [a_staged("a")], a_lease())

    ended = await cancel(store, operation)

    assert ended == cancelled(replace(started(operation), scenarios_done=1))
    assert (ended.lease_owner, ended.lease_expires_at) == (None, None)
    assert await staged_of(store, operation) == ()
    for late in (
        store.operations.extend(claim, a_lease(6)),
        store.operations.stage(claim, [a_staged("b")], a_lease(6)),
        store.operations.finish(claim, ending_of(succeeded(operation, 6), a_batch("a"))),
        store.operations.release(claim, a_lease(6)),
    ):
        with pytest.raises(LeaseLost):
            await late
    assert (await runs_of(store)).items == ()
    assert await operation_in(store, operation) == ended
    assert await status_counts_of(store) == {"FAILED": 1}


@pytest.mark.parametrize(
    ("ended", "outcome"), [(succeeded, "SUCCEEDED"), (failed, "FAILED"), (cancelled, "CANCELLED")]
)
async def test_one_that_has_ended_is_not_cancelled_and_tells_how_it_ended_and_when(store, ended, outcome):
    operation = ended(started(an_operation()), 3)
    await submit_and_move(store, operation)

    with pytest.raises(OperationEnded) as refused:
        await cancel(store, operation)

    assert refused.value.members == {"outcome": outcome, "finished_at": after(3).isoformat()}
    assert await operation_in(store, operation) == operation


async def test_one_that_is_not_there_cannot_be_cancelled(store):
    other = an_operation(tenant_id="another")
    await store.operations.submit(other)

    for missing in (an_operation(), replace(other, tenant_id=DEFAULT_TENANT)):
        with pytest.raises(OperationNotFound):
            await cancel(store, missing)


async def test_of_many_who_cancel_and_one_who_finishes_one_ends_the_operation(store):
    for _ in range(8):
        operation = an_operation()
        claim = await submit_and_move(store, started(operation))
        finish = store.operations.finish(claim, ending_of(succeeded(operation, 6), a_batch("a")))
        before = len((await runs_of(store)).items)

        answers = await asyncio.gather(
            *(cancel(store, operation) for _ in range(5)),
            finish,
            *(cancel(store, operation) for _ in range(5)),
            return_exceptions=True,
        )

        refused = [one for one in answers if isinstance(one, OperationEnded | LeaseLost)]
        assert len(refused) == len(answers) - 1, answers
        found = await operation_in(store, operation)
        has_succeeded = found.status is OperationStatus.SUCCEEDED
        assert has_succeeded or found.error == CANCELLATION
        assert len((await runs_of(store)).items) - before == has_succeeded


async def test_of_many_who_cancel_and_claim_at_once_the_operation_ends_cancelled(store):
    operation = an_operation()
    await store.operations.submit(operation)

    answers = await asyncio.gather(
        *(claimed(store, operation, a_lease(n)) for n in range(10)),
        cancel(store, operation),
        *(claimed(store, operation, a_lease(n)) for n in range(10)),
        return_exceptions=True,
    )

    assert (await operation_in(store, operation)).error == CANCELLATION
    assert sum(isinstance(one, OperationNotPending) for one in answers) >= 19


async def test_a_cancelled_operation_expires_like_any_other(store):
    operation = an_operation()
    await store.operations.submit(operation)
    await cancel(store, operation, 5)

    assert (await store.retention.remove(a_purge(operations_since(6)))).operations == 1


async def test_what_is_over_its_deadline_fails_whoever_holds_it_and_wherever_it_waits(store):
    running, waiting, young, fresh = (an_operation() for _ in range(4))
    claim = await submit_and_move(store, started(running, 1))
    await store.operations.release(await submit_and_move(store, started(waiting, 2)), a_lease(3))
    await submit_and_move(store, started(young, 10))
    await store.operations.submit(fresh)

    assert await fail_overdue(store, 1) == ()
    assert await fail_overdue(store, 10) == (running.operation_id, waiting.operation_id)

    for operation in (running, waiting):
        found = await operation_in(store, operation)
        assert (found.status, found.error, found.finished_at) == (
            OperationStatus.FAILED,
            OVERDUE,
            after(1000),
        )
    with pytest.raises(LeaseLost):
        await store.operations.extend(claim, a_lease(4))
    # Waiting in the queue is not counted.
    assert (await operation_in(store, fresh)).status is OperationStatus.PENDING
    assert (await operation_in(store, young)).status is OperationStatus.RUNNING
    assert await fail_overdue(store, 10) == ()


async def test_the_deadline_counts_from_the_first_start(store):
    operation = an_operation()
    claim = await submit_and_move(store, started(operation, 1))
    for second in (2, 4, 6):
        await store.operations.release(claim, a_lease(second))
        claim = await claimed(store, operation, a_lease(second + 1))

    assert claim.operation.first_started_at == after(1)
    assert await fail_overdue(store, 1.5) == (operation.operation_id,)


async def test_those_that_began_first_fail_first_and_so_many_at_once(store):
    operations = [an_operation() for _ in range(4)]
    for second, operation in zip((3, 1, 4, 2), operations, strict=True):
        await submit_and_move(store, started(operation, second))

    assert await fail_overdue(store, 9, limit=2) == (operations[1].operation_id, operations[3].operation_id)
    chosen = frozenset({operations[2].operation_id})
    assert await fail_overdue(store, 9, only=chosen) == (operations[2].operation_id,)
    assert await fail_overdue(store, 9) == (operations[0].operation_id,)


async def test_an_attempt_that_is_handed_back_after_more_than_a_lease_counts(store):
    operation = an_operation()
    claim = await submit_and_move(store, started(operation, 1))

    # A lease of ten seconds, after ten seconds and after a little more.
    assert not await store.operations.release(claim, Lease(after(11), after(21)))
    assert (await operation_in(store, operation)).attempt == 0
    claim = await claimed(store, operation, a_lease(11, until=LONG_SECONDS))
    assert not await store.operations.release(claim, Lease(after(21.000001), after(31.000001)))
    assert (await operation_in(store, operation)).attempt == 1


async def test_work_that_is_handed_back_for_ever_ends(store):
    operation = an_operation()
    await store.operations.submit(operation)
    answers = []
    for second in (0, 100, 200):
        claim = await claimed(store, operation, a_lease(second))
        await store.operations.stage(claim, [a_staged("a")], a_lease(second))
        lease = Lease(after(second + 50), after(second + 60))
        answers.append(await store.operations.release(claim, lease, error=RELEASE, attempts_max=3))

    assert answers == [False, False, True]
    found = await operation_in(store, operation)
    assert (found.status, found.attempt, found.finished_at) == (OperationStatus.FAILED, 3, after(250))
    assert found.error == OperationError(ATTEMPTS_EXHAUSTED, "3 attempts ended without a result")
    assert (found.last_error.code, found.last_error.attempt) == (RELEASE.code, 3)
    assert await staged_of(store, operation) == ()


async def test_who_holds_an_operation_and_for_how_long_is_shown_while_it_runs(store):
    operation = an_operation()
    await store.operations.submit(operation)
    claim = await claimed(store, operation, Lease(after(1), after(9), "host-1:42"))

    assert (claim.operation.lease_owner, claim.operation.lease_expires_at) == ("host-1:42", after(9))
    await store.operations.extend(claim, Lease(after(5), after(13), "host-1:42"))
    found = await operation_in(store, operation)
    assert (found.lease_owner, found.lease_expires_at) == ("host-1:42", after(13))
    await store.operations.reap(DEFAULT_TENANT, now=after(14), attempts_max=3, limit=10)
    found = await operation_in(store, operation)
    assert (found.lease_owner, found.lease_expires_at) == (None, None)
    assert found.last_error.message == "the lease of host-1:42 expired"
