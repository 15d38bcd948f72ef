"""What kept artifacts promise, whatever the backend."""

from __future__ import annotations

import asyncio

import pytest

from service.domains.dpm_runs.artifacts import edge_of_artifact
from service.domains.dpm_runs.values import DEFAULT_TENANT, edges_of
from service.domains.retention.cutoffs import KEEP_ALL
from service.errors.dpm_runs import RunNotFound
from tests.integration.contract.builders import (
    ODD_BYTES,
    a_batch,
    a_purge,
    a_replay,
    a_run,
    after,
    an_admission,
    an_artifact,
    runs_since,
)
from tests.integration.contract.reading import edges_at, touching


async def artifact_of(store, run, cutoff=KEEP_ALL):
    return await store.artifacts.find(run.tenant_id, run.rebalance_run_id, cutoff)


async def test_a_run_has_no_artifact_until_one_is_kept(store):
    run = an_admission().run
    await store.dpm_runs.admit(an_admission(rebalance_run_id=run.rebalance_run_id), KEEP_ALL)
    assert await artifact_of(store, run) is None

    kept = await store.artifacts.keep(an_artifact(run))

    assert kept == an_artifact(run)
    assert await artifact_of(store, run) == kept
    assert await edges_at(store, run.rebalance_run_id) == touching(
        run.rebalance_run_id, *edges_of(run), edge_of_artifact(kept)
    )
    assert await edges_at(store, kept.artifact_id) == (edge_of_artifact(kept),)


@pytest.mark.parametrize("body", [b"", ODD_BYTES, b'{"a":"\\u0000"}', b"[]" * 500_000])
async def test_a_body_of_any_size_comes_back_unchanged(store, body):
    admission = an_admission()
    await store.dpm_runs.admit(admission, KEEP_ALL)

    await store.artifacts.keep(an_artifact(admission.run, body=body))

    assert (await artifact_of(store, admission.run)).body == body


@pytest.mark.parametrize("with_the_run", [True, False])
async def test_an_artifact_kept_twice_is_the_first(store, with_the_run):
    admission = an_admission(artifact=with_the_run)
    await store.dpm_runs.admit(admission, KEEP_ALL)
    first = an_artifact(admission.run)
    if not with_the_run:
        await store.artifacts.keep(first)

    again = await store.artifacts.keep(
        an_artifact(admission.run, artifact_id="another", artifact_hash="sha256:" + "e" * 64, body=b"{}")
    )

    assert again == first
    assert await artifact_of(store, admission.run) == first
    assert await edges_at(store, "another") == ()
    assert await edges_at(store, first.artifact_id) == (edge_of_artifact(first),)


async def test_of_many_who_keep_an_artifact_at_once_all_get_the_same(store):
    admission = an_admission()
    await store.dpm_runs.admit(admission, KEEP_ALL)
    asked = [an_artifact(admission.run, artifact_id=f"dra_{n}", body=b"%d" % n) for n in range(16)]

    answers = await asyncio.gather(*(store.artifacts.keep(artifact) for artifact in asked))

    assert set(answers) == {answers[0]}
    assert await artifact_of(store, admission.run) == answers[0]
    of_artifacts = [edge for artifact in asked for edge in await edges_at(store, artifact.artifact_id)]
    assert of_artifacts == [edge_of_artifact(answers[0])]


async def test_an_artifact_of_a_run_that_is_not_there_is_refused(store):
    run = a_run()

    with pytest.raises(RunNotFound):
        await store.artifacts.keep(an_artifact(run))

    assert await artifact_of(store, run) is None
    assert await edges_at(store, an_artifact(run).artifact_id) == ()


async def test_an_artifact_of_another_tenants_run_is_refused(store):
    admission = an_admission(tenant_id="ours", artifact=True)
    await store.dpm_runs.admit(admission, KEEP_ALL)

    with pytest.raises(RunNotFound):
        await store.artifacts.keep(an_artifact(admission.run, tenant_id="theirs"))

    run_id = admission.run.rebalance_run_id
    assert await store.artifacts.find("theirs", run_id, KEEP_ALL) is None
    assert await store.artifacts.find("ours", run_id, KEEP_ALL) == admission.artifact


async def test_an_artifact_expires_with_its_run(store):
    admission = an_admission(created_at=after(3), artifact=True)
    await store.dpm_runs.admit(admission, KEEP_ALL)

    assert await artifact_of(store, admission.run, runs_since(3)) == admission.artifact
    assert await artifact_of(store, admission.run, runs_since(3.000001)) is None


async def test_an_artifact_of_a_removed_run_is_refused(store):
    admission = an_admission()
    await store.dpm_runs.admit(admission, KEEP_ALL)
    await store.retention.remove(a_purge(runs_since(5)))

    with pytest.raises(RunNotFound):
        await store.artifacts.keep(an_artifact(admission.run))


async def test_each_run_has_its_own_artifact(store):
    batch = a_batch("a", "b", artifacts=True)
    await store.dpm_runs.admit_batch(batch)
    replay = a_replay(batch.runs[0], artifact=True, result=ODD_BYTES)
    await store.dpm_runs.admit_replay(replay, KEEP_ALL)

    for run, artifact in zip((*batch.runs, replay.run), (*batch.artifacts, replay.artifact), strict=True):
        assert await store.artifacts.find(DEFAULT_TENANT, run.rebalance_run_id, KEEP_ALL) == artifact
