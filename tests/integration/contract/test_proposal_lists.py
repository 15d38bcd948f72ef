"""What lists of proposals promise, whatever the backend."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from service.domains.dpm_runs.values import DEFAULT_TENANT
from service.domains.proposals.states import ProposalEventType, ProposalState
from service.domains.proposals.values import ProposalFilter
from tests.integration.contract.builders import after
from tests.integration.contract.proposal_builders import a_creation, a_step, changes_to
from tests.integration.contract.proposal_reading import keep, proposals_of
from tests.integration.contract.reading import PAGES_MAX

FILTERS = [
    ProposalFilter(created_from, created_to, portfolio_id, state, created_by)
    for (created_from, created_to), portfolio_id, state, created_by in itertools.product(
        [(None, None), (after(2), None), (None, after(3)), (after(1), after(4)), (after(3), after(3))],
        [None, "pf-1", "pf-2", "nowhere"],
        [None, *(state.value for state in ProposalState), "UNHEARD_OF"],
        [None, "adviser-1", "adviser-2", "nobody"],
    )
]
# One for each query there is, and some that have more than one filter.
SOME_FILTERS = [
    ProposalFilter(),
    ProposalFilter(created_from=after(2), created_to=after(4)),
    ProposalFilter(portfolio_id="pf-1"),
    ProposalFilter(state="DRAFT"),
    ProposalFilter(created_by="adviser-1"),
    ProposalFilter(portfolio_id="pf-1", created_by="adviser-1"),
    ProposalFilter(portfolio_id="pf-2", state="EXECUTED"),
    ProposalFilter(state="CANCELLED", created_by="adviser-2"),
    ProposalFilter(state="UNHEARD_OF"),
]
STATES = list(ProposalState)


@pytest_asyncio.fixture
async def kept(store):
    """Proposals in every state, for two portfolios by two advisers, three to each instant; newest first."""
    proposals = [
        await keep(
            store,
            *changes_to(
                STATES[n % 9],
                portfolio_id=f"pf-{n % 2 + 1}",
                created_by=f"adviser-{n // 3 % 2 + 1}",
                created_at=after(n // 3),
            ),
        )
        for n in range(18)
    ]
    await keep(store, a_creation(tenant_id="theirs"))
    return sorted(proposals, key=lambda one: (one.created_at, one.proposal_id), reverse=True)


async def all_pages_of(store, proposals, limit):
    """The rows of all pages, which are full but for the last."""
    found, cursor = [], None
    for _ in range(PAGES_MAX):
        page = await proposals_of(store, proposals, limit=limit, cursor=cursor)
        found += page.items
        if page.next_cursor is None:
            return found
        assert len(page.items) == limit
        assert page.next_cursor == page.items[-1].proposal_id
        cursor = page.next_cursor
    raise AssertionError("the pages do not end")


async def test_proposals_are_listed_newest_first_as_they_are(store, kept):
    page = await proposals_of(store)

    assert list(page.items) == kept
    assert page.next_cursor is None
    assert {proposal.state for proposal in page.items} == set(ProposalState)


async def test_each_combination_of_filters_lets_through_what_it_says(store, kept):
    for proposals in FILTERS:
        expected = [proposal for proposal in kept if proposals.matches(proposal)]

        assert list((await proposals_of(store, proposals)).items) == expected, proposals
    shown = [sum(map(proposals.matches, kept)) for proposals in FILTERS]
    assert 0 in shown
    assert len(kept) in shown


@pytest.mark.parametrize("limit", [1, 2, 3, 18, 19])
async def test_pages_one_after_the_other_show_each_proposal_once(store, kept, limit):
    for proposals in SOME_FILTERS:
        expected = [proposal for proposal in kept if proposals.matches(proposal)]

        assert await all_pages_of(store, proposals, limit) == expected, proposals


async def test_the_last_page_says_that_it_is(store, kept):
    whole = await proposals_of(store, limit=18)
    first = await proposals_of(store, limit=17)

    assert whole.next_cursor is None
    assert first.next_cursor == kept[16].proposal_id


@pytest.mark.parametrize("cursor", ["", "nowhere", "'; --"])
async def test_a_cursor_that_names_nothing_leads_to_an_empty_page(store, kept, cursor):
    for proposals in SOME_FILTERS:
        page = await proposals_of(store, proposals, cursor=cursor)

        assert page.items == ()
        assert page.next_cursor is None


async def test_a_cursor_of_another_list_leads_to_an_empty_page(store, kept):
    for proposals in SOME_FILTERS:
        for foreign in (proposal for proposal in kept if not proposals.matches(proposal)):
            page = await proposals_of(store, proposals, cursor=foreign.proposal_id)

            assert page.items == (), (proposals, foreign)
            assert page.next_cursor is None


async def test_a_cursor_of_another_tenant_leads_to_an_empty_page(store, kept):
    theirs = await keep(store, a_creation(tenant_id="theirs", created_at=after(100)))

    page = await proposals_of(store, cursor=theirs.proposal_id)

    assert page.items == ()


async def test_a_proposal_that_moves_on_goes_from_one_list_to_another(store):
    creation = a_creation()
    await keep(store, creation)
    cursor = creation.proposal.proposal_id
    older = await keep(store, a_creation(created_at=after(-1)))
    assert (await proposals_of(store, ProposalFilter(state="DRAFT"), cursor=cursor)).items == (older,)

    moved = await keep(store, a_step(creation.proposal, ProposalEventType.CANCELLED))

    assert (await proposals_of(store, ProposalFilter(state="DRAFT"))).items == (older,)
    assert (await proposals_of(store, ProposalFilter(state="CANCELLED"))).items == (moved,)
    assert (await proposals_of(store, ProposalFilter(state="DRAFT"), cursor=cursor)).items == ()
    assert (await proposals_of(store, cursor=cursor)).items == (older,)


async def test_proposals_that_come_later_do_not_disturb_the_pages_before(store, kept):
    first = await proposals_of(store, limit=5)
    await keep(store, a_creation(created_at=after(100)))

    second = await proposals_of(store, limit=5, cursor=first.next_cursor)

    assert [*first.items, *second.items] == kept[:10]


async def test_each_tenant_sees_its_own(store, kept):
    page = await store.proposals.list("theirs", ProposalFilter(), limit=100, cursor=None)

    assert len(page.items) == 1
    assert page.items[0].tenant_id == "theirs"
    assert {proposal.tenant_id for proposal in kept} == {DEFAULT_TENANT}


async def test_a_bound_at_the_end_of_all_time_is_a_bound(store):
    await keep(store, a_creation())
    first, last = (at.replace(tzinfo=UTC) for at in (datetime.min, datetime.max))

    assert len((await proposals_of(store, ProposalFilter(first, last))).items) == 1
    assert (await proposals_of(store, ProposalFilter(None, first))).items == ()
    assert (await proposals_of(store, ProposalFilter(last))).items == ()
