"""What requests with a key promise, whatever the backend: one act, and one answer for all of them."""

from __future__ import annotations

import asyncio

import pytest

from service.domains.dpm_runs.values import DEFAULT_TENANT, RunStatus
from service.domains.idempotency import AnswerScope
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.domains.values.pages import all_of
from service.domains.workflow_decisions import WorkflowAction
from service.errors.dpm_runs import RunNotFound
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.operations import OperationExists
from service.errors.workflow_decisions import DecisionExists, WorkflowInvalidTransition
from tests.integration.contract.builders import (
    OTHER_HASH,
    REVIEWED,
    a_purge,
    a_run,
    a_verdict,
    after,
    an_admission,
    an_answer,
    an_operation,
    claimed,
    ending_of,
    operations_since,
    runs_since,
    started,
    succeeded,
)
from tests.integration.contract.reading import operations_of

CALLERS = 200


async def keep_run(store, **fields):
    admission = an_admission(replay=False, status=RunStatus.PENDING_REVIEW, **fields)
    await store.dpm_runs.admit(admission, KEEP_ALL)
    return admission.run


async def decide(store, run, answer=None, cutoff=KEEP_ALL, **fields):
    answer = answer or an_answer(run.rebalance_run_id)
    return await store.workflow_decisions.decide_once(a_verdict(run, **fields), REVIEWED, cutoff, answer)


async def decisions_on(store, run):
    return await all_of(store.workflow_decisions.list_of_run, run.tenant_id, run.rebalance_run_id)


async def submit(store, operation_id, cutoff=KEEP_ALL, **fields):
    operation = an_operation(operation_id=operation_id)
    return await store.operations.submit_once(operation, an_answer(operation_id, **fields), cutoff)


async def end(store, operation_id, second=2):
    operation = an_operation(operation_id=operation_id)
    claim = await claimed(store, operation)
    await store.operations.finish(claim, ending_of(succeeded(started(operation), second)))


async def test_the_first_of_equal_decisions_is_taken_and_its_answer_given_to_all(store):
    run = await keep_run(store)
    first = an_answer(run.rebalance_run_id, answer=b"first")

    assert await decide(store, run, first) is None
    for again in (b"first", b"second"):
        assert await decide(store, run, an_answer(run.rebalance_run_id, answer=again)) == first

    assert len(await decisions_on(store, run)) == 1


async def test_another_request_under_the_key_is_refused_and_writes_nothing(store):
    run, other = await keep_run(store), await keep_run(store)
    await decide(store, run)

    with pytest.raises(IdempotencyKeyConflict):
        await decide(store, other, an_answer(other.rebalance_run_id, request_hash=OTHER_HASH))

    assert await decisions_on(store, other) == ()


async def test_of_many_equal_decisions_at_once_one_is_taken(store):
    run = await keep_run(store)
    asked = [an_answer(run.rebalance_run_id, answer=str(n).encode()) for n in range(CALLERS)]

    held = await asyncio.gather(*(decide(store, run, answer) for answer in asked))

    ((first, _),) = ((answer, one) for answer, one in zip(asked, held, strict=True) if one is None)
    assert [one for one in held if one is not None] == [first] * (CALLERS - 1)
    assert len(await decisions_on(store, run)) == 1


async def test_a_decision_that_is_refused_leaves_its_key_free(store):
    run = await keep_run(store)
    nowhere, answer = a_run(rebalance_run_id="rr_nowhere"), an_answer("rr_nowhere")
    await decide(store, run, an_answer(run.rebalance_run_id, idempotency_key="approve"))

    with pytest.raises(WorkflowInvalidTransition):
        await decide(store, run)
    with pytest.raises(RunNotFound):
        await decide(store, nowhere, answer)

    assert await decide(store, run, action=WorkflowAction.REJECT) is None


async def test_a_decision_whose_id_is_taken_leaves_its_key_free(store):
    run = await keep_run(store)
    (_, taken) = await store.workflow_decisions.decide(a_verdict(run), REVIEWED, KEEP_ALL)
    ways = {"action": WorkflowAction.REJECT}

    with pytest.raises(DecisionExists):
        await decide(store, run, decision_id=taken.decision_id, **ways)

    assert await decide(store, run, **ways) is None


async def test_a_replay_is_given_though_the_run_has_moved_on(store):
    run = await keep_run(store)
    await decide(store, run)
    await decide(
        store, run, an_answer(run.rebalance_run_id, idempotency_key="2"), action=WorkflowAction.REJECT
    )

    assert await decide(store, run) == an_answer(run.rebalance_run_id)


async def test_the_key_of_a_run_that_has_expired_is_free(store):
    old, young = await keep_run(store, created_at=after(1)), await keep_run(store, created_at=after(9))
    await decide(store, old)
    renewed = an_answer(young.rebalance_run_id, request_hash=OTHER_HASH)

    assert await decide(store, young, renewed, cutoff=runs_since(5)) is None

    assert await decide(store, young, renewed, cutoff=runs_since(5)) == renewed
    # Both keys, that of the simulations too, stand for the young run by now.
    assert (await store.retention.remove(a_purge(runs_since(5)))).keys == 0
    assert await decide(store, young, renewed) == renewed


async def test_equal_submissions_leave_one_operation(store):
    assert await submit(store, "dop_1") is None
    assert await submit(store, "dop_2") == an_answer("dop_1")

    with pytest.raises(IdempotencyKeyConflict):
        await submit(store, "dop_3", request_hash=OTHER_HASH)

    assert [one.operation_id for one in (await operations_of(store)).items] == ["dop_1"]


async def test_of_many_equal_submissions_at_once_one_is_accepted(store):
    held = await asyncio.gather(*(submit(store, f"dop_{n}") for n in range(CALLERS)))

    (kept,) = (await operations_of(store)).items
    assert held.count(None) == 1
    assert held.count(an_answer(kept.operation_id)) == CALLERS - 1


async def test_a_submission_whose_id_is_taken_leaves_its_key_free(store):
    await store.operations.submit(an_operation(operation_id="dop_1"))

    with pytest.raises(OperationExists):
        await submit(store, "dop_1")

    assert await submit(store, "dop_2") is None


async def test_the_key_of_an_operation_that_has_expired_is_free(store):
    await submit(store, "dop_1")
    assert await submit(store, "dop_2", operations_since(5)) == an_answer("dop_1")
    await end(store, "dop_1", second=2)
    renewed = {"request_hash": OTHER_HASH}

    held = await asyncio.gather(
        *(submit(store, f"dop_new_{n}", operations_since(5), **renewed) for n in range(20))
    )

    assert held.count(None) == 1
    (answer,) = {one.entity_id for one in held if one is not None}
    assert (await store.operations.get(DEFAULT_TENANT, answer, KEEP_ALL)).status.value == "PENDING"


async def test_each_family_has_keys_of_its_own(store):
    run = await keep_run(store)

    assert await decide(store, run) is None
    assert await submit(store, "dop_1") is None

    assert {family.value for family in AnswerScope} == {"DPM_WORKFLOW_ACTION", "DPM_ANALYZE_ASYNC"}


async def test_answers_go_with_what_they_are_about_and_are_counted(store):
    run = await keep_run(store)
    await decide(store, run)
    await submit(store, "dop_1")
    await end(store, "dop_1")

    removed = await store.retention.remove(a_purge(RetentionCutoff(after(50), after(50))))

    # That of the simulation, too.
    assert (removed.runs, removed.operations, removed.keys) == (1, 1, 3)
    assert await submit(store, "dop_2") is None
    assert await decide(store, await keep_run(store, created_at=after(60))) is None
