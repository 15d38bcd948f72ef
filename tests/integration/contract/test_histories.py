"""What is told of one thing has a bound on every store, and a cursor where more follows."""

from __future__ import annotations

import pytest

from service.domains.dpm_runs.values import DEFAULT_TENANT, RunStatus
from service.domains.idempotency import KeyScope
from service.domains.proposals.states import (
    TRANSITIONS,
    VERSION_EVENTS,
    ApprovalType,
    ProposalEventType,
    ProposalState,
)
from service.domains.retention.cutoffs import KEEP_ALL
from service.domains.values.pages import HISTORY_ROWS_MAX, PAGE_BYTES_MAX, all_of
from service.domains.workflow_decisions import WorkflowAction
from tests.integration.contract.builders import REVIEWED, a_verdict, after, an_admission, runs_since
from tests.integration.contract.proposal_builders import a_creation, a_new_version, a_step, an_approval

LIMIT = 3
LONG = 150_000
E = ProposalEventType


async def decided(store, count, comment=None):
    """The list of the decisions on a run that has so many, and their ids."""
    admission = an_admission(replay=False, status=RunStatus.PENDING_REVIEW)
    await store.dpm_runs.admit(admission, KEEP_ALL)
    run, ids = admission.run, []
    for _ in range(count):
        verdict = a_verdict(run, WorkflowAction.REQUEST_CHANGES, comment=comment)
        await store.workflow_decisions.decide(verdict, REVIEWED, KEEP_ALL)
        ids.append(verdict.decision_id)
    return (
        lambda **page: store.workflow_decisions.list_of_run(DEFAULT_TENANT, run.rebalance_run_id, **page),
        ids,
        lambda decision: decision.decision_id,
    )


async def keyed(store, count):
    """The history of a key that so many runs were recorded under."""
    ids = []
    for number in range(count):
        admission = an_admission(replay=False, idempotency_key="key-1", created_at=after(number // 2))
        await store.dpm_runs.admit(admission, KEEP_ALL)
        ids.append((admission.run.created_at, admission.run.rebalance_run_id))

    def listing(cutoff=KEEP_ALL, **page):
        return store.idempotency.list_history(DEFAULT_TENANT, KeyScope.DPM_SIMULATE, "key-1", cutoff, **page)

    return listing, [run_id for _, run_id in sorted(ids)], lambda use: use.rebalance_run_id


async def versioned(store, count, reason=None):
    """A proposal with so many versions, each by an event of its own."""
    change = a_creation(**({} if reason is None else {"event": {"reason": reason}}))
    await store.proposals.change(change)
    changes = [change]
    for _ in range(count - 1):
        change = a_new_version(change.proposal, event={} if reason is None else {"reason": reason})
        await store.proposals.change(change)
        changes.append(change)
    return changes


async def evented(store, count, reason=None):
    changes = await versioned(store, count, reason)
    proposal_id = changes[0].proposal.proposal_id
    return (
        lambda **page: store.proposals.list_events(DEFAULT_TENANT, proposal_id, **page),
        [change.event.event_id for change in changes],
        lambda event: event.event_id,
    )


async def with_versions(store, count):
    changes = await versioned(store, count)
    proposal_id = changes[0].proposal.proposal_id
    return (
        lambda **page: store.proposals.list_versions(DEFAULT_TENANT, proposal_id, **page),
        [change.version.proposal_version_id for change in changes],
        lambda version: version.proposal_version_id,
    )


async def approved(store, count):
    """A proposal with so many approvals, each of a version of its own."""
    change, ids = a_creation(), []
    await store.proposals.change(change)
    for _ in range(count):
        for act in (
            lambda proposal: a_step(proposal, E.SUBMITTED_FOR_RISK_REVIEW),
            lambda proposal: an_approval(proposal, ApprovalType.RISK),
            lambda proposal: a_new_version(proposal, state=ProposalState.DRAFT),
        ):
            change = act(change.proposal)
            await store.proposals.change(change)
            ids += [change.approval.approval_id] if change.approval else []
    proposal_id = change.proposal.proposal_id
    return (
        lambda **page: store.proposals.list_approvals(DEFAULT_TENANT, proposal_id, **page),
        ids,
        lambda approval: approval.approval_id,
    )


LISTS = {
    "decisions": decided,
    "history": keyed,
    "events": evented,
    "versions": with_versions,
    "approvals": approved,
}


@pytest.fixture(params=LISTS)
def make(request):
    return LISTS[request.param]


async def test_a_list_at_its_bound_is_whole(store, make):
    listing, ids, id_of = await make(store, LIMIT)

    page = await listing(limit=LIMIT, cursor=None)

    assert [id_of(row) for row in page.items] == ids
    assert page.next_cursor is None


async def test_what_is_beyond_the_bound_follows_its_cursor(store, make):
    listing, ids, id_of = await make(store, 2 * LIMIT + 1)

    first = await listing(limit=LIMIT, cursor=None)
    second = await listing(limit=LIMIT, cursor=first.next_cursor)
    third = await listing(limit=LIMIT, cursor=second.next_cursor)

    assert [[id_of(row) for row in page.items] for page in (first, second, third)] == [
        ids[:LIMIT],
        ids[LIMIT : 2 * LIMIT],
        ids[2 * LIMIT :],
    ]
    assert (first.next_cursor, third.next_cursor) == (ids[LIMIT - 1], None)
    # The last row has none behind it.
    assert await listing(limit=LIMIT, cursor=ids[-1]) == await listing(limit=LIMIT, cursor="nowhere")


async def test_an_unknown_cursor_and_one_of_another_list_give_an_empty_page(store, make):
    listing, _, _ = await make(store, 2)
    others = [await one(store, 2) for name, one in LISTS.items() if name != "history"]
    elsewhere = [ids[0] for _, ids, _ in others]

    for cursor in ("", "nowhere", "日本", *elsewhere):
        page = await listing(limit=LIMIT, cursor=cursor)
        assert (page.items, page.next_cursor) == ((), None), cursor


@pytest.mark.parametrize(
    "make",
    [
        lambda store, count: evented(store, count, b'{"a":"' + b"x" * LONG + b'"}'),
        lambda store, count: decided(store, count, "x" * LONG),
    ],
    ids=["events", "decisions"],
)
async def test_long_texts_end_a_page(store, make):
    listing, ids, id_of = await make(store, PAGE_BYTES_MAX // LONG + 3)

    first = await listing(limit=HISTORY_ROWS_MAX, cursor=None)
    rows = await all_of(listing)

    assert 1 < len(first.items) <= PAGE_BYTES_MAX // LONG
    assert first.next_cursor == id_of(first.items[-1])
    assert [id_of(row) for row in rows] == ids


async def test_what_has_expired_is_no_part_of_a_history_nor_a_cursor(store):
    listing, ids, id_of = await keyed(store, 4)

    page = await listing(cutoff=runs_since(1), limit=LIMIT, cursor=None)
    behind = await listing(cutoff=runs_since(1), limit=LIMIT, cursor=ids[0])

    assert [id_of(use) for use in page.items] == ids[2:]
    assert behind.items == ()


async def test_the_valid_approvals_are_those_since_the_current_version_came(store):
    change = a_creation()
    kept = [change]
    for act in (
        lambda proposal: a_step(proposal, E.SUBMITTED_FOR_RISK_REVIEW),
        lambda proposal: an_approval(proposal, ApprovalType.RISK),
        lambda proposal: a_new_version(proposal, state=kept[0].proposal.state),
        lambda proposal: a_step(proposal, E.SUBMITTED_FOR_COMPLIANCE_REVIEW),
        lambda proposal: an_approval(proposal, ApprovalType.COMPLIANCE),
        lambda proposal: an_approval(proposal, ApprovalType.CLIENT_CONSENT),
    ):
        kept.append(act(kept[-1].proposal))
    valid = []
    name = (DEFAULT_TENANT, change.proposal.proposal_id)

    for each in kept:
        await store.proposals.change(each)
        valid.append(len(await store.proposals.list_valid_approvals(*name)))

    assert valid == [0, 0, 1, 0, 0, 1, 2]
    approvals = await store.proposals.list_valid_approvals(*name)
    assert approvals == tuple(each.approval for each in kept[-2:])
    assert await store.proposals.list_valid_approvals(DEFAULT_TENANT, "nowhere") == ()


def test_no_transition_leads_back_so_valid_approvals_have_no_need_of_a_bound():
    """Without a new version a proposal comes into each state once."""
    assert not {event for _, event in TRANSITIONS} & VERSION_EVENTS
    followers = {}
    for (state, _), to_state in TRANSITIONS.items():
        followers.setdefault(state, set()).add(to_state)

    def ends(state, met):
        assert state not in met, state
        for following in followers.get(state, ()):
            ends(following, {*met, state})

    for state in followers:
        ends(state, frozenset())
