"""What lists of runs promise, whatever the backend."""

from __future__ import annotations

import itertools

import pytest

from service.domains.callers import DEFAULT_TENANT
from service.domains.dpm_runs.values import RunFilter, RunStatus
from service.domains.retention.cutoffs import KEEP_ALL
from service.domains.values.pages import Page, empty_page
from tests.integration.contract.builders import (
    AT,
    OTHER_HASH,
    a_batch,
    a_replay,
    after,
    an_admission,
    head_of,
    runs_since,
)
from tests.integration.contract.policy_builders import a_pack, a_policy
from tests.integration.contract.reading import PAGES_MAX, runs_of

# Two runs of one instant in every portfolio, so that every order needs the id.
MIXED = [
    {
        "portfolio_id": portfolio,
        "status": status,
        "request_hash": request_hash,
        "created_at": after(second),
        "policy": None if pack is None else a_policy(a_pack(pack)),
    }
    for portfolio, status, request_hash, second, pack in [
        ("pf-1", RunStatus.READY, OTHER_HASH, 3, None),
        ("pf-1", RunStatus.READY, OTHER_HASH, 3, "pack-1"),
        ("pf-1", RunStatus.BLOCKED, OTHER_HASH, 1, "pack-1"),
        ("pf-1", RunStatus.PENDING_REVIEW, "hash", 2, "pack-2"),
        ("pf-2", RunStatus.READY, OTHER_HASH, 2, "pack-1"),
        ("pf-2", RunStatus.READY, "hash", 2, "pack-1"),
        ("pf-2", RunStatus.BLOCKED, "hash", 4, None),
        ("pf-2", RunStatus.PENDING_REVIEW, "hash", 0, "pack-2"),
        ("pf-3", RunStatus.READY, "hash", 0, "pack-1"),
        ("pf-3", RunStatus.READY, "hash", 0, None),
    ]
]
STATUSES = [None, "READY", "PENDING_REVIEW", "BLOCKED", "ready", "", "UNHEARD_OF"]
PORTFOLIOS = [None, "pf-1", "pf-2", "pf-4"]
PACKS = [None, "pack-1", "pack-2", "pack-4"]
HASHES = [None, OTHER_HASH, "hash", "nowhere"]
BOUNDS = [(None, None), (after(2), None), (None, after(2)), (after(2), after(2)), (after(3), after(1))]
UNKNOWN_CURSORS = ["", " ", "nowhere", "%", "'; --", "日本", "2026-03-02T09:30:00+00:00", "null"]


async def keep_mixed(store):
    """Runs of every kind in an order of their own, as they are listed."""
    return [head_of(run) for run in await keep_runs(store)]


async def keep_runs(store):
    asked = [an_admission(replay=False, **fields) for fields in MIXED]
    for admission in asked[::2] + asked[1::2]:
        await store.dpm_runs.admit(admission, KEEP_ALL)
    return in_order(admission.run for admission in asked)


def listed(runs):
    return [head_of(run) for run in in_order(runs)]


def in_order(runs):
    return sorted(runs, key=lambda run: (run.created_at, run.rebalance_run_id), reverse=True)


def those_let_through(runs, kept):
    heads = [(head_of(run), run.policy_pack_id) for run in kept]
    return [head for head, policy_pack_id in heads if runs.matches(head, policy_pack_id)]


async def pages_of(store, runs, limit, cutoff=KEEP_ALL):
    cursor, pages = None, []
    for _ in range(PAGES_MAX):
        page = await runs_of(store, runs, limit=limit, cursor=cursor, cutoff=cutoff)
        pages.append(page)
        if page.next_cursor is None:
            return pages
        assert page.next_cursor == page.items[-1].rebalance_run_id
        cursor = page.next_cursor
    raise AssertionError("the pages do not end")


async def test_a_store_without_runs_lists_none(store):
    assert await runs_of(store) == empty_page()


async def test_runs_are_listed_newest_first_with_all_but_their_results(store):
    batch = a_batch("base", created_at=after(1))
    first = an_admission()
    replay = a_replay(first.run, created_at=after(2))
    await store.dpm_runs.admit_batch(batch)
    await store.dpm_runs.admit(first, KEEP_ALL)
    await store.dpm_runs.admit_replay(replay, KEEP_ALL)

    page = await runs_of(store)

    assert page == Page(tuple(map(head_of, (replay.run, batch.runs[0], first.run))), None)


@pytest.mark.parametrize(("created_from", "created_to"), BOUNDS)
async def test_every_filter_gives_the_rows_it_lets_through_on_pages_of_any_size(
    store, created_from, created_to
):
    kept = await keep_runs(store)

    for chosen in itertools.product(STATUSES, HASHES, PORTFOLIOS, PACKS):
        runs = RunFilter(created_from, created_to, *chosen)
        expected = those_let_through(runs, kept)
        for limit in (1, 3, 100):
            pages = await pages_of(store, runs, limit)

            assert [head for page in pages for head in page.items] == expected, runs
            assert len(pages) == max(1, -(-len(expected) // limit)), runs


async def test_a_full_last_page_says_that_nothing_follows(store):
    heads = await keep_mixed(store)

    exact = await runs_of(store, limit=len(heads))
    short = await runs_of(store, limit=len(heads) - 1)

    assert exact == Page(tuple(heads), None)
    assert short == Page(tuple(heads[:-1]), heads[-2].rebalance_run_id)


async def test_a_page_starts_after_any_row_whatever_the_limit_was_before(store):
    heads = await keep_mixed(store)

    for position, head in enumerate(heads):
        page = await runs_of(store, cursor=head.rebalance_run_id)

        assert page == Page(tuple(heads[position + 1 :]), None)


@pytest.mark.parametrize("cursor", UNKNOWN_CURSORS)
async def test_an_unknown_cursor_gives_an_empty_page(store, cursor):
    await keep_mixed(store)

    assert await runs_of(store, cursor=cursor) == empty_page()


async def test_a_cursor_of_another_tenant_gives_an_empty_page(store):
    await keep_mixed(store)
    theirs = an_admission(tenant_id="theirs")
    await store.dpm_runs.admit(theirs, KEEP_ALL)

    assert await runs_of(store, cursor=theirs.run.rebalance_run_id) == empty_page()


@pytest.mark.parametrize(
    "runs",
    [
        RunFilter(status="BLOCKED"),
        RunFilter(portfolio_id="pf-2"),
        RunFilter(request_hash=OTHER_HASH),
        RunFilter(policy_pack_id="pack-1"),
        RunFilter(created_from=after(3)),
        RunFilter(created_to=after(2)),
        RunFilter(status="READY", portfolio_id="pf-1", request_hash=OTHER_HASH, created_to=after(3)),
    ],
)
async def test_a_cursor_of_a_row_the_filter_holds_back_gives_an_empty_page(store, runs):
    kept = await keep_runs(store)
    expected = those_let_through(runs, kept)

    for head in map(head_of, kept):
        page = await runs_of(store, runs, cursor=head.rebalance_run_id)

        rest = expected[expected.index(head) + 1 :] if head in expected else []
        assert page == Page(tuple(rest), None)


async def test_rows_that_come_later_do_not_shift_the_pages(store):
    heads = await keep_mixed(store)
    first = await runs_of(store, limit=4)
    await store.dpm_runs.admit(an_admission(replay=False, created_at=after(9)), KEEP_ALL)

    second = await runs_of(store, cursor=first.next_cursor)

    assert second == Page(tuple(heads[4:]), None)


async def test_expired_runs_are_on_no_page(store):
    heads = await keep_mixed(store)

    for limit in (1, 3, 100):
        pages = await pages_of(store, RunFilter(created_from=after(1)), limit, runs_since(2))

        assert [head for page in pages for head in page.items] == [
            head for head in heads if head.created_at >= after(2)
        ]


async def test_a_cursor_of_an_expired_run_gives_an_empty_page(store):
    heads = await keep_mixed(store)

    for head in heads:
        page = await runs_of(store, cursor=head.rebalance_run_id, cutoff=runs_since(2))

        expired = head.created_at < after(2)
        rest = [later for later in heads[heads.index(head) + 1 :] if later.created_at >= after(2)]
        assert page == (empty_page() if expired else Page(tuple(rest), None))


async def test_a_list_shows_the_runs_of_its_tenant_only(store):
    heads = await keep_mixed(store)
    await store.dpm_runs.admit(an_admission(tenant_id="theirs"), KEEP_ALL)

    assert (await runs_of(store)).items == tuple(heads)


async def test_the_runs_of_a_cause_are_listed_by_scenario_and_then_id(store):
    batch = a_batch("b", "a", "Ö", "B", "a b", "é", "\U0001f3e6", "\uffff", cause_id="dop_1")
    again = a_batch("a", cause_id="dop_1")
    other = a_batch("a")
    for admission in (other, again, batch):
        await store.dpm_runs.admit_batch(admission)

    found = await store.dpm_runs.list_by_cause(DEFAULT_TENANT, "dop_1", KEEP_ALL)

    expected = sorted((*batch.runs, *again.runs), key=lambda run: (run.scenario, run.rebalance_run_id))
    assert found == tuple(map(head_of, expected))
    assert await store.dpm_runs.list_by_cause(DEFAULT_TENANT, other.cause_id, KEEP_ALL) == tuple(
        map(head_of, other.runs)
    )


async def test_a_batch_that_an_operation_ran_caused_nothing_itself(store):
    batch = a_batch("a", cause_id="dop_1")
    await store.dpm_runs.admit_batch(batch)

    assert await store.dpm_runs.list_by_cause(DEFAULT_TENANT, batch.request.request_id, KEEP_ALL) == ()
    assert await store.dpm_runs.list_by_cause(DEFAULT_TENANT, "nowhere", KEEP_ALL) == ()
    assert await store.dpm_runs.list_by_cause("theirs", "dop_1", KEEP_ALL) == ()


async def test_a_replay_is_not_among_the_runs_of_the_cause_of_its_original(store):
    batch = a_batch("a", cause_id="dop_1")
    await store.dpm_runs.admit_batch(batch)
    await store.dpm_runs.admit_replay(a_replay(batch.runs[0]), KEEP_ALL)

    assert await store.dpm_runs.list_by_cause(DEFAULT_TENANT, "dop_1", KEEP_ALL) == tuple(
        map(head_of, batch.runs)
    )


async def test_expired_runs_are_not_among_those_of_their_cause(store):
    for second in (1, 2, 3):
        await store.dpm_runs.admit_batch(a_batch(f"at {second}", cause_id="dop_1", created_at=after(second)))

    found = await store.dpm_runs.list_by_cause(DEFAULT_TENANT, "dop_1", runs_since(2))

    assert [head.scenario for head in found] == ["at 2", "at 3"]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_the_batch_last_sent_with_a_correlation_id_is_found(store, order):
    batches = [
        a_batch("a", sent_as="corr", created_at=after(1)),
        a_batch("a", sent_as="corr", created_at=after(1)),
        a_batch("a", sent_as="corr", created_at=AT),
    ]
    for position in order:
        await store.dpm_runs.admit_batch(batches[position])
    await store.dpm_runs.admit_batch(a_batch("a", sent_as="other", created_at=after(5)))
    await store.dpm_runs.admit_batch(a_batch("a", created_at=after(5)))

    found = await store.dpm_runs.find_newest_batch(DEFAULT_TENANT, "corr", KEEP_ALL)

    assert found == batches[1].request.request_id


async def test_a_correlation_id_that_no_batch_was_sent_with_finds_none(store):
    batch = a_batch("a", sent_as="corr")
    await store.dpm_runs.admit_batch(batch)
    await store.dpm_runs.admit(an_admission(correlation_id="of a run"), KEEP_ALL)

    for correlation_id in ("nowhere", "", "of a run", batch.runs[0].correlation_id):
        assert await store.dpm_runs.find_newest_batch(DEFAULT_TENANT, correlation_id, KEEP_ALL) is None
    assert await store.dpm_runs.find_newest_batch("theirs", "corr", KEEP_ALL) is None


async def test_an_expired_batch_is_not_found(store):
    batch = a_batch("a", sent_as="corr", created_at=after(1))
    await store.dpm_runs.admit_batch(batch)

    kept = await store.dpm_runs.find_newest_batch(DEFAULT_TENANT, "corr", runs_since(1))
    expired = await store.dpm_runs.find_newest_batch(DEFAULT_TENANT, "corr", runs_since(2))

    assert kept == batch.request.request_id
    assert expired is None
