"""What removing promises, whatever the backend."""

from __future__ import annotations

import asyncio

import pytest

from service.domains.dpm_runs.artifacts import edge_of_artifact
from service.domains.dpm_runs.supportability import Subject
from service.domains.dpm_runs.values import DEFAULT_TENANT, Recorded, RunStatus, edges_of, mapping_of, use_of
from service.domains.operations import edge_of_operation
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.domains.retention.deletions import DeletedRows, DeletionRecord
from service.domains.values.pages import all_of
from service.errors.dpm_runs import RunNotFound
from service.errors.operations import OperationNotFound
from tests.integration.contract.builders import (
    REVIEWED,
    a_batch,
    a_purge,
    a_replay,
    a_verdict,
    after,
    an_admission,
    an_artifact,
    an_operation,
    operations_since,
    runs_since,
    started,
    submit_and_move,
    succeeded,
)
from tests.integration.contract.reading import (
    assert_absent,
    assert_run_absent,
    edges_at,
    history_of,
    key_of,
    runs_of,
    touching,
)


async def keep_run(store, **fields):
    admission = an_admission(**({"replay": False, "status": RunStatus.PENDING_REVIEW} | fields))
    await store.dpm_runs.admit(admission, KEEP_ALL)
    return admission.run


async def keep_ended(store, second, **fields):
    operation = an_operation(**fields)
    await submit_and_move(store, succeeded(started(operation), second))
    return operation


async def decide(store, run):
    verdict = a_verdict(run)
    return (await store.workflow_decisions.decide(verdict, REVIEWED, KEEP_ALL))[1]


async def records_of(store, tenant_id=DEFAULT_TENANT, limit=100):
    return await store.retention.list_records(tenant_id, limit=limit)


def record_of(purge, removed):
    return DeletionRecord(purge.purge_id, purge.tenant_id, purge.purged_at, purge.cutoff, removed)


async def test_while_nothing_has_expired_nothing_is_removed_and_nothing_recorded(store):
    run = await keep_run(store, created_at=after(5))
    operation = await keep_ended(store, 5)
    await store.operations.submit(an_operation(operation_id="dop_waiting"))

    for cutoff in (KEEP_ALL, runs_since(5), operations_since(5), RetentionCutoff(after(5), after(5))):
        assert await store.retention.remove(a_purge(cutoff)) == DeletedRows()

    assert await records_of(store) == ()
    assert await store.dpm_runs.get(DEFAULT_TENANT, run.rebalance_run_id, KEEP_ALL) == run
    assert (await store.operations.get(DEFAULT_TENANT, operation.operation_id, KEEP_ALL)).finished_at


async def test_an_expired_run_goes_with_all_that_belongs_to_it(store):
    run = await keep_run(store, artifact=True)
    decision = await decide(store, run)
    purge = a_purge(runs_since(1))

    removed = await store.retention.remove(purge)

    assert removed == DeletedRows(runs=1, requests=1, artifacts=1, decisions=1, keys=1, uses=1, edges=3)
    assert await records_of(store) == (record_of(purge, removed),)
    await assert_absent(store, run)
    assert await key_of(store, run) is None
    assert await history_of(store, run) == ()
    assert await all_of(store.workflow_decisions.list_of_run, DEFAULT_TENANT, run.rebalance_run_id) == ()
    assert await store.workflow_decisions.find_latest(DEFAULT_TENANT, run.rebalance_run_id) is None
    assert await edges_at(store, an_artifact(run).artifact_id) == ()
    summary = await store.supportability.summarise(DEFAULT_TENANT, KEEP_ALL)
    assert all(summary.total(subject) == 0 for subject in Subject)
    # Everything that was taken is free again.
    await store.dpm_runs.admit(
        an_admission(rebalance_run_id=run.rebalance_run_id, artifact=True, status=run.status), KEEP_ALL
    )
    assert await decide(store, run)
    assert decision.decision_no == 1


async def test_an_ended_operation_goes_with_its_edge(store):
    operation = await keep_ended(store, 5)
    waiting = an_operation()
    await store.operations.submit(waiting)
    purge = a_purge(operations_since(6))

    removed = await store.retention.remove(purge)

    assert removed == DeletedRows(operations=1, edges=1)
    assert await records_of(store) == (record_of(purge, removed),)
    with pytest.raises(OperationNotFound):
        await store.operations.get(DEFAULT_TENANT, operation.operation_id, KEEP_ALL)
    assert await edges_at(store, operation.operation_id) == ()
    assert await edges_at(store, "corr-op") == (edge_of_operation(waiting),)
    assert await store.operations.get(DEFAULT_TENANT, waiting.operation_id, KEEP_ALL) == waiting


async def test_an_operation_goes_without_the_runs_it_caused_and_they_without_it(store):
    first, second = await keep_ended(store, 5), await keep_ended(store, 5)
    of_first, of_second = (
        a_batch("a", cause_id=operation.operation_id, created_at=after(n))
        for n, operation in enumerate((first, second))
    )
    for batch in (of_first, of_second):
        await store.dpm_runs.admit_batch(batch)

    removed_runs = await store.retention.remove(a_purge(runs_since(1)))
    removed_operations = await store.retention.remove(a_purge(operations_since(6)))

    assert removed_runs == DeletedRows(runs=1, requests=1, edges=2)
    assert removed_operations == DeletedRows(operations=2, edges=2)
    (left,) = of_second.runs
    assert await edges_at(store, second.operation_id) == edges_of(left, cause_id=second.operation_id)[1:]
    assert await edges_at(store, first.operation_id) == ()


async def test_runs_and_operations_expire_each_by_their_own(store):
    run, operation = await keep_run(store, created_at=after(5)), await keep_ended(store, 5)

    removed = await store.retention.remove(a_purge(RetentionCutoff(after(5), after(6))))

    assert (removed.runs, removed.operations) == (0, 1)
    assert await store.dpm_runs.get(DEFAULT_TENANT, run.rebalance_run_id, KEEP_ALL) == run
    removed = await store.retention.remove(a_purge(RetentionCutoff(after(6), after(6))))
    assert (removed.runs, removed.operations) == (1, 0)
    with pytest.raises(OperationNotFound):
        await store.operations.get(DEFAULT_TENANT, operation.operation_id, KEEP_ALL)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
async def test_each_act_removes_the_oldest_up_to_its_limit(store, limit):
    runs = [await keep_run(store, created_at=after(second)) for second in (3, 1, 1, 5, 2)]
    for second in (3, 1, 4, 5, 2):
        await keep_ended(store, second)
    oldest = sorted(runs, key=lambda run: (run.created_at, run.rebalance_run_id))

    gone = 0
    while gone < len(runs):
        removed = await store.retention.remove(a_purge(RetentionCutoff(after(9), after(9)), limit=limit))

        step = min(limit, len(runs) - gone)
        gone += step
        assert removed == DeletedRows(
            runs=step,
            requests=step,
            keys=int(runs[-1] in oldest[gone - step : gone]),
            uses=step,
            edges=3 * step,
            operations=step,
        )
        left = [head.rebalance_run_id for head in (await runs_of(store)).items]
        assert left == [run.rebalance_run_id for run in reversed(oldest[gone:])]
    assert (
        await store.retention.remove(a_purge(RetentionCutoff(after(9), after(9)), limit=limit))
        == DeletedRows()
    )
    assert len(await records_of(store)) == -(-len(runs) // limit)


async def test_the_request_of_a_batch_goes_with_the_last_of_its_runs(store):
    batch = a_batch("a", "b", "c", sent_as="corr", artifacts=True)
    await store.dpm_runs.admit_batch(batch)
    purges = [a_purge(runs_since(1), limit=1) for _ in batch.runs]

    removed = [await store.retention.remove(purge) for purge in purges[:2]]

    assert removed == [DeletedRows(runs=1, artifacts=1, edges=3)] * 2
    sealed = await store.dpm_runs.get_sealed(DEFAULT_TENANT, batch.runs[2].rebalance_run_id, KEEP_ALL)
    assert sealed.request == batch.request
    assert (
        await store.dpm_runs.find_newest_batch(DEFAULT_TENANT, "corr", KEEP_ALL) == batch.request.request_id
    )
    last = await store.retention.remove(purges[2])
    assert last == DeletedRows(runs=1, requests=1, artifacts=1, edges=3)
    for run in batch.runs:
        await assert_absent(store, run)
    assert await edges_at(store, batch.cause_id) == ()
    assert await store.dpm_runs.find_newest_batch(DEFAULT_TENANT, "corr", KEEP_ALL) is None


async def test_a_request_shared_by_runs_that_expire_together_goes_once(store):
    batch = a_batch("a", "b", "c")
    await store.dpm_runs.admit_batch(batch)

    assert await store.retention.remove(a_purge(runs_since(1))) == DeletedRows(runs=3, requests=1, edges=6)


async def test_a_replay_outlives_its_original_with_its_request_and_its_edge(store):
    original = await keep_run(store, created_at=after(1))
    replay = a_replay(original, created_at=after(9), artifact=True)
    await store.dpm_runs.admit_replay(replay, KEEP_ALL)
    request = await store.dpm_runs.get_request(DEFAULT_TENANT, original.request_id)

    removed = await store.retention.remove(a_purge(runs_since(5)))

    run, first_id = replay.run, original.rebalance_run_id
    assert removed == DeletedRows(runs=1, keys=1, uses=1, edges=2)
    brought = edges_of(run, original_id=first_id)
    sealed = await store.dpm_runs.get_sealed(DEFAULT_TENANT, run.rebalance_run_id, runs_since(5))
    assert (sealed.run, sealed.request) == (run, request)
    assert await edges_at(store, first_id) == brought[1:]
    assert await edges_at(store, run.rebalance_run_id) == touching(
        run.rebalance_run_id, *brought, edge_of_artifact(replay.artifact)
    )
    assert await store.retention.remove(a_purge(runs_since(10))) == DeletedRows(
        runs=1, requests=1, artifacts=1, edges=3
    )
    assert await edges_at(store, first_id) == ()


async def test_an_original_outlives_a_replay_that_is_older(store):
    original = await keep_run(store, created_at=after(9))
    replay = a_replay(original, created_at=after(1))
    await store.dpm_runs.admit_replay(replay, KEEP_ALL)

    removed = await store.retention.remove(a_purge(runs_since(5)))

    assert removed == DeletedRows(runs=1, edges=2)
    await assert_run_absent(store, replay.run)
    assert await edges_at(store, original.rebalance_run_id) == touching(
        original.rebalance_run_id, *edges_of(original)
    )


@pytest.mark.parametrize("order", [(1, 9), (9, 1)])
async def test_a_live_run_that_shares_key_and_correlation_id_keeps_its_edges(store, order):
    runs = [await keep_run(store, correlation_id="corr", created_at=after(second)) for second in order]
    old, live = sorted(runs, key=lambda run: run.created_at)
    stands = await key_of(store, live)

    removed = await store.retention.remove(a_purge(runs_since(5)))

    assert removed == DeletedRows(runs=1, requests=1, keys=int(stands != mapping_of(live)), uses=1, edges=2)
    for entity_id in ("corr", "key-1", live.rebalance_run_id):
        assert await edges_at(store, entity_id) == touching(entity_id, *edges_of(live))
    assert await edges_at(store, old.rebalance_run_id) == ()
    assert await history_of(store, live) == (use_of(live),)
    assert await key_of(store, live) == (mapping_of(live) if stands == mapping_of(live) else None)


async def test_a_run_named_like_an_expired_runs_key_keeps_its_edges(store):
    live = await keep_run(store, rebalance_run_id="same", idempotency_key="other", created_at=after(9))
    await keep_run(store, rebalance_run_id="old", correlation_id="same", idempotency_key="same")
    operation = await keep_ended(store, 5, operation_id="old", correlation_id="same")

    removed = await store.retention.remove(a_purge(runs_since(5)))

    assert removed == DeletedRows(runs=1, requests=1, keys=1, uses=1, edges=2)
    assert await edges_at(store, "same") == touching("same", *edges_of(live), edge_of_operation(operation))
    assert await edges_at(store, "old") == (edge_of_operation(operation),)


async def test_a_key_renewed_after_its_run_expired_stays(store):
    old = await keep_run(store, created_at=after(1))
    new = an_admission(created_at=after(9))
    await store.dpm_runs.admit(new, runs_since(5))

    removed = await store.retention.remove(a_purge(runs_since(5)))

    assert removed == DeletedRows(runs=1, requests=1, uses=1, edges=2)
    assert await key_of(store, old) == mapping_of(new.run)
    assert await history_of(store, old) == (use_of(new.run),)


async def test_a_freed_key_can_be_used_for_any_request(store):
    await keep_run(store)
    await store.retention.remove(a_purge(runs_since(5)))
    again = an_admission(request_hash="sha256:" + "c" * 64, created_at=after(9))

    assert await store.dpm_runs.admit(again, KEEP_ALL) == Recorded(again.run, replayed=False)


async def test_a_purge_removes_what_is_its_tenants_only(store):
    for tenant_id in ("ours", "theirs"):
        await keep_run(store, tenant_id=tenant_id, rebalance_run_id="rr", artifact=True)
        await keep_ended(store, 5, tenant_id=tenant_id, operation_id="dop")
    purge = a_purge(RetentionCutoff(after(9), after(9)), tenant_id="ours")

    removed = await store.retention.remove(purge)

    assert (removed.runs, removed.operations, removed.edges) == (1, 1, 4)
    assert await records_of(store, "ours") == (record_of(purge, removed),)
    assert await records_of(store, "theirs") == ()
    assert await store.dpm_runs.get("theirs", "rr", KEEP_ALL)
    assert await store.artifacts.find("theirs", "rr", KEEP_ALL)
    assert await store.operations.get("theirs", "dop", KEEP_ALL)
    assert len(await edges_at(store, "rr", tenant_id="theirs")) == 3


async def test_records_are_listed_newest_first(store):
    purges = []
    for second in (3, 1, 5, 5):
        await keep_run(store)
        purges.append(a_purge(runs_since(1), purged_at=after(second)))
        await store.retention.remove(purges[-1])

    records = await records_of(store)

    third, first, fifth, fifth_too = (purge.purge_id for purge in purges)
    assert [record.purge_id for record in records] == [fifth_too, fifth, third, first]
    assert await records_of(store, limit=2) == records[:2]
    assert all(record.removed.runs == 1 for record in records)


async def test_what_expired_may_be_removed_by_many_at_once(store):
    runs = [await keep_run(store, created_at=after(n), idempotency_key=f"key-{n}") for n in range(30)]
    for n in range(10):
        await keep_ended(store, n + 1)
    purges = [a_purge(RetentionCutoff(after(20), after(100)), limit=7) for _ in range(12)]

    answers = await asyncio.gather(*(store.retention.remove(purge) for purge in purges))
    while (
        last := await store.retention.remove(a_purge(RetentionCutoff(after(20), after(100)), limit=7))
    ).anything:
        answers.append(last)

    done = [removed for removed in answers if removed is not None and removed.anything]
    assert sum(removed.runs for removed in done) == sum(removed.keys for removed in done) == 20
    assert sum(removed.edges for removed in done) == 2 * 20 + 10
    assert sum(removed.operations for removed in done) == 10
    records = await records_of(store)
    assert sorted(map(repr, (record.removed for record in records))) == sorted(map(repr, done))
    assert len((await runs_of(store)).items) == 10
    for run in runs[:20]:
        await assert_absent(store, run)


@pytest.mark.parametrize("attempt", range(3))
async def test_acts_beside_a_purge_find_their_run_or_do_not(store, attempt):
    runs = [await keep_run(store, created_at=after(n), idempotency_key=f"key-{n}") for n in range(12)]
    replays = [a_replay(run, created_at=after(100)) for run in runs]
    cutoff = runs_since(50)

    async def purge():
        removed = [await store.retention.remove(a_purge(cutoff, limit=4)) for _ in range(4)]
        return [one for one in removed if one is not None and one.anything]

    acts = [
        act
        for run, replay in zip(runs, replays, strict=True)
        for act in (
            store.dpm_runs.admit_replay(replay, KEEP_ALL),
            store.artifacts.keep(an_artifact(run)),
            store.workflow_decisions.decide(a_verdict(run), REVIEWED, KEEP_ALL),
            store.dpm_runs.admit(
                an_admission(idempotency_key=run.idempotency_key, created_at=after(100)), cutoff
            ),
        )
    ]
    *answers, removed = await asyncio.gather(*acts, purge(), return_exceptions=True)

    assert not isinstance(removed, Exception), removed
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert all(isinstance(one, RunNotFound) for one in refused), refused
    while (last := await store.retention.remove(a_purge(cutoff))).anything:
        removed.append(last)
    assert sum(one.runs for one in removed) == len(runs)
    for run in runs:
        assert (await key_of(store, run)).created_at == after(100)
    for replay, answer in zip(replays, answers[::4], strict=True):
        if answer is None:
            sealed = await store.dpm_runs.get_sealed(DEFAULT_TENANT, replay.run.rebalance_run_id, cutoff)
            assert sealed.request.request_id == replay.run.request_id
    summary = await store.supportability.summarise(DEFAULT_TENANT, cutoff)
    assert summary == await store.supportability.summarise(DEFAULT_TENANT, KEEP_ALL)
    assert summary.total(Subject.RUN_STATUS) == len((await runs_of(store)).items)
