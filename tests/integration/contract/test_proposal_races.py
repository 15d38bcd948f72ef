"""Many who change proposals at once: one wins, and what is left has no gap; whatever the backend."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from service.domains.proposals.states import ApprovalType, ProposalEventType, ProposalState
from service.domains.values.pages import all_of
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.proposals import ProposalConcurrentUpdate
from tests.integration.contract.builders import OTHER_HASH
from tests.integration.contract.proposal_builders import (
    a_creation,
    a_new_version,
    a_step,
    an_approval,
    changes_to,
    under_key,
)
from tests.integration.contract.proposal_reading import keep, key_in, proposals_of, whole_after, whole_of

ROUNDS = 5
RIVALS = 8
# More revisions than a retry may need when each round has a winner.
TRIES_MAX = 100

# What four may want at once of one who awaits consent.
WISHES = (
    lambda proposal: an_approval(proposal, ApprovalType.CLIENT_CONSENT),
    lambda proposal: an_approval(proposal, ApprovalType.CLIENT_CONSENT, approved=False),
    lambda proposal: a_step(proposal, ProposalEventType.CANCELLED),
    lambda proposal: a_new_version(proposal),
)


async def all_at_once(store, changes):
    """The changes that were kept, and what the others came to."""
    answers = await asyncio.gather(*map(store.proposals.change, changes), return_exceptions=True)
    kept = [change for change, answer in zip(changes, answers, strict=True) if answer is None]
    return kept, [answer for answer in answers if answer is not None]


async def test_of_many_creations_under_one_key_one_is_kept_and_all_get_its_answer(store):
    for number in range(ROUNDS):
        asked = [a_creation(key=f"key-{number}") for _ in range(RIVALS)]

        (kept,), answers = await all_at_once(store, asked)

        assert answers == [kept.key] * (RIVALS - 1)
        assert await key_in(store, kept.key) == kept.key
        assert await whole_of(store, kept.proposal) == whole_after(kept)
        assert len((await proposals_of(store)).items) == number + 1


async def test_of_different_creations_under_one_key_one_is_kept_and_the_others_are_refused(store):
    for number in range(ROUNDS):
        asked = [a_creation(key=f"key-{number}", request_hash=f"{OTHER_HASH}{n}") for n in range(RIVALS)]

        (kept,), refusals = await all_at_once(store, asked)

        assert [type(refusal) for refusal in refusals] == [IdempotencyKeyConflict] * (RIVALS - 1)
        assert await whole_of(store, kept.proposal) == whole_after(kept)
        assert len((await proposals_of(store)).items) == number + 1


async def test_of_many_creations_with_one_id_one_is_kept(store):
    for number in range(ROUNDS):
        asked = [
            a_creation(proposal_id=f"pp_{number}", portfolio_id=f"pf-{n}", key=f"key-{number}-{n}")
            for n in range(RIVALS)
        ]

        (kept,), refusals = await all_at_once(store, asked)

        assert [type(refusal) for refusal in refusals] == [ProposalConcurrentUpdate] * (RIVALS - 1)
        assert await whole_of(store, kept.proposal) == whole_after(kept)
        keys = [await key_in(store, change.key) for change in asked]
        assert [key for key in keys if key is not None] == [kept.key]


@pytest.mark.parametrize("with_keys", [False, True])
async def test_of_many_changes_of_one_revision_one_is_kept(store, with_keys):
    for _ in range(ROUNDS):
        before = changes_to(ProposalState.AWAITING_CLIENT_CONSENT)
        await keep(store, *before)
        asked = [wish(before[-1].proposal) for wish in WISHES]
        if with_keys:
            asked = [under_key(change, f"key-{n}") for n, change in enumerate(asked)]

        (kept,), refusals = await all_at_once(store, asked)

        assert [type(refusal) for refusal in refusals] == [ProposalConcurrentUpdate] * 3
        assert await whole_of(store, kept.proposal) == whole_after(*before, kept)
        if with_keys:
            keys = [await key_in(store, change.key) for change in asked]
            assert [key for key in keys if key is not None] == [kept.key]


async def test_of_many_equal_acts_under_one_key_one_is_kept_and_all_get_its_answer(store):
    for _ in range(ROUNDS):
        creation = a_creation()
        await keep(store, creation)
        asked = [under_key(a_new_version(creation.proposal)) for _ in range(RIVALS)]

        (kept,), answers = await all_at_once(store, asked)

        assert answers == [kept.key] * (RIVALS - 1)
        assert await whole_of(store, creation.proposal) == whole_after(creation, kept)


async def test_many_who_decide_anew_when_it_moved_all_come_in_without_a_gap(store):
    creation = a_creation()
    await keep(store, creation)

    async def add_version(number):
        for _ in range(TRIES_MAX):
            current = await store.proposals.get(creation.proposal.tenant_id, creation.proposal.proposal_id)
            change = under_key(a_new_version(current, created_by=f"adviser-{number}"), f"key-{number}")
            try:
                assert await store.proposals.change(change) is None
            except ProposalConcurrentUpdate:
                continue
            return change
        raise AssertionError("nobody wins")

    added = await asyncio.gather(*map(add_version, range(RIVALS)))

    in_order = sorted(added, key=lambda change: change.proposal.revision)
    assert await whole_of(store, creation.proposal) == whole_after(creation, *in_order)
    assert [change.version.version_no for change in in_order] == list(range(2, RIVALS + 2))
    assert [await key_in(store, change.key) for change in added] == [change.key for change in added]


async def test_changes_of_different_proposals_do_not_hinder_each_other(store):
    creations = [a_creation(key=f"key-{n}") for n in range(RIVALS)]
    kept, answers = await all_at_once(store, creations)
    assert (kept, answers) == (creations, [])
    steps = [a_new_version(change.proposal) for change in creations]

    kept, answers = await all_at_once(store, steps)

    assert (kept, answers) == (steps, [])
    for creation, step in zip(creations, steps, strict=True):
        assert await whole_of(store, creation.proposal) == whole_after(creation, step)


async def test_a_reader_beside_writers_sees_states_that_fit_their_events(store):
    creation = a_creation()
    await keep(store, creation)
    changes = [creation]
    for _ in range(20):
        changes.append(a_new_version(changes[-1].proposal))

    async def read():
        name = (creation.proposal.tenant_id, creation.proposal.proposal_id)
        proposal = await store.proposals.get(*name)
        events = await all_of(store.proposals.list_events, *name)
        versions = await all_of(store.proposals.list_versions, *name)
        # Read one after the other, so what is read later may only have come on further.
        assert proposal == changes[proposal.revision - 1].proposal
        assert len(events) >= proposal.revision
        assert list(events) == [change.event for change in changes[: len(events)]]
        assert len(versions) >= len(events)

    async def write():
        await keep(store, *changes[1:])

    await asyncio.gather(write(), *(read() for _ in range(20)))

    assert await whole_of(store, creation.proposal) == whole_after(*changes)
    assert replace(changes[-1].proposal, revision=21) == changes[-1].proposal
