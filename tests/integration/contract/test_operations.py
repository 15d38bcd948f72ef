"""What operations promise from their submission to their end, whatever the backend."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from service.domains.dpm_runs.values import DEFAULT_TENANT
from service.domains.operations import (
    MOVES,
    Claim,
    OperationError,
    OperationStatus,
    Reaped,
    edge_of_operation,
)
from service.errors.operations import LeaseLost, OperationExists, OperationNotFound, OperationNotPending
from tests.integration.contract.builders import (
    LONG_SECONDS,
    ODD_BYTES,
    a_lease,
    a_purge,
    a_staged,
    after,
    an_operation,
    claimed,
    ending_of,
    failed,
    operations_since,
    runs_since,
    started,
    submit_and_move,
    succeeded,
)
from tests.integration.contract.reading import edges_at, newest_of, operation_in, staged_of

PENDING = an_operation(operation_id="dop_1")
STATES = {
    OperationStatus.PENDING: PENDING,
    OperationStatus.RUNNING: started(PENDING),
    OperationStatus.SUCCEEDED: succeeded(started(PENDING)),
    OperationStatus.FAILED: failed(started(PENDING)),
}
LATE = after(LONG_SECONDS + 1)

# Each act with what it moves an operation from and to, and its refusal elsewhere, if it refuses.
ACTS = {
    "claim": (
        lambda store, claim: claimed(store, PENDING, a_lease(5)),
        OperationStatus.PENDING,
        OperationStatus.RUNNING,
        OperationNotPending,
    ),
    "extend": (
        lambda store, claim: store.operations.extend(claim, a_lease(5)),
        OperationStatus.RUNNING,
        OperationStatus.RUNNING,
        LeaseLost,
    ),
    "stage": (
        lambda store, claim: store.operations.stage(claim, [a_staged()], a_lease(5)),
        OperationStatus.RUNNING,
        OperationStatus.RUNNING,
        LeaseLost,
    ),
    "finish with a result": (
        lambda store, claim: store.operations.finish(claim, ending_of(succeeded(PENDING, 6))),
        OperationStatus.RUNNING,
        OperationStatus.SUCCEEDED,
        LeaseLost,
    ),
    "finish with an error": (
        lambda store, claim: store.operations.finish(claim, ending_of(failed(PENDING, 6))),
        OperationStatus.RUNNING,
        OperationStatus.FAILED,
        LeaseLost,
    ),
    "hand back": (
        lambda store, claim: store.operations.release(claim, a_lease(5)),
        OperationStatus.RUNNING,
        OperationStatus.PENDING,
        LeaseLost,
    ),
    "take back": (
        lambda store, claim: store.operations.reap(DEFAULT_TENANT, now=LATE, attempts_max=2, limit=9),
        OperationStatus.RUNNING,
        OperationStatus.PENDING,
        None,
    ),
    "exhaust": (
        lambda store, claim: store.operations.reap(DEFAULT_TENANT, now=LATE, attempts_max=1, limit=9),
        OperationStatus.RUNNING,
        OperationStatus.FAILED,
        None,
    ),
    "expire": (
        lambda store, claim: store.operations.expire(DEFAULT_TENANT, created_before=LATE, now=LATE, limit=9),
        OperationStatus.PENDING,
        OperationStatus.FAILED,
        None,
    ),
}


async def expired_unexecuted(store):
    """An operation that nobody came for."""
    await store.operations.submit(PENDING)
    await store.operations.expire(DEFAULT_TENANT, created_before=after(1), now=after(2), limit=1)
    return await operation_in(store, PENDING)


@pytest.mark.parametrize("status", OperationStatus)
async def test_an_operation_is_given_back_as_it_was_kept(store, status):
    operation = STATES[status]

    await submit_and_move(store, operation)

    assert await operation_in(store, operation) == operation
    assert await newest_of(store, operation.correlation_id) == operation
    assert await edges_at(store, operation.operation_id) == (edge_of_operation(operation),)
    assert await edges_at(store, operation.correlation_id) == (edge_of_operation(operation),)
    assert await staged_of(store, operation) == ()


@pytest.mark.parametrize("result", [b"", b'{"a":"\\u0000"}', b"{}" * 500_000], ids=["none", "nul", "large"])
async def test_a_result_of_any_size_comes_back_unchanged(store, result):
    operation = succeeded(started(an_operation(request=result)), result=result)

    await submit_and_move(store, operation)

    assert await operation_in(store, operation) == operation


async def test_an_error_comes_back_as_it_was_given(store):
    error = OperationError("KeyError", "'Zürich' · 日本\n\ttraceback'; --")
    operation = replace(failed(started(an_operation())), error=error)

    await submit_and_move(store, operation)

    assert (await operation_in(store, operation)).error == error


@pytest.mark.parametrize("status", OperationStatus)
async def test_a_taken_operation_id_is_refused_and_changes_nothing(store, status):
    operation = STATES[status]
    await submit_and_move(store, operation)

    with pytest.raises(OperationExists):
        await store.operations.submit(
            an_operation(operation_id=operation.operation_id, correlation_id="other", request=b"[]")
        )

    assert await operation_in(store, operation) == operation
    assert await edges_at(store, "other") == ()
    assert await newest_of(store, "other") is None


@pytest.mark.parametrize("name", ACTS)
async def test_an_unknown_operation_cannot_move(store, name):
    act, _, _, refusal = ACTS[name]
    claim = await submit_and_move(store, started(replace(PENDING, tenant_id="theirs")))
    theirs = await operation_in(store, claim.operation)

    if refusal is None:
        assert await act(store, Claim(PENDING, claim.fence)) in ((), Reaped())
    else:
        with pytest.raises(OperationNotFound if refusal is OperationNotPending else LeaseLost):
            await act(store, Claim(PENDING, claim.fence))

    assert await operation_in(store, claim.operation) == theirs
    with pytest.raises(OperationNotFound):
        await operation_in(store, PENDING)


@pytest.mark.parametrize("current", OperationStatus)
@pytest.mark.parametrize("name", ACTS)
async def test_an_operation_moves_on_only_from_the_state_before(store, current, name):
    act, leaves, reaches, refusal = ACTS[name]
    # One that was never begun is asked to move by who might be the first to begin it.
    claim = await submit_and_move(store, STATES[current]) or Claim(PENDING, 1)

    if current is leaves:
        await act(store, claim)
    elif refusal is None:
        assert await act(store, claim) in ((), Reaped())
    else:
        with pytest.raises(refusal):
            await act(store, claim)

    found = await operation_in(store, PENDING)
    assert found.status is (reaches if current is leaves else current)
    assert found.status is current or found.status in MOVES[current]
    if current is not leaves:
        assert found == STATES[current]
        assert await staged_of(store, PENDING) == ()


@pytest.mark.parametrize("name", ACTS)
async def test_one_that_expired_unexecuted_has_ended(store, name):
    act, _, _, refusal = ACTS[name]
    operation = await expired_unexecuted(store)

    if refusal is None:
        assert await act(store, Claim(PENDING, 0)) in ((), Reaped())
    else:
        with pytest.raises(refusal):
            await act(store, Claim(PENDING, 0))

    assert await operation_in(store, operation) == operation
    assert operation.started_at is None


def test_every_move_there_is_has_an_act():
    assert {(leaves, reaches) for _, leaves, reaches, _ in ACTS.values() if leaves is not reaches} == {
        (leaves, reaches) for leaves, all_reached in MOVES.items() for reaches in all_reached
    }


async def test_what_was_asked_and_when_does_not_move(store):
    claim = await submit_and_move(store, started(PENDING))
    mistaken = replace(claim.operation, request=b"[]", correlation_id="other", created_at=after(-5))

    await store.operations.finish(Claim(mistaken, claim.fence), ending_of(succeeded(mistaken)))

    assert await operation_in(store, PENDING) == succeeded(started(PENDING))


async def test_of_many_who_end_an_operation_at_once_one_does(store):
    claim = await submit_and_move(store, started(PENDING))
    ends = [succeeded(started(PENDING), n) if n % 2 else failed(started(PENDING), n) for n in range(2, 18)]

    answers = await asyncio.gather(
        *(store.operations.finish(claim, ending_of(end)) for end in ends), return_exceptions=True
    )

    (winner,) = (operation for operation, answer in zip(ends, answers, strict=True) if answer is None)
    assert sum(isinstance(answer, LeaseLost) for answer in answers) == 15
    assert await operation_in(store, PENDING) == winner


async def test_of_many_who_draw_one_operation_id_at_once_one_keeps_it(store):
    asked = [an_operation(operation_id="dop_1", correlation_id=f"corr-{n}") for n in range(8)]

    answers = await asyncio.gather(
        *(store.operations.submit(operation) for operation in asked), return_exceptions=True
    )

    (kept,) = (operation for operation, answer in zip(asked, answers, strict=True) if answer is None)
    assert sum(isinstance(answer, OperationExists) for answer in answers) == 7
    assert await operation_in(store, kept) == kept
    assert await edges_at(store, "dop_1") == (edge_of_operation(kept),)


@pytest.mark.parametrize("end", [succeeded, failed])
async def test_an_operation_expires_a_while_after_its_end(store, end):
    operation = end(started(PENDING), 5)
    await submit_and_move(store, operation)

    assert await operation_in(store, operation, operations_since(5)) == operation
    assert await operation_in(store, operation, runs_since(100)) == operation
    with pytest.raises(OperationNotFound):
        await operation_in(store, operation, operations_since(5.000001))
    assert await newest_of(store, operation.correlation_id, operations_since(5.000001)) is None


@pytest.mark.parametrize("status", [OperationStatus.PENDING, OperationStatus.RUNNING])
async def test_an_operation_that_has_not_ended_never_expires(store, status):
    await submit_and_move(store, STATES[status])

    assert await operation_in(store, PENDING, operations_since(1_000_000)) == STATES[status]
    assert await newest_of(store, PENDING.correlation_id, operations_since(1_000_000)) == STATES[status]


async def test_an_operation_that_outlives_its_time_can_still_be_ended(store):
    claim = await submit_and_move(store, started(PENDING))
    assert not (await store.retention.remove(a_purge(operations_since(1_000_000)))).anything

    await store.operations.finish(claim, ending_of(succeeded(PENDING, 2_000_000)))

    assert (await operation_in(store, PENDING)).result == ODD_BYTES


async def test_the_id_of_an_expired_operation_is_taken_and_cannot_move_until_it_is_removed(store):
    await submit_and_move(store, STATES[OperationStatus.FAILED])

    with pytest.raises(OperationExists):
        await store.operations.submit(PENDING)
    with pytest.raises(OperationNotPending):
        await claimed(store, PENDING)
    await store.retention.remove(a_purge(operations_since(100)))
    with pytest.raises(OperationNotFound):
        await claimed(store, PENDING)
    await store.operations.submit(PENDING)

    assert await operation_in(store, PENDING, operations_since(100)) == PENDING
