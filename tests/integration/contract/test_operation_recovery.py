"""What becomes of operations whose holder is gone, or that nobody came for, whatever the backend."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from service.domains.dpm_runs.values import DEFAULT_TENANT
from service.domains.operations import (
    ATTEMPTS_EXHAUSTED,
    EXPIRED,
    LEASE_EXPIRED,
    AttemptError,
    OperationError,
    OperationStatus,
    Reaped,
)
from service.storage.postgres.store import PostgresStore
from tests.integration.contract.builders import (
    a_lease,
    a_purge,
    a_staged,
    after,
    an_operation,
    claimed,
    failed,
    operations_since,
    started,
    submit_and_move,
    succeeded,
)
from tests.integration.contract.reading import operation_in, staged_of, status_counts_of


async def begun(store, until, **fields):
    """An operation whose holder has a lease until that second and has done one scenario."""
    operation = an_operation(**fields)
    await store.operations.submit(operation)
    claim = await claimed(store, operation, a_lease(0, until=until))
    await store.operations.stage(claim, [a_staged("a")], a_lease(0, until=until))
    return operation


async def reap(store, second, *, attempts_max=9, limit=100, tenant_id=DEFAULT_TENANT):
    return await store.operations.reap(tenant_id, now=after(second), attempts_max=attempts_max, limit=limit)


async def expire(store, before, *, now=100, limit=100, tenant_id=DEFAULT_TENANT):
    return await store.operations.expire(tenant_id, created_before=after(before), now=after(now), limit=limit)


def ids_of(operations):
    return tuple(operation.operation_id for operation in operations)


async def test_an_operation_whose_lease_has_ended_waits_to_be_begun_again(store):
    operation = await begun(store, 5)

    assert await reap(store, 5) == Reaped()
    assert await reap(store, 5.000001) == Reaped(requeued=ids_of([operation]))

    waiting = replace(
        operation,
        attempt=1,
        scenarios_done=1,
        first_started_at=after(0),
        last_error=AttemptError(LEASE_EXPIRED, "the lease of its owner expired", 1, after(5.000001)),
    )
    assert await operation_in(store, operation) == waiting
    assert await staged_of(store, operation) == (a_staged("a"),)
    assert await reap(store, 5.000001) == Reaped()
    again = (await claimed(store, operation, a_lease(6))).operation
    assert again == started(waiting, 6)


@pytest.mark.parametrize("attempts_max", [1, 2, 4])
async def test_an_operation_fails_when_its_last_attempt_ends_without_a_result(store, attempts_max):
    operation = await begun(store, 1)
    for n in range(2, attempts_max + 1):
        assert (await reap(store, n, attempts_max=attempts_max)).requeued == ids_of([operation])
        await claimed(store, operation, a_lease(n, until=n))

    reaped = await reap(store, 50, attempts_max=attempts_max)

    assert reaped == Reaped(exhausted=ids_of([operation]))
    found = await operation_in(store, operation)
    assert (found.status, found.finished_at) == (OperationStatus.FAILED, after(50))
    assert found.error == OperationError(
        ATTEMPTS_EXHAUSTED, f"{attempts_max} attempts ended without a result"
    )
    assert (found.attempt, found.scenarios_done, found.result) == (attempts_max, 1, None)
    assert found.started_at is not None
    assert await staged_of(store, operation) == ()
    assert (await store.retention.remove(a_purge(operations_since(51)))).operations == 1


async def test_an_attempt_that_was_handed_back_is_not_counted(store):
    operation = an_operation()
    await store.operations.submit(operation)
    for _ in range(5):
        await store.operations.release(await claimed(store, operation), a_lease())
    await claimed(store, operation, a_lease(1, until=2))

    assert await reap(store, 3, attempts_max=2) == Reaped(requeued=ids_of([operation]))


async def test_those_created_first_are_taken_back_first_and_so_many_at_once(store):
    operations = [await begun(store, 5, created_at=after(second)) for second in (3, 1, 2, 1, 5)]
    lasting = await begun(store, 50, created_at=after(0))
    oldest = sorted(operations, key=lambda operation: (operation.created_at, operation.operation_id))

    found = [await reap(store, 10, limit=2) for _ in range(4)]

    expected = [ids_of(oldest[:2]), ids_of(oldest[2:4]), ids_of(oldest[4:]), ()]
    assert [reaped.requeued for reaped in found] == expected
    assert (await operation_in(store, lasting)).status is OperationStatus.RUNNING
    assert await status_counts_of(store) == {"PENDING": 5, "RUNNING": 1}


async def test_the_limit_is_for_those_taken_back_and_those_exhausted_together(store):
    once = await begun(store, 5, created_at=after(1))
    twice = await begun(store, 5, created_at=after(2))
    later = await begun(store, 5, created_at=after(3))
    await reap(store, 6)
    for operation, until in ((once, 9), (twice, 7), (later, 9)):
        await claimed(store, operation, a_lease(6, until=until))
    await reap(store, 8)
    await claimed(store, twice, a_lease(8, until=9))

    assert await reap(store, 10, attempts_max=3, limit=2) == Reaped(ids_of([once]), ids_of([twice]))
    assert await reap(store, 10, attempts_max=3, limit=2) == Reaped(ids_of([later]))


async def test_many_who_reap_at_once_take_each_operation_back_once(store):
    operations = [await begun(store, 5, created_at=after(n)) for n in range(20)]

    found = await asyncio.gather(*(reap(store, 10, limit=5) for _ in range(12)))
    found += [await reap(store, 10, limit=100)]

    assert sorted(one for reaped in found for one in reaped.requeued) == sorted(ids_of(operations))
    assert await status_counts_of(store) == {"PENDING": 20}
    assert {(await operation_in(store, operation)).attempt for operation in operations} == {1}


async def test_the_operations_of_other_tenants_are_left_alone(store):
    theirs = await begun(store, 5, tenant_id="theirs")
    waiting = an_operation(tenant_id="theirs")
    await store.operations.submit(waiting)

    assert await reap(store, 10) == Reaped()
    assert await expire(store, 10) == ()

    assert (await operation_in(store, theirs)).status is OperationStatus.RUNNING
    assert await operation_in(store, waiting) == waiting
    assert await status_counts_of(store, "theirs") == {"RUNNING": 1, "PENDING": 1}
    assert await reap(store, 10, tenant_id="theirs") == Reaped(ids_of([theirs]))


async def test_an_operation_that_nobody_came_for_fails_without_having_run(store):
    operation = an_operation(created_at=after(5))
    await store.operations.submit(operation)

    assert await expire(store, 5) == ()
    assert await expire(store, 5.000001, now=9) == ids_of([operation])

    assert await operation_in(store, operation) == replace(
        operation,
        status=OperationStatus.FAILED,
        finished_at=after(9),
        error=OperationError(EXPIRED, "nobody executed the operation in its time"),
    )
    assert await expire(store, 50) == ()
    assert await status_counts_of(store) == {"FAILED": 1}
    assert (await store.retention.remove(a_purge(operations_since(10)))).operations == 1


@pytest.mark.parametrize(
    "state", [started, lambda one: succeeded(started(one)), lambda one: failed(started(one))]
)
async def test_only_what_waits_expires(store, state):
    operation = state(an_operation())
    await submit_and_move(store, operation)

    assert await expire(store, 1_000) == ()

    assert await operation_in(store, operation) == operation


async def test_what_was_staged_before_an_operation_waited_in_vain_is_forgotten(store):
    operation = await begun(store, 5)
    await reap(store, 6)

    assert await expire(store, 7) == ids_of([operation])

    assert await staged_of(store, operation) == ()
    assert (await operation_in(store, operation)).scenarios_done == 1
    assert (await store.retention.remove(a_purge(operations_since(1_000)))).operations == 1


async def test_those_created_first_expire_first_and_so_many_at_once(store):
    operations = [an_operation(created_at=after(second)) for second in (3, 1, 2, 1, 5, 50)]
    for operation in operations:
        await store.operations.submit(operation)
    oldest = sorted(operations[:5], key=lambda operation: (operation.created_at, operation.operation_id))

    found = [await expire(store, 10, limit=2) for _ in range(4)]

    assert found == [ids_of(oldest[:2]), ids_of(oldest[2:4]), ids_of(oldest[4:]), ()]
    assert await status_counts_of(store) == {"FAILED": 5, "PENDING": 1}


async def test_many_who_expire_at_once_end_each_operation_once(store):
    operations = [an_operation(created_at=after(n)) for n in range(20)]
    for operation in operations:
        await store.operations.submit(operation)

    found = await asyncio.gather(*(expire(store, 50, limit=5) for _ in range(12)))
    found += [await expire(store, 50)]

    assert sorted(one for ids in found for one in ids) == sorted(ids_of(operations))
    assert await status_counts_of(store) == {"FAILED": 20}


async def test_an_operation_that_is_claimed_as_it_expires_does_one_of_both(store):
    operations = [an_operation() for _ in range(20)]
    for operation in operations:
        await store.operations.submit(operation)

    *claims, expired = await asyncio.gather(
        *(claimed(store, operation) for operation in operations), expire(store, 10), return_exceptions=True
    )

    begun_ids = {claim.operation.operation_id for claim in claims if not isinstance(claim, Exception)}
    assert begun_ids.isdisjoint(expired)
    assert begun_ids | set(expired) == set(ids_of(operations))


async def test_what_workers_are_to_run_waits_for_as_long_as_it_takes(emptied_postgres):
    store = await PostgresStore.open(emptied_postgres)
    try:
        queued, unqueued = an_operation(is_queued=True), an_operation(created_at=after(1))
        for operation in (queued, unqueued):
            await store.operations.submit(operation)

        assert await expire(store, 1_000_000, limit=1) == ids_of([unqueued])

        assert await operation_in(store, queued) == queued
    finally:
        await store.close()
