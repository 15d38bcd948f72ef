"""What keys of acts on proposals promise, whatever the backend."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domains.proposals.states import ApprovalType, ProposalEventType
from service.domains.proposals.values import ProposalKeyScope
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.proposals import ProposalConcurrentUpdate, ProposalNotFound
from tests.integration.contract.builders import OTHER_HASH, after
from tests.integration.contract.proposal_builders import (
    a_creation,
    a_key,
    a_new_version,
    a_step,
    an_approval,
    under_key,
)
from tests.integration.contract.proposal_reading import keep, key_in, proposals_of, whole_after, whole_of
from tests.integration.contract.reading import edges_at

SUBMITTED = ProposalEventType.SUBMITTED_FOR_RISK_REVIEW

# An act of each family that has a proposal to begin with: the changes before it, and the act.
ACTS = {
    ProposalKeyScope.VERSION: lambda creation: ([creation], a_new_version(creation.proposal)),
    ProposalKeyScope.TRANSITION: lambda creation: ([creation], a_step(creation.proposal, SUBMITTED)),
    ProposalKeyScope.APPROVAL: lambda creation: (
        [creation, (submitted := a_step(creation.proposal, SUBMITTED))],
        an_approval(submitted.proposal, ApprovalType.RISK),
    ),
}


async def test_a_creation_repeated_under_its_key_gives_back_what_was_answered(store):
    first, again = a_creation(key="key-1"), a_creation(key="key-1", created_at=after(5))
    await keep(store, first)

    answer = await store.proposals.change(again)

    assert answer == first.key
    assert (await proposals_of(store)).items == (first.proposal,)
    assert await whole_of(store, first.proposal) == whole_after(first)
    assert await edges_at(store, again.version.artifact_id) == ()
    with pytest.raises(ProposalNotFound):
        await whole_of(store, again.proposal)


async def test_a_creation_of_another_request_under_a_taken_key_is_refused(store):
    first = a_creation(key="key-1")
    other = a_creation(key="key-1", request_hash=OTHER_HASH)
    await keep(store, first)

    with pytest.raises(IdempotencyKeyConflict):
        await store.proposals.change(other)

    assert (await proposals_of(store)).items == (first.proposal,)
    assert await key_in(store, first.key) == first.key
    assert await edges_at(store, other.version.artifact_id) == ()


@pytest.mark.parametrize("family", ACTS)
async def test_an_act_repeated_under_its_key_gives_back_what_was_answered(store, family):
    before, act = ACTS[family](a_creation())
    act = under_key(act)
    await keep(store, *before, act)
    # Decided anew on what the first left, and still the same act.
    again = under_key(a_new_version(act.proposal))
    again = replace(again, key=replace(again.key, family=family))

    assert await store.proposals.change(act) == act.key
    assert await store.proposals.change(again) == act.key

    assert await whole_of(store, act.proposal) == whole_after(*before, act)
    assert await key_in(store, act.key) == act.key
    assert act.key.family is family


@pytest.mark.parametrize("family", ACTS)
async def test_an_act_of_another_request_under_a_taken_key_is_refused(store, family):
    before, act = ACTS[family](a_creation())
    act = under_key(act)
    await keep(store, *before, act)
    other = under_key(a_new_version(act.proposal), request_hash=OTHER_HASH)
    other = replace(other, key=replace(other.key, family=family))

    with pytest.raises(IdempotencyKeyConflict):
        await store.proposals.change(other)

    assert await whole_of(store, act.proposal) == whole_after(*before, act)
    assert await key_in(store, act.key) == act.key


async def test_a_key_decides_before_the_revision_does(store):
    creation = a_creation()
    act = under_key(a_new_version(creation.proposal))
    await keep(store, creation, act, a_new_version(act.proposal))
    stale = under_key(a_new_version(creation.proposal))
    other = under_key(a_new_version(creation.proposal), request_hash=OTHER_HASH)

    assert await store.proposals.change(stale) == act.key
    with pytest.raises(IdempotencyKeyConflict):
        await store.proposals.change(other)


async def test_a_key_decides_before_the_ids_do(store):
    creation = a_creation(key="key-1")
    await keep(store, creation)

    assert await store.proposals.change(creation) == creation.key


async def test_one_name_is_another_key_in_every_family_and_scope(store):
    creation = a_creation(key="key-1")
    version = under_key(a_new_version(creation.proposal))
    step = under_key(a_step(version.proposal, SUBMITTED))
    approval = under_key(an_approval(step.proposal, ApprovalType.RISK))
    elsewhere = a_creation(key="key-2")
    others = under_key(a_new_version(elsewhere.proposal))

    await keep(store, creation, version, step, approval)
    await keep(store, elsewhere, others)

    keys = [change.key for change in (creation, version, step, approval, others)]
    assert {key.idempotency_key for key in keys} == {"key-1"}
    assert [await key_in(store, key) for key in keys] == keys


async def test_a_key_is_found_by_its_whole_name_only(store):
    creation = a_creation(key="key-1")
    await keep(store, creation)
    key = creation.key

    for wrong in (
        replace(key, tenant_id="theirs"),
        replace(key, family=ProposalKeyScope.VERSION),
        replace(key, scope=creation.proposal.proposal_id),
        replace(key, idempotency_key="key-2"),
        replace(key, idempotency_key=""),
    ):
        assert await key_in(store, wrong) is None
    assert await key_in(store, key) == key


async def test_acts_without_a_key_leave_none(store):
    creation = a_creation()
    await keep(store, creation)

    assert await key_in(store, a_key(creation)) is None


async def test_a_refused_act_leaves_its_key_free_for_another_request(store):
    creation = a_creation()
    await keep(store, creation, a_new_version(creation.proposal))
    stale = under_key(a_new_version(creation.proposal))
    with pytest.raises(ProposalConcurrentUpdate):
        await store.proposals.change(stale)

    current = (await proposals_of(store)).items[0]
    other = under_key(a_new_version(current), request_hash=OTHER_HASH)
    await keep(store, other)

    assert await key_in(store, stale.key) == other.key
