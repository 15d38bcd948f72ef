"""What operations promise, whatever the backend."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from service.domains.dpm_runs import DEFAULT_TENANT
from service.domains.operations import OperationError, OperationStatus, edge_of_operation
from service.domains.retention import KEEP_ALL
from service.errors import OperationExists, OperationMoved, OperationNotFound
from tests.integration.contract.builders import (
    ODD_BYTES,
    a_purge,
    after,
    an_operation,
    failed,
    operations_since,
    runs_since,
    started,
    succeeded,
)
from tests.integration.contract.reading import edges_at

PENDING = an_operation(operation_id="dop_1")
STATES = {
    OperationStatus.PENDING: PENDING,
    OperationStatus.RUNNING: started(PENDING),
    OperationStatus.SUCCEEDED: succeeded(started(PENDING)),
    OperationStatus.FAILED: failed(started(PENDING)),
}
LEADS_TO = {
    OperationStatus.PENDING: (OperationStatus.RUNNING,),
    OperationStatus.RUNNING: (OperationStatus.SUCCEEDED, OperationStatus.FAILED),
    OperationStatus.SUCCEEDED: (),
    OperationStatus.FAILED: (),
}


async def operation_in(store, operation, horizon=KEEP_ALL):
    return await store.operations.get(operation.tenant_id, operation.operation_id, horizon)


async def newest_of(store, correlation_id, horizon=KEEP_ALL):
    return await store.operations.find_newest_by_correlation(DEFAULT_TENANT, correlation_id, horizon)


async def submit_and_move(store, operation):
    """Bring an operation to the state it is in, by the ways that lead there."""
    await store.operations.submit(
        replace(
            operation,
            status=OperationStatus.PENDING,
            started_at=None,
            finished_at=None,
            result=None,
            error=None,
        )
    )
    if operation.status is OperationStatus.PENDING:
        return
    await store.operations.advance(
        replace(operation, status=OperationStatus.RUNNING, finished_at=None, result=None, error=None)
    )
    if operation.status is not OperationStatus.RUNNING:
        await store.operations.advance(operation)


@pytest.mark.parametrize("status", OperationStatus)
async def test_an_operation_is_given_back_as_it_was_kept(store, status):
    operation = STATES[status]

    await submit_and_move(store, operation)

    assert await operation_in(store, operation) == operation
    assert await newest_of(store, operation.correlation_id) == operation
    assert await edges_at(store, operation.operation_id) == (edge_of_operation(operation),)
    assert await edges_at(store, operation.correlation_id) == (edge_of_operation(operation),)


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


@pytest.mark.parametrize("state", [started, succeeded, failed])
async def test_an_unknown_operation_cannot_move(store, state):
    await store.operations.submit(an_operation(tenant_id="theirs", operation_id="dop_1"))

    with pytest.raises(OperationNotFound):
        await store.operations.advance(state(started(PENDING)))

    with pytest.raises(OperationNotFound):
        await operation_in(store, PENDING)


@pytest.mark.parametrize("current", OperationStatus)
@pytest.mark.parametrize(
    "asked", [status for status in OperationStatus if status is not OperationStatus.PENDING]
)
async def test_an_operation_moves_on_only_from_the_state_before(store, current, asked):
    await submit_and_move(store, STATES[current])
    moved = replace(STATES[asked], started_at=after(5), finished_at=STATES[asked].finished_at and after(6))

    if asked in LEADS_TO[current]:
        await store.operations.advance(moved)
    else:
        with pytest.raises(OperationMoved):
            await store.operations.advance(moved)

    found = await operation_in(store, PENDING)
    assert found.status is (asked if asked in LEADS_TO[current] else current)
    if found.status is current:
        assert found == STATES[current]


async def test_what_was_asked_and_when_does_not_move(store):
    await submit_and_move(store, PENDING)

    await store.operations.advance(
        replace(started(PENDING), request=b"[]", correlation_id="other", created_at=after(-5))
    )

    assert await operation_in(store, PENDING) == started(PENDING)


async def test_of_many_who_start_an_operation_at_once_one_does(store):
    await store.operations.submit(PENDING)
    asked = [started(PENDING, seconds=n) for n in range(16)]

    answers = await asyncio.gather(
        *(store.operations.advance(operation) for operation in asked), return_exceptions=True
    )

    (winner,) = (operation for operation, answer in zip(asked, answers, strict=True) if answer is None)
    assert sum(isinstance(answer, OperationMoved) for answer in answers) == 15
    assert await operation_in(store, PENDING) == winner


async def test_of_many_who_end_an_operation_at_once_one_does(store):
    await submit_and_move(store, started(PENDING))
    ends = [succeeded(started(PENDING), n) if n % 2 else failed(started(PENDING), n) for n in range(2, 18)]

    answers = await asyncio.gather(
        *(store.operations.advance(operation) for operation in ends), return_exceptions=True
    )

    (winner,) = (operation for operation, answer in zip(ends, answers, strict=True) if answer is None)
    assert sum(isinstance(answer, OperationMoved) for answer in answers) == 15
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


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_the_newest_operation_of_a_correlation_id_is_found(store, order):
    asked = [an_operation(created_at=after(1)), an_operation(created_at=after(1)), an_operation()]
    for position in order:
        await store.operations.submit(asked[position])
    await store.operations.submit(an_operation(correlation_id="other", created_at=after(9)))
    await store.operations.submit(an_operation(tenant_id="theirs", created_at=after(9)))

    assert await newest_of(store, "corr-op") == asked[1]
    assert await newest_of(store, "nowhere") is None


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


async def test_the_newest_operation_that_has_not_expired_is_found(store):
    older = an_operation(created_at=after(-5))
    newer = succeeded(started(an_operation()), 2)
    await submit_and_move(store, older)
    await submit_and_move(store, newer)

    assert await newest_of(store, "corr-op", operations_since(2)) == newer
    assert await newest_of(store, "corr-op", operations_since(3)) == older


async def test_an_operation_that_outlives_its_time_can_still_be_ended(store):
    await submit_and_move(store, started(PENDING))
    assert not (await store.purges.remove(a_purge(operations_since(1_000_000)))).anything

    await store.operations.advance(succeeded(started(PENDING), 2_000_000))

    assert (await operation_in(store, PENDING)).result == ODD_BYTES


async def test_the_id_of_an_expired_operation_is_taken_and_cannot_move_until_it_is_removed(store):
    await submit_and_move(store, STATES[OperationStatus.FAILED])

    with pytest.raises(OperationExists):
        await store.operations.submit(PENDING)
    await store.purges.remove(a_purge(operations_since(100)))
    with pytest.raises(OperationNotFound):
        await store.operations.advance(started(PENDING))
    await store.operations.submit(PENDING)

    assert await operation_in(store, PENDING, operations_since(100)) == PENDING
