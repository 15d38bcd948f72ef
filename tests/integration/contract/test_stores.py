"""What opening and closing promise, whatever the backend."""

from __future__ import annotations

import asyncio

import pytest

from service.domains.callers import DEFAULT_TENANT
from service.domains.dpm_runs.values import Recorded
from service.domains.idempotency import KeyScope
from service.domains.lineage import Direction, EdgeFilter
from service.domains.operations import CANCELLATION, Claim, OperationFilter
from service.domains.proposals.values import ProposalKeyScope
from service.domains.retention.cutoffs import KEEP_ALL
from service.domains.shadow_differences import ShadowDifferenceFilter
from service.domains.values.pages import all_of
from service.domains.workflow_decisions import DecisionFilter
from service.errors.storage import StoreUnavailable
from tests.integration.contract.builders import (
    AT,
    REVIEWED,
    a_batch,
    a_lease,
    a_purge,
    a_replay,
    a_run,
    a_staged,
    a_verdict,
    an_admission,
    an_answer,
    an_artifact,
    an_operation,
    ending_of,
    failed,
    runs_since,
)
from tests.integration.contract.policy_builders import a_change
from tests.integration.contract.proposal_builders import ALL_PROPOSALS, a_creation, a_simulation
from tests.integration.contract.reading import ALL_RUNS
from tests.waiting import HANG_SECONDS

PAGE = {"limit": 10, "cursor": None, "cutoff": KEEP_ALL}


def acts_of(store):
    run, claim = a_run(), Claim(an_operation(), 1)
    return (
        lambda: store.dpm_runs.admit(an_admission(), KEEP_ALL),
        lambda: store.dpm_runs.admit_batch(a_batch("a")),
        lambda: store.dpm_runs.admit_replay(a_replay(run), KEEP_ALL),
        lambda: store.artifacts.keep(an_artifact(run)),
        lambda: store.workflow_decisions.decide(a_verdict(run), REVIEWED, KEEP_ALL),
        lambda: store.workflow_decisions.decide_once(
            a_verdict(run), REVIEWED, KEEP_ALL, an_answer(run.rebalance_run_id)
        ),
        lambda: store.operations.submit(an_operation()),
        lambda: store.operations.submit_once(
            an_operation(operation_id="dop_1"), an_answer("dop_1"), KEEP_ALL
        ),
        lambda: store.operations.fail(DEFAULT_TENANT, "dop", now=AT, error=CANCELLATION),
        lambda: store.operations.fail_overdue(
            DEFAULT_TENANT, started_before=AT, now=AT, error=CANCELLATION, limit=10
        ),
        lambda: store.operations.claim(DEFAULT_TENANT, "dop", a_lease()),
        lambda: store.operations.extend(claim, a_lease()),
        lambda: store.operations.stage(claim, [a_staged()], a_lease()),
        lambda: store.operations.finish(claim, ending_of(failed(claim.operation))),
        lambda: store.operations.release(claim, a_lease()),
        lambda: store.operations.reap(DEFAULT_TENANT, now=AT, attempts_max=3, limit=10),
        lambda: store.operations.expire(DEFAULT_TENANT, created_before=AT, now=AT, limit=10),
        lambda: store.proposals.change(a_creation()),
        lambda: store.proposal_simulations.keep(a_simulation(), kept_since=AT),
        lambda: store.proposal_simulations.purge(DEFAULT_TENANT, created_before=AT, limit=10),
        lambda: store.policy_packs.amend(a_change(1)),
        lambda: store.supportability.compact(),
        lambda: store.shadow_differences.record([]),
        lambda: store.shadow_differences.purge(DEFAULT_TENANT, found_before=AT, limit=10),
        lambda: store.retention.remove(a_purge(runs_since(5))),
    )


def reads_of(store):
    return (
        lambda: store.check(),
        lambda: store.dpm_runs.get(DEFAULT_TENANT, "rr", KEEP_ALL),
        lambda: store.dpm_runs.get_head(DEFAULT_TENANT, "rr", KEEP_ALL),
        lambda: store.dpm_runs.get_sealed(DEFAULT_TENANT, "rr", KEEP_ALL),
        lambda: store.dpm_runs.get_newest_by_correlation(DEFAULT_TENANT, "corr", KEEP_ALL),
        lambda: store.dpm_runs.get_newest_by_request_hash(DEFAULT_TENANT, "hash", KEEP_ALL),
        lambda: store.dpm_runs.get_request(DEFAULT_TENANT, "rr"),
        lambda: store.dpm_runs.list(DEFAULT_TENANT, ALL_RUNS, **PAGE),
        lambda: store.dpm_runs.list_by_cause(DEFAULT_TENANT, "batch", KEEP_ALL),
        lambda: store.dpm_runs.find_newest_batch(DEFAULT_TENANT, "corr", KEEP_ALL),
        lambda: store.idempotency.find(DEFAULT_TENANT, KeyScope.DPM_SIMULATE, "key", KEEP_ALL),
        lambda: all_of(
            store.idempotency.list_history,
            DEFAULT_TENANT,
            KeyScope.DPM_SIMULATE,
            "key",
            KEEP_ALL,
        ),
        lambda: store.lineage.list(DEFAULT_TENANT, "rr", EdgeFilter(), **PAGE),
        lambda: store.lineage.trace(DEFAULT_TENANT, "rr", Direction.BOTH, 3, KEEP_ALL),
        lambda: store.artifacts.find(DEFAULT_TENANT, "rr", KEEP_ALL),
        lambda: all_of(store.workflow_decisions.list_of_run, DEFAULT_TENANT, "rr"),
        lambda: store.workflow_decisions.find_latest(DEFAULT_TENANT, "rr"),
        lambda: store.workflow_decisions.list(DEFAULT_TENANT, DecisionFilter(), **PAGE),
        lambda: store.operations.get(DEFAULT_TENANT, "dop", KEEP_ALL),
        lambda: store.operations.list(DEFAULT_TENANT, OperationFilter(), **PAGE),
        lambda: store.operations.list_staged(DEFAULT_TENANT, "dop"),
        lambda: store.operations.find_newest_by_correlation(DEFAULT_TENANT, "corr", KEEP_ALL),
        lambda: store.proposals.get(DEFAULT_TENANT, "pp"),
        lambda: store.proposals.list(DEFAULT_TENANT, ALL_PROPOSALS, limit=10, cursor=None),
        lambda: store.proposals.get_version(DEFAULT_TENANT, "pp", 1),
        lambda: all_of(store.proposals.list_versions, DEFAULT_TENANT, "pp"),
        lambda: all_of(store.proposals.list_events, DEFAULT_TENANT, "pp"),
        lambda: all_of(store.proposals.list_approvals, DEFAULT_TENANT, "pp"),
        lambda: store.proposals.find_key(DEFAULT_TENANT, ProposalKeyScope.CREATE, "", "key"),
        lambda: store.proposal_simulations.find(DEFAULT_TENANT, "key", kept_since=AT),
        lambda: store.policy_packs.find_revision(DEFAULT_TENANT),
        lambda: store.policy_packs.list_amendments(DEFAULT_TENANT),
        lambda: store.shadow_differences.list(
            DEFAULT_TENANT, ShadowDifferenceFilter(), limit=10, cursor=None
        ),
        lambda: store.shadow_differences.summarise(DEFAULT_TENANT),
        lambda: store.supportability.summarise(DEFAULT_TENANT, KEEP_ALL),
        lambda: store.retention.list_records(DEFAULT_TENANT, limit=10),
    )


async def test_an_open_store_passes_its_check(store):
    await store.check()


async def test_a_closed_store_refuses_every_call(store):
    await store.dpm_runs.admit(an_admission(), KEEP_ALL)

    await store.close()

    for call in (*acts_of(store), *reads_of(store)):
        with pytest.raises(StoreUnavailable):
            await call()


async def test_a_store_may_be_closed_twice(store):
    await store.close()

    await store.close()


async def test_acts_under_way_are_finished_before_the_store_is_closed(store):
    asked = [an_admission(idempotency_key=f"key-{n}") for n in range(8)]
    under_way = [asyncio.ensure_future(store.dpm_runs.admit(admission, KEEP_ALL)) for admission in asked]
    await asyncio.sleep(0)

    await store.close()

    answers = await asyncio.wait_for(asyncio.gather(*under_way), timeout=HANG_SECONDS)
    assert answers == [Recorded(admission.run, replayed=False) for admission in asked]
