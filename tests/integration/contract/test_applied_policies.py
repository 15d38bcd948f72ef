"""What a run and its key keep of the policy pack it was computed under, whatever the backend."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from service.domains.dpm_runs.values import DEFAULT_TENANT, Recorded, StoredRun, mapping_of, use_of
from service.domains.policy_packs import PackSource
from service.domains.rebalances.options import EngineOptions
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.domains.values.canonical import digest_of
from service.errors.dpm_runs import RunExists
from service.errors.idempotency import IdempotencyKeyConflict
from tests.integration.contract.builders import (
    OTHER_HASH,
    a_batch,
    a_purge,
    a_replay,
    after,
    an_admission,
    head_of,
    runs_since,
)
from tests.integration.contract.policy_builders import a_pack, a_policy
from tests.integration.contract.raw_databases import REFUSED, opened_beside
from tests.integration.contract.reading import assert_absent, history_of, key_of

STRICT, LOOSE = a_policy(a_pack("strict")), a_policy(a_pack("loose"))
LATER_STRICT = a_policy(a_pack("strict", version="2"))
PAIRS = [(STRICT, LOOSE), (STRICT, LATER_STRICT), (STRICT, None), (None, STRICT)]
EACH_PAIR = pytest.mark.parametrize(
    ("before", "then"), PAIRS, ids=["another pack", "another version", "no pack", "first no pack"]
)
STORED = (PackSource.REQUEST, PackSource.TENANT_DEFAULT, PackSource.GLOBAL_DEFAULT)


def lookups_of(store, run):
    at = (run.tenant_id, run.rebalance_run_id, KEEP_ALL)
    return (
        store.dpm_runs.get(*at),
        store.dpm_runs.get_newest_by_correlation(run.tenant_id, run.correlation_id, KEEP_ALL),
        store.dpm_runs.get_newest_by_request_hash(run.tenant_id, run.request_hash, KEEP_ALL),
    )


@pytest.mark.parametrize("replay", [True, False])
@pytest.mark.parametrize("source", STORED)
async def test_a_run_is_given_back_with_the_policy_it_was_computed_under(store, source, replay):
    policy = a_policy(source=source, max_turnover_pct=Decimal("0.10"))
    admission = an_admission(policy=policy, replay=replay)

    answer = await store.dpm_runs.admit(admission, KEEP_ALL)

    run = admission.run
    assert answer == Recorded(run, replayed=False)
    for lookup in lookups_of(store, run):
        found = await lookup
        assert found == run
        assert found.policy.read_options() == EngineOptions(max_turnover_pct=Decimal("0.10"))
    assert await store.dpm_runs.get_head(DEFAULT_TENANT, run.rebalance_run_id, KEEP_ALL) == head_of(run)
    sealed = await store.dpm_runs.get_sealed(DEFAULT_TENANT, run.rebalance_run_id, KEEP_ALL)
    assert sealed == StoredRun(run, digest_of(run.result), admission.request, digest_of(b'{"options":{}}'))


async def test_a_run_without_a_policy_is_given_back_without_one(store):
    admission = an_admission()
    await store.dpm_runs.admit(admission, KEEP_ALL)

    for lookup in lookups_of(store, admission.run):
        assert (await lookup).policy is None
    assert (await key_of(store, admission.run)).policy_hash is None


async def test_names_of_packs_beyond_ascii_come_back_unchanged(store):
    policy = replace(a_policy(a_pack("Größe'; --", version="")), options=b'{"note":"\\u0000"}')
    admission = an_admission(policy=policy)
    await store.dpm_runs.admit(admission, KEEP_ALL)

    found = await store.dpm_runs.get(DEFAULT_TENANT, admission.run.rebalance_run_id, KEEP_ALL)

    assert found.policy == policy


async def test_the_runs_of_a_batch_keep_their_policy(store):
    batch = a_batch("base", "rates up", policy=STRICT, artifacts=True)

    await store.dpm_runs.admit_batch(batch)

    for run in batch.runs:
        assert run.policy == STRICT
        assert await store.dpm_runs.get(DEFAULT_TENANT, run.rebalance_run_id, KEEP_ALL) == run
        sealed = await store.dpm_runs.get_sealed(DEFAULT_TENANT, run.rebalance_run_id, KEEP_ALL)
        assert sealed.run == run


async def test_a_replay_keeps_the_policy_of_its_original(store):
    first = an_admission(policy=STRICT)
    await store.dpm_runs.admit(first, KEEP_ALL)
    replay = a_replay(first.run)

    await store.dpm_runs.admit_replay(replay, KEEP_ALL)

    found = await store.dpm_runs.get(DEFAULT_TENANT, replay.run.rebalance_run_id, KEEP_ALL)
    assert found == replay.run
    assert found.policy == STRICT
    assert await key_of(store, first.run) == mapping_of(first.run)


async def test_a_key_says_under_which_pack_it_was_used(store):
    admission = an_admission(policy=STRICT)
    await store.dpm_runs.admit(admission, KEEP_ALL)

    held = await key_of(store, admission.run)

    assert held == mapping_of(admission.run)
    assert held.policy_hash == STRICT.content_hash


async def test_a_repeated_request_under_the_same_pack_is_answered_with_the_first_run(store):
    first = an_admission(policy=STRICT)
    # Why the pack was chosen is not what was asked for.
    again = an_admission(policy=replace(STRICT, source=PackSource.TENANT_DEFAULT), created_at=after(3600))
    await store.dpm_runs.admit(first, KEEP_ALL)

    answer = await store.dpm_runs.admit(again, KEEP_ALL)

    assert answer == Recorded(first.run, replayed=True)
    await assert_absent(store, again.run)
    assert await key_of(store, first.run) == mapping_of(first.run)


@EACH_PAIR
async def test_a_repeated_request_under_another_pack_is_a_conflict_and_writes_nothing(store, before, then):
    first, other = an_admission(policy=before), an_admission(policy=then)
    another = an_admission(policy=then, request_hash=OTHER_HASH)
    await store.dpm_runs.admit(first, KEEP_ALL)

    with pytest.raises(IdempotencyKeyConflict, match="effective policy pack differs"):
        await store.dpm_runs.admit(other, KEEP_ALL)
    with pytest.raises(IdempotencyKeyConflict, match="request hash mismatch"):
        await store.dpm_runs.admit(another, KEEP_ALL)

    await assert_absent(store, other.run)
    assert await key_of(store, first.run) == mapping_of(first.run)
    assert await history_of(store, first.run) == (use_of(first.run),)


@EACH_PAIR
async def test_without_replay_a_key_moves_to_the_other_pack(store, before, then):
    first, second = an_admission(policy=before), an_admission(policy=then, replay=False)
    await store.dpm_runs.admit(first, KEEP_ALL)

    answer = await store.dpm_runs.admit(second, KEEP_ALL)

    assert answer == Recorded(second.run, replayed=False)
    assert await key_of(store, second.run) == mapping_of(second.run)
    assert await store.dpm_runs.admit(an_admission(policy=then), KEEP_ALL) == Recorded(
        second.run, replayed=True
    )
    with pytest.raises(IdempotencyKeyConflict):
        await store.dpm_runs.admit(an_admission(policy=before), KEEP_ALL)


@EACH_PAIR
async def test_a_key_whose_run_expired_is_free_under_any_pack(store, before, then):
    expired, cutoff = an_admission(policy=before), runs_since(5)
    renewed = an_admission(policy=then, created_at=after(9))
    await store.dpm_runs.admit(expired, KEEP_ALL)

    answer = await store.dpm_runs.admit(renewed, cutoff)

    assert answer == Recorded(renewed.run, replayed=False)
    assert await key_of(store, renewed.run, cutoff) == mapping_of(renewed.run)
    assert (await store.dpm_runs.admit(an_admission(policy=then), cutoff)).replayed
    with pytest.raises(IdempotencyKeyConflict):
        await store.dpm_runs.admit(an_admission(policy=before), cutoff)


async def test_of_callers_under_different_packs_with_one_key_at_once_one_is_admitted(store):
    asked = [an_admission(policy=a_policy(a_pack(f"pack-{number}"))) for number in range(16)]

    answers = await asyncio.gather(
        *(store.dpm_runs.admit(admission, KEEP_ALL) for admission in asked), return_exceptions=True
    )

    (admitted,) = (answer for answer in answers if isinstance(answer, Recorded))
    assert not admitted.replayed
    assert sum(isinstance(answer, IdempotencyKeyConflict) for answer in answers) == 15
    assert await key_of(store, admitted.run) == mapping_of(admitted.run)


async def test_callers_under_one_pack_with_one_key_at_once_leave_one_run(store):
    asked = [an_admission(policy=STRICT) for _ in range(16)]

    answers = await asyncio.gather(*(store.dpm_runs.admit(admission, KEEP_ALL) for admission in asked))

    (kept,) = (answer.run for answer in answers if not answer.replayed)
    assert [answer.run for answer in answers] == [kept] * 16
    assert kept.policy == STRICT


async def test_a_run_goes_with_its_policy_and_frees_its_key(store):
    first = an_admission(policy=STRICT)
    await store.dpm_runs.admit(first, KEEP_ALL)

    await store.retention.remove(a_purge(RetentionCutoff(after(5), after(5))))

    await assert_absent(store, first.run)
    other = an_admission(policy=LOOSE, request_hash=OTHER_HASH)
    assert await store.dpm_runs.admit(other, KEEP_ALL) == Recorded(other.run, replayed=False)


POLICY = {
    "policy_pack_id": "'p'",
    "policy_pack_version": "'1'",
    "policy_pack_source": "'REQUEST'",
    "policy_pack_sha256": "'sha256:" + "a" * 64 + "'",
    "effective_options": None,
}
BLOBS = {"sqlite": "X'7B7D'", "postgres": "'{}'::bytea"}
HALF = [{name: "NULL"} for name in POLICY]
ODD = [
    {"policy_pack_source": "'DISABLED'"},
    {"policy_pack_source": "'NONE'"},
    {"policy_pack_sha256": "'sha256:a'"},
]


@pytest.mark.parametrize("changed", [*HALF, *ODD], ids=str)
@pytest.mark.parametrize("dialect", BLOBS)
async def test_a_run_has_a_whole_policy_or_none(request, dialect, changed):
    beside = await opened_beside(dialect, request)
    try:
        await beside.store.dpm_runs.admit(an_admission(rebalance_run_id="rr_0"), KEEP_ALL)
    finally:
        await beside.store.close()
    whole = POLICY | {"effective_options": BLOBS[dialect]}
    others = (
        "tenant_id, request_id, correlation_id, request_hash, portfolio_id, status, engine_version,"
        " created_at, result_sha256, result"
    )

    def insert(run_id, policy):
        beside.database.execute(
            f"INSERT INTO dpm_runs (rebalance_run_id, {', '.join(policy)}, {others})"
            f" SELECT '{run_id}', {', '.join(policy.values())}, {others} FROM dpm_runs"
            " WHERE rebalance_run_id = 'rr_0'"
        )

    with pytest.raises(REFUSED):
        insert("rr_1", whole | changed)

    insert("rr_1", whole)
    insert("rr_2", dict.fromkeys(whole, "NULL"))


async def test_a_request_id_that_is_taken_moves_no_key_to_another_pack(store):
    first = an_admission(policy=STRICT)
    await store.dpm_runs.admit(first, KEEP_ALL)

    with pytest.raises(RunExists):
        await store.dpm_runs.admit(
            an_admission(policy=LOOSE, request_id=first.run.request_id, replay=False), KEEP_ALL
        )

    assert await key_of(store, first.run) == mapping_of(first.run)
