"""What is hashed is hashed away from the event loop when it is large, on every store."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from types import SimpleNamespace

import pytest

from service.domains.dpm_runs.values import DEFAULT_TENANT
from service.domains.idempotency import KeyScope
from service.domains.retention.cutoffs import KEEP_ALL
from service.domains.values import canonical
from service.domains.values.canonical import digest_of
from service.runtime.large_texts import LOOP_BYTES_MAX
from tests.integration.contract.builders import a_batch, a_replay, an_admission, an_operation

LARGE = b'{"a":"' + b"x" * LOOP_BYTES_MAX + b'"}'


@pytest.fixture
def hashed(monkeypatch):
    """The sizes of the texts that were hashed on the thread of the event loop, and elsewhere."""
    found = {True: [], False: []}
    here = threading.get_ident()

    def sha256(text):
        found[threading.get_ident() == here].append(len(text))
        return hashlib.sha256(text)

    monkeypatch.setattr(canonical, "hashlib", SimpleNamespace(sha256=sha256))
    return found


ACTS = {
    "admit": lambda store: store.dpm_runs.admit(an_admission(result=LARGE), KEEP_ALL),
    "a large request": lambda store: store.dpm_runs.admit(an_admission(body=LARGE), KEEP_ALL),
    "without replay": lambda store: store.dpm_runs.admit(an_admission(result=LARGE, replay=False), KEEP_ALL),
    "a batch": lambda store: store.dpm_runs.admit_batch(a_batch("a", "b", result=LARGE)),
    "an operation": lambda store: store.operations.submit(an_operation(request=LARGE)),
}


@pytest.mark.parametrize("act", ACTS)
async def test_large_texts_are_hashed_elsewhere(store, hashed, act):
    await ACTS[act](store)

    assert not [size for size in hashed[True] if size > LOOP_BYTES_MAX]
    assert hashed[False] or act == "an operation"


async def test_a_large_run_is_kept_with_its_digests_and_replayed(store):
    admission = an_admission(result=LARGE)
    await store.dpm_runs.admit(admission, KEEP_ALL)
    again = await store.dpm_runs.admit(an_admission(result=LARGE + b" "), KEEP_ALL)
    replay = a_replay(admission.run, result=LARGE)
    await store.dpm_runs.admit_replay(replay, KEEP_ALL)

    assert again.replayed and again.run == admission.run
    for run in (admission.run, replay.run):
        sealed = await store.dpm_runs.get_sealed(DEFAULT_TENANT, run.rebalance_run_id, KEEP_ALL)
        assert sealed.result_sha256 == digest_of(LARGE)
        assert sealed.body_sha256 == digest_of(admission.request.body)


async def test_of_large_admissions_at_once_with_one_key_one_is_kept(store):
    asked = [an_admission(result=LARGE) for _ in range(4)]

    admitted = await asyncio.gather(*(store.dpm_runs.admit(one, KEEP_ALL) for one in asked))

    assert len({one.run.rebalance_run_id for one in admitted}) == 1
    assert [one.replayed for one in admitted].count(False) == 1
    held = await store.idempotency.find(DEFAULT_TENANT, KeyScope.DPM_SIMULATE, "key-1", KEEP_ALL)
    assert held.rebalance_run_id == admitted[0].run.rebalance_run_id
