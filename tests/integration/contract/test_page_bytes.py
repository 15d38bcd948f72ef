"""A page of a list is its limit or 4 MiB, whichever comes first, on every store."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from service.domains.callers import DEFAULT_TENANT
from service.domains.dpm_runs.values import RunStatus
from service.domains.retention.cutoffs import KEEP_ALL
from service.domains.values.pages import PAGE_BYTES_MAX, page_of, within_bytes
from service.domains.workflow_decisions import DecisionFilter, WorkflowAction
from service.storage.sql.proposals import lists
from tests.integration.contract.builders import REVIEWED, a_verdict, after, an_admission
from tests.integration.contract.proposal_builders import ALL_PROPOSALS, a_creation

LONG = 1_500_000
# So many of them are below the bound of a page.
FITTING = PAGE_BYTES_MAX // LONG
CHANGES = WorkflowAction.REQUEST_CHANGES


async def walked(read):
    """Every page of a list, from the first cursor to the last."""
    pages, cursor = [], None
    while True:
        page = await read(cursor)
        pages.append(page)
        cursor = page.next_cursor
        if cursor is None:
            return pages


def require_bounded(pages, wanted):
    assert [item for page in pages for item in page.items] == wanted
    for page in pages:
        assert page.items
        assert len(page.items) == 1 or len(msgspec.json.encode(page.items)) <= PAGE_BYTES_MAX + 100


async def created(store, texts):
    wanted = []
    for number, fields in enumerate(texts):
        creation = a_creation(created_at=after(number), **fields)
        await store.proposals.change(creation)
        wanted.append(await store.proposals.get(DEFAULT_TENANT, creation.proposal.proposal_id))
    return wanted[::-1]


async def test_a_page_of_long_proposals_ends_at_its_bytes(store, monkeypatch):
    wanted = await created(
        store,
        [{"title": "t" * LONG} for _ in range(5)]
        + [{"title": "short"}]
        + [{"title": None, "advisor_notes": "n" * LONG} for _ in range(3)],
    )
    read = []
    monkeypatch.setattr(lists, "find_proposal", noting(lists.find_proposal, read))

    pages = await walked(
        lambda cursor: store.proposals.list(DEFAULT_TENANT, ALL_PROPOSALS, limit=100, cursor=cursor)
    )

    require_bounded(pages, wanted)
    assert len(pages) > len(wanted) // (FITTING + 1)
    # A long text is read for a page that it is on, or that it ends.
    assert len(read) <= len(pages) * (FITTING + 2)


def noting(find, read):
    def noted(*args, **named):
        read.append(named or args)
        return find(*args, **named)

    return noted


async def test_a_proposal_that_is_longer_than_a_page_is_a_page_of_its_own(store):
    wanted = await created(
        store, [{"title": "a"}, {"title": "b" * (PAGE_BYTES_MAX + 1)}, {"title": "c" * (PAGE_BYTES_MAX + 1)}]
    )

    pages = await walked(
        lambda cursor: store.proposals.list(DEFAULT_TENANT, ALL_PROPOSALS, limit=100, cursor=cursor)
    )

    require_bounded(pages, wanted)
    assert [len(page.items) for page in pages] == [1, 1, 1]


async def test_a_page_of_long_comments_ends_at_its_bytes(store):
    admission = an_admission(status=RunStatus.PENDING_REVIEW)
    await store.dpm_runs.admit(admission, KEEP_ALL)
    wanted = []
    for number in range(7):
        verdict = replace(
            a_verdict(admission.run, action=CHANGES), comment="c" * LONG, decided_at=after(number)
        )
        _, decision = await store.workflow_decisions.decide(verdict, REVIEWED, KEEP_ALL)
        wanted.append(decision)

    pages = await walked(
        lambda cursor: store.workflow_decisions.list(
            DEFAULT_TENANT, DecisionFilter(), limit=200, cursor=cursor, cutoff=KEEP_ALL
        )
    )

    require_bounded(pages, wanted[::-1])
    assert len(pages) > 1


@pytest.mark.parametrize("size", [1, 20, 21, 41, 42, 43, 1_000])
def test_as_many_rows_as_fit_are_on_a_page(size):
    rows = ["x" * 8] * 4
    kept = within_bytes(rows, size)

    assert kept == tuple(rows[: len(kept)])
    assert len(kept) == 1 or len(msgspec.json.encode(kept)) <= size
    assert len(kept) == 4 or len(msgspec.json.encode(rows[: len(kept) + 1])) + 1 > size


def test_a_page_that_its_bytes_end_has_a_cursor():
    rows = ["x" * (PAGE_BYTES_MAX // 2)] * 3

    page = page_of(rows, 3, lambda row: "last")

    assert (len(page.items), page.next_cursor) == (1, "last")
