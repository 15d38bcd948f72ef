"""What keeping the differences of a shadow promises, whatever the backend."""

from __future__ import annotations

import pytest

from service.domains.dpm_runs.values import DEFAULT_TENANT
from service.domains.shadow_differences import Difference, DifferenceKind, ShadowDifferenceFilter
from tests.integration.contract.builders import after, an_id

ALL = ShadowDifferenceFilter()


def a_difference(second=0.0, **fields):
    given = {
        "difference_id": an_id("diff"),
        "tenant_id": DEFAULT_TENANT,
        "kind": DifferenceKind.OUTCOME,
        "act": "dpm_runs.admit",
        "entity_id": "rr_1",
        "place": "run.result",
        "primary_text": "READY · Zürich",
        "shadow_text": "BLOCKED",
        "found_at": after(second),
        "correlation_id": "corr_1",
    }
    return Difference(**(given | fields))


async def found(store, differences=ALL, *, limit=100, cursor=None, tenant_id=DEFAULT_TENANT):
    return await store.shadow_differences.list(tenant_id, differences, limit=limit, cursor=cursor)


async def counts_of(store, tenant_id=DEFAULT_TENANT):
    return (await store.shadow_differences.summarise(tenant_id)).counts


NONE = dict.fromkeys(DifferenceKind, 0)


async def test_a_difference_is_read_as_it_was_recorded(store):
    whole, bare = a_difference(1), a_difference(2, correlation_id=None, kind=DifferenceKind.MISSED)

    await store.shadow_differences.record([whole, bare])

    assert (await found(store)).items == (bare, whole)


async def test_recording_nothing_keeps_nothing(store):
    await store.shadow_differences.record([])

    assert (await found(store)).items == ()
    assert await counts_of(store) == NONE


async def test_a_difference_whose_id_is_taken_stays_as_it_is(store):
    kept = a_difference()
    await store.shadow_differences.record([kept])

    other = a_difference(5, difference_id=kept.difference_id)
    beside = a_difference(6)
    await store.shadow_differences.record([other, beside])

    assert (await found(store)).items == (beside, kept)


async def test_differences_are_counted_by_kind_and_every_kind_is_there(store):
    kinds = [DifferenceKind.MISSED, DifferenceKind.MISSED, DifferenceKind.FAILED]
    await store.shadow_differences.record([a_difference(kind=kind) for kind in kinds])

    assert await counts_of(store) == NONE | {DifferenceKind.MISSED: 2, DifferenceKind.FAILED: 1}


async def test_pages_follow_each_other_newest_first_and_equal_instants_by_id(store):
    kept = [a_difference(second) for second in (1, 2, 2, 2, 3)]
    await store.shadow_differences.record(kept)
    ordered = sorted(kept, key=lambda one: (one.found_at, one.difference_id), reverse=True)

    pages, cursor = [], None
    while True:
        page = await found(store, limit=2, cursor=cursor)
        pages += page.items
        cursor = page.next_cursor
        if cursor is None:
            break

    assert pages == ordered


async def test_a_filter_lets_through_one_kind_between_two_instants_both_included(store):
    missed = [a_difference(second, kind=DifferenceKind.MISSED) for second in (1, 2, 3, 4)]
    await store.shadow_differences.record([*missed, *(a_difference(second) for second in (2, 3))])

    chosen = ShadowDifferenceFilter(DifferenceKind.MISSED, after(2), after(3))

    assert (await found(store, chosen)).items == (missed[2], missed[1])
    assert len((await found(store, ShadowDifferenceFilter(None, after(2), after(3)))).items) == 4


async def test_a_cursor_the_filter_does_not_let_through_gives_an_empty_page(store):
    missed, differing = a_difference(2, kind=DifferenceKind.MISSED), a_difference(1)
    await store.shadow_differences.record([missed, differing])

    for cursor in (missed.difference_id, "diff_unknown"):
        page = await found(store, ShadowDifferenceFilter(DifferenceKind.OUTCOME), cursor=cursor)
        assert (page.items, page.next_cursor) == ((), None)


async def test_each_tenant_has_its_own(store):
    mine, yours = a_difference(), a_difference(tenant_id="other")
    await store.shadow_differences.record([mine, yours])

    assert (await found(store)).items == (mine,)
    assert (await found(store, tenant_id="other")).items == (yours,)
    assert (await counts_of(store, "other"))[DifferenceKind.OUTCOME] == 1


@pytest.mark.parametrize("limit", [1, 2, 10])
async def test_the_oldest_are_removed_up_to_the_limit(store, limit):
    kept = [a_difference(second) for second in (1, 2, 3, 4)]
    await store.shadow_differences.record(kept)

    removed = await store.shadow_differences.purge(DEFAULT_TENANT, found_before=after(3), limit=limit)

    assert removed == min(limit, 2)
    assert (await found(store)).items == tuple(reversed(kept[removed:]))
    assert (await counts_of(store))[DifferenceKind.OUTCOME] == 4 - removed


async def test_what_another_tenant_found_is_not_removed(store):
    yours = a_difference(tenant_id="other")
    await store.shadow_differences.record([yours])

    assert await store.shadow_differences.purge(DEFAULT_TENANT, found_before=after(9), limit=10) == 0
    assert (await found(store, tenant_id="other")).items == (yours,)
