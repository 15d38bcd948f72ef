"""What admitting and finding runs promises, whatever the backend."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from service.domains.dpm_runs.artifacts import edge_of_artifact
from service.domains.dpm_runs.values import (
    DEFAULT_TENANT,
    Recorded,
    RecordRun,
    StoredRun,
    edges_of,
    mapping_of,
    use_of,
)
from service.domains.retention.cutoffs import KEEP_ALL
from service.domains.values.canonical import digest_of
from service.errors.dpm_runs import RunExists, RunNotFound
from service.errors.idempotency import IdempotencyKeyConflict
from tests.integration.contract.builders import (
    AT,
    ODD_BYTES,
    OTHER_HASH,
    a_batch,
    a_replay,
    a_request,
    after,
    an_admission,
    an_artifact,
    an_id,
    head_of,
    runs_since,
    with_run_id,
)
from tests.integration.contract.reading import (
    assert_absent,
    assert_run_absent,
    edges_at,
    history_of,
    key_of,
    touching,
)


async def newest_by_correlation(store, correlation_id, cutoff=KEEP_ALL):
    return await store.dpm_runs.get_newest_by_correlation(DEFAULT_TENANT, correlation_id, cutoff)


def lookups_of(store):
    """Every way to one run, each by an id of its own."""
    runs = store.dpm_runs
    return (
        runs.get,
        runs.get_head,
        runs.get_sealed,
        runs.get_newest_by_correlation,
        runs.get_newest_by_request_hash,
    )


async def test_an_admitted_run_is_given_back_as_it_was(store):
    admission = an_admission()

    answer = await store.dpm_runs.admit(admission, KEEP_ALL)

    run = admission.run
    assert answer == Recorded(run, replayed=False)
    assert await store.dpm_runs.get(run.tenant_id, run.rebalance_run_id, KEEP_ALL) == run
    assert await store.dpm_runs.get_newest_by_correlation(run.tenant_id, run.correlation_id, KEEP_ALL) == run
    assert await store.dpm_runs.get_head(run.tenant_id, run.rebalance_run_id, KEEP_ALL) == head_of(run)
    assert await store.dpm_runs.get_newest_by_request_hash(run.tenant_id, run.request_hash, KEEP_ALL) == run
    assert await key_of(store, run) == mapping_of(run)
    assert await history_of(store, run) == (use_of(run),)
    assert await edges_at(store, run.rebalance_run_id) == touching(run.rebalance_run_id, *edges_of(run))


async def test_a_run_is_kept_with_its_artifact(store):
    admission = an_admission(artifact=True)

    answer = await store.dpm_runs.admit(admission, KEEP_ALL)

    run = admission.run
    edges = (*edges_of(run), edge_of_artifact(admission.artifact))
    assert answer == Recorded(run, replayed=False)
    assert await store.artifacts.find(run.tenant_id, run.rebalance_run_id, KEEP_ALL) == admission.artifact
    assert await edges_at(store, run.rebalance_run_id) == touching(run.rebalance_run_id, *edges)


@pytest.mark.parametrize("request_hash", [None, OTHER_HASH])
async def test_a_request_that_is_not_recorded_leaves_no_artifact(store, request_hash):
    first = an_admission(artifact=False)
    again = an_admission(artifact=True, request_hash=request_hash or first.run.request_hash)
    await store.dpm_runs.admit(first, KEEP_ALL)

    with suppress(IdempotencyKeyConflict):
        await store.dpm_runs.admit(again, KEEP_ALL)

    await assert_absent(store, again.run)
    assert await store.artifacts.find(DEFAULT_TENANT, first.run.rebalance_run_id, KEEP_ALL) is None


async def test_a_sealed_run_has_its_request_and_the_digests_of_both(store):
    alone = an_admission(result=ODD_BYTES, body=ODD_BYTES)
    batch = a_batch("base", "rates up", sent_as="corr")
    await store.dpm_runs.admit(alone, KEEP_ALL)
    await store.dpm_runs.admit_batch(batch)

    for run, request in ((alone.run, alone.request), *((run, batch.request) for run in batch.runs)):
        sealed = await store.dpm_runs.get_sealed(DEFAULT_TENANT, run.rebalance_run_id, KEEP_ALL)

        assert sealed == StoredRun(run, digest_of(run.result), request, digest_of(request.body))


async def test_a_request_is_given_back_as_it_was_asked(store):
    admission, batch = an_admission(body=ODD_BYTES), a_batch("base")
    await store.dpm_runs.admit(admission, KEEP_ALL)
    await store.dpm_runs.admit_batch(batch)

    found = await store.dpm_runs.get_request(DEFAULT_TENANT, admission.run.request_id)
    found_batch = await store.dpm_runs.get_request(DEFAULT_TENANT, batch.request.request_id)

    assert found == admission.request
    assert found.body == ODD_BYTES
    assert found_batch == batch.request


async def test_bytes_and_names_beyond_ascii_come_back_unchanged(store):
    admission = an_admission(
        result=ODD_BYTES,
        body=ODD_BYTES,
        correlation_id="corr · Zürich 日本",
        idempotency_key="key · \N{BANK}",
        portfolio_id="Größe'; --",
        tenant_id="Genève",
    )
    await store.dpm_runs.admit(admission, KEEP_ALL)

    found = await store.dpm_runs.get_newest_by_correlation("Genève", "corr · Zürich 日本", KEEP_ALL)

    assert found == admission.run
    assert found.result == ODD_BYTES
    assert await key_of(store, found) == mapping_of(found)


@pytest.mark.parametrize("result", [b"", b'{"a":"\\u0000"}', b"{}" * 500_000], ids=["none", "nul", "large"])
async def test_a_result_of_any_size_comes_back_unchanged(store, result):
    admission = an_admission(result=result)
    await store.dpm_runs.admit(admission, KEEP_ALL)

    found = await store.dpm_runs.get(DEFAULT_TENANT, admission.run.rebalance_run_id, KEEP_ALL)

    assert found.result == result


async def test_the_last_microsecond_of_an_instant_is_kept(store):
    admission = an_admission(created_at=AT.replace(microsecond=1))
    await store.dpm_runs.admit(admission, KEEP_ALL)

    found = await store.dpm_runs.get(DEFAULT_TENANT, admission.run.rebalance_run_id, KEEP_ALL)

    assert found.created_at == AT + timedelta(microseconds=1)


async def test_a_repeated_request_is_answered_with_the_first_run_and_writes_nothing(store):
    first = an_admission(result=ODD_BYTES)
    again = an_admission(created_at=AT + timedelta(hours=1))
    await store.dpm_runs.admit(first, KEEP_ALL)

    answer = await store.dpm_runs.admit(again, KEEP_ALL)

    assert answer == Recorded(first.run, replayed=True)
    assert answer.run.result == ODD_BYTES
    await assert_absent(store, again.run)
    assert await key_of(store, first.run) == mapping_of(first.run)
    assert await history_of(store, first.run) == (use_of(first.run),)
    assert len(await edges_at(store, "key-1")) == 1


async def test_a_key_used_for_another_request_is_a_conflict_and_writes_nothing(store):
    first, other = an_admission(), an_admission(request_hash=OTHER_HASH)
    await store.dpm_runs.admit(first, KEEP_ALL)

    with pytest.raises(IdempotencyKeyConflict):
        await store.dpm_runs.admit(other, KEEP_ALL)

    await assert_absent(store, other.run)
    assert await key_of(store, first.run) == mapping_of(first.run)
    assert await history_of(store, first.run) == (use_of(first.run),)


async def test_without_replay_the_key_moves_and_its_history_grows(store):
    first = an_admission()
    second = an_admission(replay=False, request_hash=OTHER_HASH, created_at=AT + timedelta(seconds=1))
    await store.dpm_runs.admit(first, KEEP_ALL)

    answer = await store.dpm_runs.admit(second, KEEP_ALL)

    assert answer == Recorded(second.run, replayed=False)
    assert await key_of(store, second.run) == mapping_of(second.run)
    assert await history_of(store, second.run) == (use_of(first.run), use_of(second.run))
    assert await store.dpm_runs.get(DEFAULT_TENANT, first.run.rebalance_run_id, KEEP_ALL) == first.run


async def test_after_a_key_moved_its_newest_run_is_replayed(store):
    first, moved = an_admission(), an_admission(replay=False, request_hash=OTHER_HASH)
    await store.dpm_runs.admit(first, KEEP_ALL)
    await store.dpm_runs.admit(moved, KEEP_ALL)

    answer = await store.dpm_runs.admit(an_admission(request_hash=OTHER_HASH), KEEP_ALL)

    assert answer == Recorded(moved.run, replayed=True)
    with pytest.raises(IdempotencyKeyConflict):
        await store.dpm_runs.admit(an_admission(request_hash=first.run.request_hash), KEEP_ALL)


async def test_without_replay_the_same_request_is_recorded_again(store):
    asked = [an_admission(replay=False) for _ in range(3)]

    answers = [await store.dpm_runs.admit(admission, KEEP_ALL) for admission in asked]

    assert answers == [Recorded(admission.run, replayed=False) for admission in asked]
    assert await history_of(store, asked[0].run) == tuple(use_of(admission.run) for admission in asked)


@pytest.mark.parametrize("newest_first", [True, False])
async def test_a_shared_correlation_id_finds_the_run_created_last(store, newest_first):
    older = an_admission(correlation_id="corr", idempotency_key="k1", created_at=AT)
    newer = an_admission(
        correlation_id="corr", idempotency_key="k2", created_at=AT + timedelta(microseconds=1)
    )
    for admission in (newer, older) if newest_first else (older, newer):
        await store.dpm_runs.admit(admission, KEEP_ALL)

    found = await store.dpm_runs.get_newest_by_correlation(DEFAULT_TENANT, "corr", KEEP_ALL)

    assert found == newer.run


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_runs_of_one_instant_are_told_apart_by_their_ids(store, order):
    both = [an_admission(correlation_id="corr", idempotency_key=key) for key in ("k1", "k2")]
    for position in order:
        await store.dpm_runs.admit(both[position], KEEP_ALL)

    found = await store.dpm_runs.get_newest_by_correlation(DEFAULT_TENANT, "corr", KEEP_ALL)

    assert found == max((admission.run for admission in both), key=lambda run: run.rebalance_run_id)


@pytest.mark.parametrize("replay", [True, False])
async def test_a_taken_run_id_refuses_the_whole_act_and_leaves_the_key_free(store, replay):
    taken = an_admission()
    await store.dpm_runs.admit(taken, KEEP_ALL)
    clash = an_admission(
        replay=replay,
        rebalance_run_id=taken.run.rebalance_run_id,
        request_id=an_id("request"),
        correlation_id="corr-2",
        idempotency_key="key-2",
    )

    with pytest.raises(RunExists):
        await store.dpm_runs.admit(clash, KEEP_ALL)

    with pytest.raises(RunNotFound):
        await store.dpm_runs.get_request(DEFAULT_TENANT, clash.run.request_id)
    assert await edges_at(store, "corr-2") == ()
    assert await edges_at(store, "key-2") == ()
    assert await key_of(store, clash.run) is None
    assert await history_of(store, clash.run) == ()
    assert await store.dpm_runs.get(DEFAULT_TENANT, taken.run.rebalance_run_id, KEEP_ALL) == taken.run
    late = an_admission(idempotency_key="key-2")
    assert await store.dpm_runs.admit(late, KEEP_ALL) == Recorded(late.run, replayed=False)


async def test_a_taken_run_id_does_not_move_a_key_that_stands_for_a_run(store):
    taken, held = an_admission(idempotency_key="key-1"), an_admission(idempotency_key="key-2")
    await store.dpm_runs.admit(taken, KEEP_ALL)
    await store.dpm_runs.admit(held, KEEP_ALL)

    with pytest.raises(RunExists):
        await store.dpm_runs.admit(
            an_admission(replay=False, rebalance_run_id=taken.run.rebalance_run_id, idempotency_key="key-2"),
            KEEP_ALL,
        )

    assert await key_of(store, held.run) == mapping_of(held.run)
    assert await history_of(store, held.run) == (use_of(held.run),)


async def test_a_taken_request_id_refuses_the_whole_act(store):
    taken = an_admission()
    await store.dpm_runs.admit(taken, KEEP_ALL)
    clash = an_admission(request_id=taken.run.request_id, idempotency_key="key-2")

    with pytest.raises(RunExists):
        await store.dpm_runs.admit(clash, KEEP_ALL)

    with pytest.raises(RunNotFound):
        await store.dpm_runs.get(DEFAULT_TENANT, clash.run.rebalance_run_id, KEEP_ALL)
    assert await key_of(store, clash.run) is None
    assert await store.dpm_runs.get_request(DEFAULT_TENANT, taken.run.request_id) == taken.request


@pytest.mark.parametrize("artifacts", [True, False])
@pytest.mark.parametrize("cause_id", [None, "dop_1"])
async def test_a_batch_is_kept_with_all_that_belongs_to_it(store, cause_id, artifacts):
    batch = a_batch("base", "rates up", "Ölpreis", cause_id=cause_id, artifacts=artifacts, sent_as="corr")

    await store.dpm_runs.admit_batch(batch)

    assert await store.dpm_runs.get_request(DEFAULT_TENANT, batch.request.request_id) == batch.request
    for run in batch.runs:
        kept = an_artifact(run) if artifacts else None
        of_artifact = (edge_of_artifact(kept),) if kept else ()
        edges = (*edges_of(run, cause_id=batch.cause_id), *of_artifact)
        assert await store.dpm_runs.get(DEFAULT_TENANT, run.rebalance_run_id, KEEP_ALL) == run
        assert await newest_by_correlation(store, run.correlation_id) == run
        assert await store.artifacts.find(DEFAULT_TENANT, run.rebalance_run_id, KEEP_ALL) == kept
        assert await edges_at(store, run.rebalance_run_id) == touching(run.rebalance_run_id, *edges)


async def test_a_batch_without_runs_keeps_its_request(store):
    batch = a_batch()

    await store.dpm_runs.admit_batch(batch)

    assert await store.dpm_runs.get_request(DEFAULT_TENANT, batch.request.request_id) == batch.request


@pytest.mark.parametrize("position", [0, 1, 2])
async def test_one_taken_run_id_refuses_the_whole_batch(store, position):
    taken = an_admission()
    await store.dpm_runs.admit(taken, KEEP_ALL)
    batch = with_run_id(a_batch("a", "b", "c"), position, taken.run.rebalance_run_id)

    with pytest.raises(RunExists):
        await store.dpm_runs.admit_batch(batch)

    for run in batch.runs:
        if run.rebalance_run_id != taken.run.rebalance_run_id:
            await assert_run_absent(store, run)
        assert await edges_at(store, run.correlation_id) == ()
    assert await edges_at(store, batch.cause_id) == ()
    with pytest.raises(RunNotFound):
        await store.dpm_runs.get_request(DEFAULT_TENANT, batch.request.request_id)
    assert await store.dpm_runs.get(DEFAULT_TENANT, taken.run.rebalance_run_id, KEEP_ALL) == taken.run


async def test_a_batch_that_draws_one_run_id_twice_is_refused_whole(store):
    batch = a_batch("a", "b")
    doubled = with_run_id(batch, 1, batch.runs[0].rebalance_run_id)

    with pytest.raises(RunExists):
        await store.dpm_runs.admit_batch(doubled)

    await assert_run_absent(store, batch.runs[0])
    await store.dpm_runs.admit_batch(batch)
    assert await store.dpm_runs.get(DEFAULT_TENANT, batch.runs[1].rebalance_run_id, KEEP_ALL) == batch.runs[1]


async def test_a_taken_batch_id_refuses_the_second_batch(store):
    first, second = a_batch("a"), a_batch("a")
    await store.dpm_runs.admit_batch(first)
    runs = tuple(replace(run, request_id=first.request.request_id) for run in second.runs)

    with pytest.raises(RunExists):
        await store.dpm_runs.admit_batch(replace(second, request=first.request, runs=runs))

    await assert_run_absent(store, runs[0])


async def test_callers_with_one_key_at_once_leave_one_run(store):
    asked = [an_admission(created_at=AT + timedelta(microseconds=n)) for n in range(64)]

    answers = await asyncio.gather(*(store.dpm_runs.admit(admission, KEEP_ALL) for admission in asked))

    (kept,) = (answer.run for answer in answers if not answer.replayed)
    assert [answer.run for answer in answers] == [kept] * 64
    assert await history_of(store, kept) == (use_of(kept),)
    for admission in asked:
        if admission.run != kept:
            await assert_absent(store, admission.run)


async def test_of_different_requests_with_one_key_at_once_one_is_admitted(store):
    asked = [an_admission(request_hash=f"sha256:{n:064x}") for n in range(16)]

    answers = await asyncio.gather(
        *(store.dpm_runs.admit(admission, KEEP_ALL) for admission in asked), return_exceptions=True
    )

    (admitted,) = (answer for answer in answers if isinstance(answer, Recorded))
    assert not admitted.replayed
    assert sum(isinstance(answer, IdempotencyKeyConflict) for answer in answers) == 15
    assert await key_of(store, admitted.run) == mapping_of(admitted.run)
    for admission in asked:
        if admission.run != admitted.run:
            await assert_absent(store, admission.run)


async def test_batches_with_one_run_id_at_once_leave_one_batch(store):
    run_id = an_id("rr")
    asked = [with_run_id(a_batch("a", "b"), 1, run_id) for _ in range(8)]

    answers = await asyncio.gather(
        *(store.dpm_runs.admit_batch(batch) for batch in asked), return_exceptions=True
    )

    (kept,) = (batch for batch, answer in zip(asked, answers, strict=True) if answer is None)
    assert sum(isinstance(answer, RunExists) for answer in answers) == 7
    assert await store.dpm_runs.get(DEFAULT_TENANT, run_id, KEEP_ALL) == kept.runs[1]


async def test_an_unknown_run_is_not_found(store):
    await store.dpm_runs.admit(an_admission(), KEEP_ALL)

    for lookup in lookups_of(store):
        with pytest.raises(RunNotFound):
            await lookup(DEFAULT_TENANT, "nowhere", KEEP_ALL)
    with pytest.raises(RunNotFound):
        await store.dpm_runs.get_request(DEFAULT_TENANT, "nowhere")


async def test_a_run_is_not_found_by_another_tenant(store):
    run = an_admission(correlation_id="same", request_hash="same", rebalance_run_id="same").run
    await store.dpm_runs.admit(RecordRun(run, a_request(run), replay=True), KEEP_ALL)

    for lookup in lookups_of(store):
        with pytest.raises(RunNotFound):
            await lookup("other", "same", KEEP_ALL)
    with pytest.raises(RunNotFound):
        await store.dpm_runs.get_request("other", run.request_id)


async def test_two_tenants_may_draw_the_same_ids(store):
    ours = an_admission(tenant_id="ours")
    theirs = an_admission(tenant_id="theirs", rebalance_run_id=ours.run.rebalance_run_id, result=ODD_BYTES)

    answers = [await store.dpm_runs.admit(admission, KEEP_ALL) for admission in (ours, theirs)]

    assert answers == [Recorded(ours.run, replayed=False), Recorded(theirs.run, replayed=False)]
    assert await store.dpm_runs.get("ours", ours.run.rebalance_run_id, KEEP_ALL) == ours.run
    assert await store.dpm_runs.get("theirs", ours.run.rebalance_run_id, KEEP_ALL) == theirs.run


async def test_an_expired_run_is_found_in_no_way(store):
    run = an_admission(
        rebalance_run_id="same", correlation_id="same", request_hash="same", idempotency_key="same"
    ).run
    await store.dpm_runs.admit(RecordRun(run, a_request(run), replay=True), KEEP_ALL)

    for lookup in lookups_of(store):
        assert await lookup(DEFAULT_TENANT, "same", runs_since(0))
        with pytest.raises(RunNotFound):
            await lookup(DEFAULT_TENANT, "same", runs_since(0.000001))


async def test_the_newest_run_that_has_not_expired_is_found(store):
    at = [after(seconds) for seconds in (1, 3, 2)]
    asked = [an_admission(replay=False, correlation_id="corr", created_at=instant) for instant in at]
    for admission in asked:
        await store.dpm_runs.admit(admission, KEEP_ALL)

    assert await newest_by_correlation(store, "corr", runs_since(3)) == asked[1].run
    with pytest.raises(RunNotFound):
        await newest_by_correlation(store, "corr", runs_since(3.5))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_the_newest_run_of_a_request_hash_is_found(store, order):
    asked = [
        an_admission(replay=False, created_at=after(1), request_hash=OTHER_HASH),
        an_admission(replay=False, created_at=after(1), request_hash=OTHER_HASH),
        an_admission(replay=False, created_at=after(0), request_hash=OTHER_HASH),
    ]
    for position in order:
        await store.dpm_runs.admit(asked[position], KEEP_ALL)
    await store.dpm_runs.admit(an_admission(replay=False, created_at=after(2)), KEEP_ALL)

    found = await store.dpm_runs.get_newest_by_request_hash(DEFAULT_TENANT, OTHER_HASH, KEEP_ALL)

    assert found == asked[1].run


@pytest.mark.parametrize("request_hash", [None, OTHER_HASH])
async def test_a_key_whose_run_expired_is_free_for_any_request(store, request_hash):
    old = an_admission(created_at=after(0))
    new = an_admission(created_at=after(10), request_hash=request_hash or old.run.request_hash)
    await store.dpm_runs.admit(old, KEEP_ALL)

    answer = await store.dpm_runs.admit(new, runs_since(5))

    assert answer == Recorded(new.run, replayed=False)
    assert await key_of(store, new.run, runs_since(5)) == mapping_of(new.run)
    assert await history_of(store, new.run, runs_since(5)) == (use_of(new.run),)
    assert await history_of(store, new.run) == (use_of(old.run), use_of(new.run))
    assert await store.dpm_runs.admit(
        an_admission(created_at=after(11), request_hash=new.run.request_hash), runs_since(5)
    ) == Recorded(new.run, replayed=True)


@pytest.mark.parametrize("callers", [2, 8])
async def test_callers_with_a_key_whose_run_expired_leave_one_run(store, callers):
    old = an_admission(created_at=after(0))
    await store.dpm_runs.admit(old, KEEP_ALL)
    asked = [an_admission(created_at=after(10)) for _ in range(callers)]

    answers = await asyncio.gather(*(store.dpm_runs.admit(admission, runs_since(5)) for admission in asked))

    (kept,) = (answer.run for answer in answers if not answer.replayed)
    assert [answer.run for answer in answers] == [kept] * callers
    assert await key_of(store, kept) == mapping_of(kept)
    assert await history_of(store, kept, runs_since(5)) == (use_of(kept),)
    for admission in asked:
        if admission.run != kept:
            await assert_absent(store, admission.run)


async def test_callers_at_many_keys_whose_runs_expired_leave_one_run_each(store):
    keys = [f"key-{n}" for n in range(4)]
    for key in keys:
        await store.dpm_runs.admit(an_admission(idempotency_key=key), KEEP_ALL)
    asked = [an_admission(idempotency_key=key, created_at=after(10)) for key in keys * 4]

    answers = await asyncio.gather(*(store.dpm_runs.admit(admission, runs_since(5)) for admission in asked))

    kept = [answer.run for answer in answers if not answer.replayed]
    assert sorted(run.idempotency_key for run in kept) == keys
    assert {answer.run.rebalance_run_id for answer in answers} == {run.rebalance_run_id for run in kept}


async def test_the_id_of_an_expired_run_is_taken_until_it_is_removed(store):
    old = an_admission()
    await store.dpm_runs.admit(old, KEEP_ALL)

    with pytest.raises(RunExists):
        await store.dpm_runs.admit(
            an_admission(rebalance_run_id=old.run.rebalance_run_id, idempotency_key="key-2"), runs_since(5)
        )


@pytest.mark.parametrize("artifact", [True, False])
async def test_a_replay_is_kept_beside_its_original(store, artifact):
    original = an_admission()
    await store.dpm_runs.admit(original, KEEP_ALL)
    replay = a_replay(original.run, artifact=artifact, result=ODD_BYTES)

    await store.dpm_runs.admit_replay(replay, KEEP_ALL)

    run, first_id = replay.run, original.run.rebalance_run_id
    sealed = await store.dpm_runs.get_sealed(DEFAULT_TENANT, run.rebalance_run_id, KEEP_ALL)
    of_artifact = (edge_of_artifact(replay.artifact),) if replay.artifact else ()
    edges = (*edges_of(run, original_id=first_id), *of_artifact)
    assert sealed == StoredRun(run, digest_of(ODD_BYTES), original.request, digest_of(original.request.body))
    assert await store.artifacts.find(DEFAULT_TENANT, run.rebalance_run_id, KEEP_ALL) == replay.artifact
    assert await edges_at(store, run.rebalance_run_id) == touching(run.rebalance_run_id, *edges)
    assert await edges_at(store, first_id) == touching(first_id, *edges, *edges_of(original.run))
    assert await key_of(store, original.run) == mapping_of(original.run)
    assert await history_of(store, original.run) == (use_of(original.run),)


async def test_a_replay_of_a_replay_and_of_a_scenario_share_the_first_request(store):
    batch = a_batch("base")
    await store.dpm_runs.admit_batch(batch)
    once = a_replay(batch.runs[0])
    twice = a_replay(once.run)

    await store.dpm_runs.admit_replay(once, KEEP_ALL)
    await store.dpm_runs.admit_replay(twice, KEEP_ALL)

    sealed = await store.dpm_runs.get_sealed(DEFAULT_TENANT, twice.run.rebalance_run_id, KEEP_ALL)
    assert sealed.run == twice.run
    assert sealed.request == batch.request


@pytest.mark.parametrize("cutoff", [KEEP_ALL, runs_since(5)], ids=["unknown", "expired"])
async def test_a_replay_of_a_run_that_is_not_there_is_refused_and_writes_nothing(store, cutoff):
    original = an_admission()
    if cutoff is not KEEP_ALL:
        await store.dpm_runs.admit(original, KEEP_ALL)
    replay = a_replay(original.run, created_at=after(10))

    with pytest.raises(RunNotFound):
        await store.dpm_runs.admit_replay(replay, cutoff)

    await assert_run_absent(store, replay.run)


async def test_a_replay_with_a_taken_run_id_is_refused_and_writes_nothing(store):
    original, taken = an_admission(), an_admission(idempotency_key="key-2")
    await store.dpm_runs.admit(original, KEEP_ALL)
    await store.dpm_runs.admit(taken, KEEP_ALL)
    replay = a_replay(original.run, rebalance_run_id=taken.run.rebalance_run_id, artifact=True)

    with pytest.raises(RunExists):
        await store.dpm_runs.admit_replay(replay, KEEP_ALL)

    run_id, first_id = taken.run.rebalance_run_id, original.run.rebalance_run_id
    assert await store.dpm_runs.get(DEFAULT_TENANT, run_id, KEEP_ALL) == taken.run
    assert await store.artifacts.find(DEFAULT_TENANT, run_id, KEEP_ALL) is None
    assert await edges_at(store, run_id) == touching(run_id, *edges_of(taken.run))
    assert await edges_at(store, first_id) == touching(first_id, *edges_of(original.run))


async def test_another_tenants_run_cannot_be_replayed(store):
    original = an_admission(tenant_id="ours")
    await store.dpm_runs.admit(original, KEEP_ALL)

    with pytest.raises(RunNotFound):
        await store.dpm_runs.admit_replay(a_replay(original.run, tenant_id="theirs"), KEEP_ALL)
