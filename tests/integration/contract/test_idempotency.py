"""What keys and their history promise, whatever the backend."""

from __future__ import annotations

from datetime import timedelta

from service.domains.dpm_runs.values import DEFAULT_TENANT, mapping_of, use_of
from service.domains.idempotency import KeyScope
from service.domains.retention.cutoffs import KEEP_ALL
from service.domains.values.pages import all_of
from tests.integration.contract.builders import (
    AT,
    a_batch,
    a_replay,
    after,
    an_admission,
    runs_since,
)
from tests.integration.contract.reading import history_of, key_of


async def test_an_unknown_key_stands_for_nothing(store):
    await store.dpm_runs.admit(an_admission(), KEEP_ALL)

    found = await store.idempotency.find(DEFAULT_TENANT, KeyScope.DPM_SIMULATE, "nowhere", KEEP_ALL)
    history = await all_of(
        store.idempotency.list_history,
        DEFAULT_TENANT,
        KeyScope.DPM_SIMULATE,
        "nowhere",
        KEEP_ALL,
    )

    assert found is None
    assert history == ()


async def test_tenants_do_not_share_their_keys(store):
    ours = an_admission(tenant_id="ours")
    theirs = an_admission(tenant_id="theirs", request_hash="sha256:" + "c" * 64)

    await store.dpm_runs.admit(ours, KEEP_ALL)
    await store.dpm_runs.admit(theirs, KEEP_ALL)

    for run in (ours.run, theirs.run):
        found = await store.idempotency.find(run.tenant_id, KeyScope.DPM_SIMULATE, "key-1", KEEP_ALL)
        history = await all_of(
            store.idempotency.list_history,
            run.tenant_id,
            KeyScope.DPM_SIMULATE,
            "key-1",
            KEEP_ALL,
        )
        assert found == mapping_of(run)
        assert history == (use_of(run),)


async def test_keys_that_differ_in_case_or_space_are_different_keys(store):
    asked = [an_admission(idempotency_key=key) for key in ("Key", "key", "key ", " key", "ke\u0301y")]

    answers = [await store.dpm_runs.admit(admission, KEEP_ALL) for admission in asked]

    assert [answer.replayed for answer in answers] == [False] * 5


async def test_a_history_is_listed_by_creation_and_then_by_id(store):
    at = [AT + timedelta(seconds=seconds) for seconds in (5, 1, 1, 9)]
    late, early, early_too, last = (an_admission(replay=False, created_at=instant) for instant in at)
    for admission in (last, late, early_too, early):
        await store.dpm_runs.admit(admission, KEEP_ALL)

    history = await all_of(
        store.idempotency.list_history,
        DEFAULT_TENANT,
        KeyScope.DPM_SIMULATE,
        "key-1",
        KEEP_ALL,
    )

    assert history == tuple(use_of(admission.run) for admission in (early, early_too, late, last))


async def test_a_key_stands_for_the_run_recorded_last_even_if_it_is_older(store):
    first, second = an_admission(), an_admission(replay=False, created_at=AT - timedelta(days=1))
    await store.dpm_runs.admit(first, KEEP_ALL)
    await store.dpm_runs.admit(second, KEEP_ALL)

    found = await store.idempotency.find(DEFAULT_TENANT, KeyScope.DPM_SIMULATE, "key-1", KEEP_ALL)

    assert found == mapping_of(second.run)


async def test_a_batch_takes_no_key(store):
    batch = a_batch("a", "b")
    await store.dpm_runs.admit_batch(batch)

    found = [
        await store.idempotency.find(DEFAULT_TENANT, KeyScope.DPM_SIMULATE, key, KEEP_ALL)
        for key in (batch.request.request_id, *(run.correlation_id for run in batch.runs))
    ]

    assert found == [None, None, None]


async def test_a_replay_takes_no_key(store):
    first = an_admission()
    await store.dpm_runs.admit(first, KEEP_ALL)
    await store.dpm_runs.admit_replay(a_replay(first.run), KEEP_ALL)

    assert await key_of(store, first.run) == mapping_of(first.run)
    assert await history_of(store, first.run) == (use_of(first.run),)


async def test_a_key_stands_for_nothing_once_its_run_expired(store):
    run = an_admission().run
    await store.dpm_runs.admit(an_admission(rebalance_run_id=run.rebalance_run_id), KEEP_ALL)

    assert await key_of(store, run, runs_since(0)) == mapping_of(run)
    assert await key_of(store, run, runs_since(0.000001)) is None


async def test_a_key_that_moved_to_an_expired_run_stands_for_nothing(store):
    newer = an_admission(created_at=after(9))
    older = an_admission(created_at=after(1), replay=False)
    await store.dpm_runs.admit(newer, KEEP_ALL)
    await store.dpm_runs.admit(older, KEEP_ALL)

    assert await key_of(store, older.run, runs_since(5)) is None
    assert await history_of(store, older.run, runs_since(5)) == (use_of(newer.run),)


async def test_a_history_shows_what_has_not_expired(store):
    asked = [an_admission(replay=False, created_at=after(second)) for second in (1, 3, 2)]
    for admission in asked:
        await store.dpm_runs.admit(admission, KEEP_ALL)

    first, third, second = (use_of(admission.run) for admission in asked)
    assert await history_of(store, asked[0].run, runs_since(1)) == (first, second, third)
    assert await history_of(store, asked[0].run, runs_since(2)) == (second, third)
    assert await history_of(store, asked[0].run, runs_since(4)) == ()
