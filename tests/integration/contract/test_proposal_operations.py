"""What an operation that ends with a change of a proposal promises, whatever the backend."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from service.domains.dpm_runs.supportability import Bounds, Subject
from service.domains.dpm_runs.values import DEFAULT_TENANT
from service.domains.operations import OperationFilter, OperationStatus, OperationType
from service.domains.retention.cutoffs import KEEP_ALL
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.operations import LeaseLost
from service.errors.proposals import ProposalConcurrentUpdate, ProposalNotFound
from tests.integration.contract.builders import (
    OTHER_HASH,
    a_lease,
    a_purge,
    a_staged,
    after,
    an_operation,
    ending_of,
    failed,
    head_of_operation,
    operations_since,
    started,
    submit_and_move,
    succeeded,
)
from tests.integration.contract.proposal_builders import (
    a_creation,
    a_new_version,
    edges_of,
    under_key,
)
from tests.integration.contract.proposal_reading import keep, key_in, proposals_of, whole_after, whole_of
from tests.integration.contract.reading import edges_at, operation_in, operations_of, staged_of, touching

OPERATION = an_operation(operation_id="dop_1", operation_type=OperationType.CREATE_PROPOSAL)
ENDED = succeeded(OPERATION)
STAGED = a_staged("a")


async def begun(store):
    """The claim of an operation that runs and has staged something."""
    claim = await submit_and_move(store, started(OPERATION))
    await store.operations.stage(claim, [STAGED], a_lease())
    return claim


async def assert_runs_still(store):
    operation = await operation_in(store, OPERATION)
    assert operation.status is OperationStatus.RUNNING
    assert operation.result is None
    assert await staged_of(store, operation) == (STAGED,)


@pytest.mark.parametrize("operation_type", OperationType)
async def test_an_operation_of_each_type_is_kept_and_listed_by_its_type(store, operation_type):
    operations = [an_operation(operation_type=one) for one in OperationType]
    for operation in operations:
        await store.operations.submit(operation)

    page = await operations_of(store, OperationFilter(operation_type=operation_type.value))

    (listed,) = (one for one in operations if one.operation_type is operation_type)
    assert page.items == (head_of_operation(listed),)
    assert await operation_in(store, listed) == listed


@pytest.mark.parametrize(
    "operation_type", [OperationType.CREATE_PROPOSAL, OperationType.CREATE_PROPOSAL_VERSION]
)
async def test_operations_of_proposals_are_neither_counted_nor_removed(store, operation_type):
    of_proposals = [
        state(an_operation(operation_type=operation_type, created_at=after(second)))
        for second in (-1, 9)
        for state in (
            lambda operation: operation,
            started,
            lambda operation: failed(started(operation)),
            lambda operation: succeeded(started(operation)),
        )
    ]
    analyses = [an_operation(), failed(started(an_operation(created_at=after(1))))]
    for operation in (*of_proposals, *analyses):
        await submit_and_move(store, operation)

    before = await store.supportability.summarise(DEFAULT_TENANT, KEEP_ALL)
    later = await store.supportability.summarise(DEFAULT_TENANT, operations_since(100))
    removed = await store.retention.remove(a_purge(operations_since(100)))

    assert before.counts[Subject.OPERATION_STATUS] == {"PENDING": 1, "FAILED": 1}
    assert before.operations == Bounds(after(0), after(1))
    assert later.counts[Subject.OPERATION_STATUS] == {"PENDING": 1}
    assert later.operations == Bounds(after(0), after(0))
    assert removed.operations == 1
    assert [await operation_in(store, operation) for operation in of_proposals] == of_proposals
    counted = await store.supportability.summarise(DEFAULT_TENANT, KEEP_ALL)
    assert counted.counts[Subject.OPERATION_STATUS] == {"PENDING": 1}
    assert counted.counts[Subject.LINEAGE_EDGE_TYPE] == {"OPERATION_TO_CORRELATION": len(of_proposals) + 1}


async def test_an_operation_ends_with_the_proposal_it_creates_in_one_act(store):
    claim = await begun(store)
    change = a_creation(key="key-1", cause_id="dop_1", created_at=after(2))

    assert await store.operations.finish(claim, ending_of(ENDED, change)) is None

    assert await operation_in(store, OPERATION) == succeeded(started(OPERATION))
    assert await staged_of(store, OPERATION) == ()
    assert await whole_of(store, change.proposal) == whole_after(change)
    assert await key_in(store, change.key) == change.key
    version_id = change.version.proposal_version_id
    assert await edges_at(store, version_id) == touching(version_id, *edges_of(change))
    assert {edge.source_entity_id for edge in await edges_at(store, "dop_1")} == {"dop_1", version_id}


async def test_an_operation_ends_with_the_version_it_adds_in_one_act(store):
    creation = a_creation()
    await keep(store, creation)
    claim = await begun(store)
    change = a_new_version(creation.proposal, cause_id="dop_1")

    assert await store.operations.finish(claim, ending_of(ENDED, change)) is None

    assert await operation_in(store, OPERATION) == succeeded(started(OPERATION))
    assert await whole_of(store, creation.proposal) == whole_after(creation, change)


async def test_a_key_that_was_taken_meanwhile_is_given_back_and_the_operation_runs_on(store):
    first, change = a_creation(key="key-1"), a_creation(key="key-1", cause_id="dop_1")
    claim = await begun(store)
    await keep(store, first)

    answer = await store.operations.finish(claim, ending_of(ENDED, change))

    assert answer == first.key
    await assert_runs_still(store)
    assert (await proposals_of(store)).items == (first.proposal,)
    assert await edges_at(store, change.version.artifact_id) == ()
    ended = succeeded(OPERATION, result=answer.answer)
    assert await store.operations.finish(claim, ending_of(ended)) is None
    assert (await operation_in(store, OPERATION)).result == first.key.answer


REFUSALS = {
    "another request has the key": (
        IdempotencyKeyConflict,
        lambda held: a_creation(key="key-1", request_hash=OTHER_HASH),
    ),
    "the proposal moved": (
        ProposalConcurrentUpdate,
        lambda held: under_key(a_new_version(replace(held.proposal, revision=3)), "key-2"),
    ),
    "the id is taken": (
        ProposalConcurrentUpdate,
        lambda held: a_creation(key="key-2", proposal_id=held.proposal.proposal_id),
    ),
    "the proposal is not there": (
        ProposalNotFound,
        lambda held: under_key(a_new_version(a_creation().proposal), "key-2"),
    ),
}


@pytest.mark.parametrize("reason", REFUSALS)
async def test_a_refused_change_leaves_nothing_and_the_operation_can_be_ended_otherwise(store, reason):
    refusal, change_after = REFUSALS[reason]
    held = a_creation(key="key-1")
    await keep(store, held)
    claim = await begun(store)
    change = change_after(held)

    with pytest.raises(refusal):
        await store.operations.finish(claim, ending_of(ENDED, change))

    await assert_runs_still(store)
    assert await whole_of(store, held.proposal) == whole_after(held)
    assert (await proposals_of(store)).items == (held.proposal,)
    assert await edges_at(store, change.version.artifact_id) == ()
    assert await key_in(store, change.key) in (None, held.key)
    assert await store.operations.finish(claim, ending_of(failed(OPERATION))) is None
    assert (await operation_in(store, OPERATION)).status is OperationStatus.FAILED


@pytest.mark.parametrize("reason", ["the key is free", "the key is taken", *REFUSALS])
async def test_who_lost_the_operation_changes_no_proposal(store, reason):
    held = a_creation(key="key-1")
    await keep(store, held)
    if reason in REFUSALS:
        change = REFUSALS[reason][1](held)
    else:
        change = a_creation(key="key-1" if reason == "the key is taken" else "key-2")
    claim = await begun(store)
    await store.operations.release(claim, a_lease())

    with pytest.raises(LeaseLost):
        await store.operations.finish(claim, ending_of(ENDED, change))

    assert (await proposals_of(store)).items == (held.proposal,)
    assert await key_in(store, change.key) in (None, held.key)
    assert (await operation_in(store, OPERATION)).status is OperationStatus.PENDING


async def test_of_an_operation_and_callers_at_once_under_one_key_one_creates_the_proposal(store):
    for number in range(5):
        operation = an_operation(operation_type=OperationType.CREATE_PROPOSAL)
        claim = await submit_and_move(store, started(operation))
        asked = [a_creation(key=f"key-{number}") for _ in range(4)]

        answers = await asyncio.gather(
            store.operations.finish(claim, ending_of(ENDED, asked[0])),
            *map(store.proposals.change, asked[1:]),
        )

        (kept,) = (change for change, answer in zip(asked, answers, strict=True) if answer is None)
        assert [answer for answer in answers if answer is not None] == [kept.key] * 3
        assert len((await proposals_of(store)).items) == number + 1
        status = (await operation_in(store, operation)).status
        assert status is (OperationStatus.SUCCEEDED if kept is asked[0] else OperationStatus.RUNNING)


async def test_of_operations_at_once_that_change_one_revision_one_ends(store):
    for _ in range(5):
        creation = a_creation()
        await keep(store, creation)
        claims = [await submit_and_move(store, started(an_operation())) for _ in range(4)]
        changes = [a_new_version(creation.proposal) for _ in claims]

        answers = await asyncio.gather(
            *(
                store.operations.finish(claim, ending_of(ENDED, change))
                for claim, change in zip(claims, changes, strict=True)
            ),
            return_exceptions=True,
        )

        (kept,) = (change for change, answer in zip(changes, answers, strict=True) if answer is None)
        assert sum(isinstance(answer, ProposalConcurrentUpdate) for answer in answers) == 3
        assert await whole_of(store, creation.proposal) == whole_after(creation, kept)
        ended = [(await operation_in(store, claim.operation)).has_ended for claim in claims]
        assert ended == [answer is None for answer in answers]
