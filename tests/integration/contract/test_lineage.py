"""What edges promise, whatever the backend."""

from __future__ import annotations

from datetime import timedelta

import pytest

from service.domains.dpm_runs import DEFAULT_TENANT, edges_of
from service.domains.lineage import EdgeType
from tests.integration.contract.builders import AT, a_batch, an_admission


async def test_an_unknown_entity_has_no_edges(store):
    await store.dpm_runs.admit(an_admission())

    assert await store.lineage.list_edges(DEFAULT_TENANT, "nowhere") == ()


async def test_the_edges_of_a_run_are_found_from_both_ends(store):
    admission = an_admission(correlation_id="corr", idempotency_key="key")
    await store.dpm_runs.admit(admission)

    from_run = await store.lineage.list_edges(DEFAULT_TENANT, admission.run.rebalance_run_id)
    from_correlation = await store.lineage.list_edges(DEFAULT_TENANT, "corr")
    from_key = await store.lineage.list_edges(DEFAULT_TENANT, "key")

    correlation, key = edges_of(admission.run)
    assert from_run == (correlation, key)
    assert from_correlation == (correlation,)
    assert from_key == (key,)
    assert dict(from_key[0].metadata) == {"request_hash": admission.run.request_hash}


@pytest.mark.parametrize(
    ("correlation_id", "idempotency_key"),
    [("a", "b"), ("b", "a"), ("same", "same"), ("ä", "z"), ("B", "a")],
)
async def test_edges_of_one_instant_are_listed_by_source_and_then_type(
    store, correlation_id, idempotency_key
):
    admission = an_admission(correlation_id=correlation_id, idempotency_key=idempotency_key)
    await store.dpm_runs.admit(admission)

    listed = await store.lineage.list_edges(DEFAULT_TENANT, admission.run.rebalance_run_id)

    assert [(edge.source_entity_id, edge.edge_type) for edge in listed] == sorted(
        [
            (correlation_id, EdgeType.CORRELATION_TO_RUN),
            (idempotency_key, EdgeType.IDEMPOTENCY_TO_RUN),
        ],
        key=lambda place: (place[0], place[1].value),
    )


async def test_edges_of_many_runs_are_listed_by_creation(store):
    at = [AT + timedelta(seconds=seconds) for seconds in (3, 1, 2, 1)]
    asked = [an_admission(replay=False, idempotency_key="key", created_at=instant) for instant in at]
    for admission in asked:
        await store.dpm_runs.admit(admission)

    listed = await store.lineage.list_edges(DEFAULT_TENANT, "key")

    by_age = sorted(
        (admission.run for admission in asked), key=lambda run: (run.created_at, run.rebalance_run_id)
    )
    assert [edge.target_entity_id for edge in listed] == [run.rebalance_run_id for run in by_age]


async def test_an_edge_from_an_entity_to_itself_is_listed_once(store):
    admission = an_admission(rebalance_run_id="loop", correlation_id="loop", idempotency_key="key")
    await store.dpm_runs.admit(admission)

    listed = await store.lineage.list_edges(DEFAULT_TENANT, "loop")

    correlation, key = edges_of(admission.run)
    assert listed == (key, correlation)


async def test_tenants_do_not_see_the_edges_of_others(store):
    await store.dpm_runs.admit(an_admission(tenant_id="ours", idempotency_key="key"))

    assert await store.lineage.list_edges("theirs", "key") == ()


async def test_a_run_of_a_batch_has_only_the_edge_from_its_correlation_id(store):
    batch = a_batch("a", "b")
    await store.dpm_runs.admit_batch(batch)

    for run in batch.runs:
        assert await store.lineage.list_edges(DEFAULT_TENANT, run.rebalance_run_id) == edges_of(run)
        assert await store.lineage.list_edges(DEFAULT_TENANT, run.correlation_id) == edges_of(run)
