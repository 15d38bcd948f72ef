"""What lists of operations promise, whatever the backend."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import pytest_asyncio

from service.domains.operations import OperationFilter, OperationSummary
from service.domains.retention.cutoffs import KEEP_ALL
from tests.integration.contract.builders import (
    a_lease,
    a_purge,
    a_staged,
    after,
    an_operation,
    claimed,
    failed,
    head_of_operation,
    operations_since,
    runs_since,
    started,
    submit_and_move,
    succeeded,
)
from tests.integration.contract.reading import PAGES_MAX, newest_of, operations_of

FILTERS = [
    OperationFilter(created_from, created_to, operation_type, status, correlation_id)
    for (created_from, created_to), operation_type, status, correlation_id in itertools.product(
        [(None, None), (after(2), None), (None, after(3)), (after(1), after(4)), (after(3), after(3))],
        [None, "ANALYZE_SCENARIOS", "UNHEARD_OF"],
        [None, "PENDING", "RUNNING", "SUCCEEDED", "FAILED", "UNHEARD_OF"],
        [None, "corr-1", "corr-2", "nowhere"],
    )
]
# One for each query there is, and some that have more than one filter.
SOME_FILTERS = [
    OperationFilter(),
    OperationFilter(created_from=after(2), created_to=after(4)),
    OperationFilter(operation_type="ANALYZE_SCENARIOS"),
    OperationFilter(status="PENDING"),
    OperationFilter(correlation_id="corr-1"),
    OperationFilter(status="SUCCEEDED", correlation_id="corr-1"),
    OperationFilter(operation_type="UNHEARD_OF", status="PENDING"),
]
STATES = (
    lambda operation, second: operation,
    lambda operation, second: started(operation, second),
    lambda operation, second: succeeded(started(operation, second), second + 10),
    lambda operation, second: failed(started(operation, second), second + 20),
)


@pytest_asyncio.fixture
async def kept(store):
    """Heads of operations in every state, with two correlation ids, three to each instant; newest first."""
    operations = [
        STATES[n % 4](an_operation(correlation_id=f"corr-{n % 2 + 1}", created_at=after(n // 3)), n // 3)
        for n in range(15)
    ]
    for operation in operations:
        await submit_and_move(store, operation)
    await submit_and_move(store, started(an_operation(tenant_id="theirs", correlation_id="corr-1")))
    newest_first = sorted(operations, key=lambda one: (one.created_at, one.operation_id), reverse=True)
    return [head_of_operation(operation) for operation in newest_first]


async def all_pages_of(store, operations, limit, cutoff=KEEP_ALL):
    """The rows of all pages, which are full but for the last."""
    found, cursor = [], None
    for _ in range(PAGES_MAX):
        page = await operations_of(store, operations, limit=limit, cursor=cursor, cutoff=cutoff)
        found += page.items
        if page.next_cursor is None:
            return found
        assert len(page.items) == limit
        assert page.next_cursor == page.items[-1].operation_id
        cursor = page.next_cursor
    raise AssertionError("the pages do not end")


async def test_operations_are_listed_newest_first_as_heads(store, kept):
    page = await operations_of(store)

    assert list(page.items) == kept
    assert page.next_cursor is None
    assert {type(head) for head in page.items} == {OperationSummary}


async def test_each_combination_of_filters_lets_through_what_it_says(store, kept):
    for operations in FILTERS:
        expected = [head for head in kept if operations.matches(head)]

        assert list((await operations_of(store, operations)).items) == expected, operations
    shown = [sum(map(operations.matches, kept)) for operations in FILTERS]
    assert 0 in shown
    assert len(kept) in shown


@pytest.mark.parametrize("limit", [1, 2, 3, 15, 16])
async def test_pages_one_after_the_other_show_each_operation_once(store, kept, limit):
    for operations in SOME_FILTERS:
        expected = [head for head in kept if operations.matches(head)]

        assert await all_pages_of(store, operations, limit) == expected, operations


async def test_the_last_page_says_that_it_is(store, kept):
    whole = await operations_of(store, limit=15)
    first = await operations_of(store, limit=14)

    assert whole.next_cursor is None
    assert first.next_cursor == kept[13].operation_id


@pytest.mark.parametrize("cursor", ["", "nowhere", "'; --"])
async def test_a_cursor_that_names_nothing_leads_to_an_empty_page(store, kept, cursor):
    page = await operations_of(store, cursor=cursor)

    assert (page.items, page.next_cursor) == ((), None)


async def test_a_cursor_that_the_filter_does_not_let_through_leads_to_an_empty_page(store, kept):
    for operations in SOME_FILTERS[1:]:
        for head in kept:
            page = await operations_of(store, operations, cursor=head.operation_id)

            older = [one for one in kept[kept.index(head) + 1 :] if operations.matches(one)]
            assert list(page.items) == (older if operations.matches(head) else []), (operations, head)


async def test_a_cursor_of_another_tenant_leads_to_an_empty_page(store, kept):
    theirs = (
        await store.operations.list("theirs", OperationFilter(), limit=9, cursor=None, cutoff=KEEP_ALL)
    ).items

    page = await operations_of(store, cursor=theirs[0].operation_id)

    assert len(theirs) == 1
    assert page.items == ()


@pytest.mark.parametrize("second", [0, 11, 12, 12.5, 14, 22, 23.000001, 100])
@pytest.mark.parametrize("is_purged", [False, True])
async def test_what_has_expired_is_not_listed_before_its_purge_nor_after(store, kept, second, is_purged):
    cutoff = operations_since(second)
    if is_purged:
        await store.retention.remove(a_purge(cutoff))
    there = [head for head in kept if head.finished_at is None or head.finished_at >= after(second)]

    for operations in SOME_FILTERS:
        expected = [head for head in there if operations.matches(head)]
        assert await all_pages_of(store, operations, 2, cutoff) == expected, operations
    for head in (one for one in kept if one not in there):
        page = await operations_of(store, cursor=head.operation_id, cutoff=cutoff)
        assert page.items == ()


async def test_operations_are_listed_however_old_their_runs_may_be(store, kept):
    assert list((await operations_of(store, cutoff=runs_since(1_000))).items) == kept


async def test_an_operation_that_moves_keeps_its_place_and_shows_its_state(store):
    older, operation, newer = (an_operation(created_at=after(second)) for second in range(3))
    for one in (newer, operation, older):
        await store.operations.submit(one)

    claim = await claimed(store, operation, a_lease(5))
    await store.operations.stage(claim, [a_staged("a")], a_lease(6))

    running = head_of_operation(replace(started(operation, 5), scenarios_done=1))
    around = [head_of_operation(newer), running, head_of_operation(older)]
    assert list((await operations_of(store)).items) == around
    assert list((await operations_of(store, OperationFilter(status="RUNNING"))).items) == [running]
    assert list((await operations_of(store, OperationFilter(status="PENDING"))).items) == around[::2]
    await store.operations.release(claim, a_lease(7))
    assert len((await operations_of(store, OperationFilter(status="PENDING"))).items) == 3
    assert (await operations_of(store, OperationFilter(status="RUNNING"))).items == ()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_the_newest_operation_of_a_correlation_id_is_found(store, order):
    asked = [an_operation(created_at=after(1)), an_operation(created_at=after(1)), an_operation()]
    for position in order:
        await store.operations.submit(asked[position])
    await store.operations.submit(an_operation(correlation_id="other", created_at=after(9)))
    await store.operations.submit(an_operation(tenant_id="theirs", created_at=after(9)))

    assert await newest_of(store, "corr-op") == asked[1]
    assert await newest_of(store, "nowhere") is None
    listed = (await operations_of(store, OperationFilter(correlation_id="corr-op"))).items
    assert [head.operation_id for head in listed] == [asked[n].operation_id for n in (1, 0, 2)]


async def test_the_newest_operation_that_has_not_expired_is_found(store):
    older = an_operation(created_at=after(-5))
    newer = succeeded(started(an_operation()), 2)
    await submit_and_move(store, older)
    await submit_and_move(store, newer)

    assert await newest_of(store, "corr-op", operations_since(2)) == newer
    assert await newest_of(store, "corr-op", operations_since(3)) == older
