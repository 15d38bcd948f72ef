"""What keys and their history promise, whatever the backend."""

from __future__ import annotations

from datetime import timedelta

from service.domains.dpm_runs import DEFAULT_TENANT, mapping_of, use_of
from service.domains.idempotency import KeyFamily
from tests.integration.contract.builders import AT, a_batch, an_admission


async def test_an_unknown_key_stands_for_nothing(store):
    await store.dpm_runs.admit(an_admission())

    found = await store.idempotency.find(DEFAULT_TENANT, KeyFamily.DPM_SIMULATE, "nowhere")
    history = await store.idempotency.list_history(DEFAULT_TENANT, KeyFamily.DPM_SIMULATE, "nowhere")

    assert found is None
    assert history == ()


async def test_tenants_do_not_share_their_keys(store):
    ours = an_admission(tenant_id="ours")
    theirs = an_admission(tenant_id="theirs", request_hash="sha256:" + "c" * 64)

    await store.dpm_runs.admit(ours)
    await store.dpm_runs.admit(theirs)

    for run in (ours.run, theirs.run):
        found = await store.idempotency.find(run.tenant_id, KeyFamily.DPM_SIMULATE, "key-1")
        history = await store.idempotency.list_history(run.tenant_id, KeyFamily.DPM_SIMULATE, "key-1")
        assert found == mapping_of(run)
        assert history == (use_of(run),)


async def test_keys_that_differ_in_case_or_space_are_different_keys(store):
    asked = [an_admission(idempotency_key=key) for key in ("Key", "key", "key ", " key", "ke\u0301y")]

    answers = [await store.dpm_runs.admit(admission) for admission in asked]

    assert [answer.replayed for answer in answers] == [False] * 5


async def test_a_history_is_listed_by_creation_and_then_by_id(store):
    at = [AT + timedelta(seconds=seconds) for seconds in (5, 1, 1, 9)]
    late, early, early_too, last = (an_admission(replay=False, created_at=instant) for instant in at)
    for admission in (last, late, early_too, early):
        await store.dpm_runs.admit(admission)

    history = await store.idempotency.list_history(DEFAULT_TENANT, KeyFamily.DPM_SIMULATE, "key-1")

    assert history == tuple(use_of(admission.run) for admission in (early, early_too, late, last))


async def test_a_key_stands_for_the_run_recorded_last_even_if_it_is_older(store):
    first, second = an_admission(), an_admission(replay=False, created_at=AT - timedelta(days=1))
    await store.dpm_runs.admit(first)
    await store.dpm_runs.admit(second)

    found = await store.idempotency.find(DEFAULT_TENANT, KeyFamily.DPM_SIMULATE, "key-1")

    assert found == mapping_of(second.run)


async def test_a_batch_takes_no_key(store):
    batch = a_batch("a", "b")
    await store.dpm_runs.admit_batch(batch)

    found = [
        await store.idempotency.find(DEFAULT_TENANT, KeyFamily.DPM_SIMULATE, key)
        for key in (batch.request.request_id, *(run.correlation_id for run in batch.runs))
    ]

    assert found == [None, None, None]
