"""A run is what its request gives, on every backend, in whatever order the members of the request stood."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

from scripts.harness.sample_requests import a_batch_body, a_body
from service.domains.callers import Caller
from service.domains.dpm_runs.values import RecordBatch, RecordRun
from service.domains.retention.cutoffs import KEEP_ALL, Retention
from service.flows.dpm_runs.analyses import BatchIdentity, analyze_body, batch_request, batch_runs
from service.flows.dpm_runs.computing import simulate_body
from service.flows.dpm_runs.recording import simulated_request, simulated_run
from service.flows.dpm_runs.replays import Outcome, ReplayFlow
from service.runtime.clock import SystemClock, TimeOrderedIds
from service.wiring.flows import LENIENT_READERS
from tests.runtimes import a_runtime
from tests.unit.flows.test_member_order import shuffled, stored_before, tagged, written

AT = datetime(2026, 11, 30, tzinfo=UTC)


async def here(work, *args):
    return work(*args)


def replays_of(store):
    return ReplayFlow(
        store=store,
        runtime=a_runtime(
            clock=SystemClock(), retention=Retention(0, 86_400), new_id=TimeOrderedIds(), offload=here
        ),
        readers=LENIENT_READERS,
        artifacts_persisted=False,
    )


async def admit(store, run_id, body, *, before=False):
    computed = simulate_body(LENIENT_READERS, body, run_id, "corr-1")
    run = simulated_run(
        Caller.local(), computed, run_id, idempotency_key=run_id, correlation_id="corr-1", created_at=AT
    )
    run = stored_before(run) if before else run
    await store.dpm_runs.admit(RecordRun(run, simulated_request(computed, run), replay=True), KEEP_ALL)


async def test_runs_match_in_any_order_of_members_and_as_they_were_stored_before(store):
    document = tagged(a_body(positions=5))
    await admit(store, "rr_1", written(document))
    await admit(store, "rr_2", written(shuffled(document, Random(1))))
    await admit(store, "rr_3", written(shuffled(document, Random(2))), before=True)
    flow = replays_of(store)

    for run_id in ("rr_1", "rr_2", "rr_3"):
        assert (
            await flow.replay(Caller.local(), run_id, record=False, correlation_id="c")
        ).outcome is Outcome.MATCH
        assert (await flow.verify(Caller.local(), run_id, KEEP_ALL)).outcome is Outcome.MATCH


async def test_scenarios_match_in_any_order_of_members(store):
    scenarios = {"b": {"options": {"target_method": "SOLVER"}}, "a": {"options": {}}}
    document = shuffled(tagged(a_batch_body(scenarios, positions=5)), Random(3))
    identity = BatchIdentity("batch_1", "corr-1", ("rr_1", "rr_2"))
    analyzed = analyze_body(LENIENT_READERS, written(document), identity)
    runs = batch_runs(Caller.local(), analyzed, AT)
    request = batch_request(Caller.local(), analyzed.plan, AT)
    await store.dpm_runs.admit_batch(RecordBatch(request, runs, cause_id="batch_1", artifacts=()))

    for run in runs:
        assert (
            await replays_of(store).verify(Caller.local(), run.rebalance_run_id, KEEP_ALL)
        ).outcome is Outcome.MATCH
