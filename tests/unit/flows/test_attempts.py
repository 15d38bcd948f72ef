"""One attempt at an operation: what it computes, what it leaves behind, and when it must not write."""

import asyncio

import pytest

from service.domains.callers import DEFAULT_TENANT, Caller
from service.domains.operations import EXECUTION_ERROR, Claim, Ending, OperationStatus
from service.domains.retention.cutoffs import KEEP_ALL
from service.engines.dpm import v1, versions
from service.errors.dpm_runs import ReplayEngineUnknown, RunExists
from service.errors.operations import LeaseLost
from service.errors.storage import StoreUnavailable
from service.flows.limits.result_sizes import RESULT_BYTES_MAX
from service.runtime.process_pool import EngineProcessDied
from tests.unit.flows.operation_fixtures import SCENARIOS, Desk, without_ids
from tests.waiting import until


@pytest.fixture
def desk():
    return Desk()


async def ended_undisturbed(**options):
    desk = Desk(**options)
    operation = await desk.submit()
    await desk.runner.run(await desk.claim(operation))
    return desk, operation


async def interrupted_at(desk, operation, name):
    """An attempt that is cancelled when it comes to a scenario, and whether it handed the operation back."""
    reached = asyncio.Event()

    async def stall(scenario):
        if scenario == name:
            reached.set()
            await asyncio.Event().wait()

    desk.before_scenario = stall
    attempt = asyncio.create_task(desk.runner.run(await desk.claim(operation)))
    await reached.wait()
    desk.before_scenario = None
    return attempt


async def test_an_attempt_ends_an_operation_with_its_result_and_its_runs(desk):
    operation = await desk.submit()
    desk.wait(2)
    claim = await desk.claim(operation)
    desk.wait(3)

    assert await desk.runner.run(claim) is OperationStatus.SUCCEEDED

    found = await desk.read(operation)
    assert (found.status, found.attempt) == (OperationStatus.SUCCEEDED, 1)
    assert ((found.finished_at - found.started_at).seconds, found.scenarios_done) == (3, 4)
    result = without_ids(found.result)
    assert list(result["results"]) == ["a_base", "b_tight", "d_solver"]
    assert result["failed_scenarios"].keys() == {"c_bad"}
    assert result["warnings"] == ["PARTIAL_BATCH_FAILURE"]
    assert [run.correlation_id for run in await desk.runs_of(operation)] == [
        "corr-1:a_base",
        "corr-1:b_tight",
        "corr-1:d_solver",
    ]
    assert await desk.staged(operation) == ()


async def test_a_scenario_is_computed_within_what_its_operation_has_left(desk, monkeypatch):
    bounds = {}

    def noting(asked, identity, bytes_max):
        bounds[identity.request_hash.rpartition(":")[2]] = bytes_max
        return v1.simulate(asked, identity, bytes_max)

    monkeypatch.setattr(versions, "ENGINES", {version: noting for version in versions.ENGINES})
    operation = await desk.submit()
    # One is known from an earlier attempt, and takes its room all the same.
    attempt = await interrupted_at(desk, operation, "b_tight")
    attempt.cancel()
    await asyncio.gather(attempt, return_exceptions=True)
    (staged,) = await desk.staged(operation)
    await desk.runner.run(await desk.claim(operation))

    taken = len(staged.result) + len(staged.metric)
    assert (bounds["a_base"], bounds["b_tight"]) == (RESULT_BYTES_MAX, RESULT_BYTES_MAX - taken)
    assert bounds["d_solver"] < bounds["b_tight"]


async def test_nothing_is_seen_of_an_operation_before_it_ends(desk):
    operation = await desk.submit()
    attempt = await interrupted_at(desk, operation, "d_solver")

    found = await desk.read(operation)

    assert (found.status, found.result, await desk.runs_of(operation)) == (OperationStatus.RUNNING, None, ())
    assert found.scenarios_done == len(await desk.staged(operation)) >= 1
    attempt.cancel()


async def test_who_is_stopped_hands_the_operation_back_with_what_is_done(desk):
    operation = await desk.submit()
    attempt = await interrupted_at(desk, operation, "d_solver")

    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt

    found = await desk.read(operation)
    assert (found.status, found.attempt, found.started_at) == (OperationStatus.PENDING, 0, None)
    assert {one.scenario for one in await desk.staged(operation)} == {"a_base", "b_tight", "c_bad"}


async def test_the_next_attempt_goes_on_where_the_last_one_was_and_the_result_is_the_same(desk):
    undisturbed, other = await ended_undisturbed()
    operation = await desk.submit()
    attempt = await interrupted_at(desk, operation, "d_solver")
    attempt.cancel()
    await asyncio.wait({attempt})
    desk.offloaded.clear()

    await desk.runner.run(await desk.claim(operation))

    assert desk.computed() == ["d_solver"]
    result, expected = (await desk.read(operation)).result, (await undisturbed.read(other)).result
    assert result == expected


async def test_who_lost_the_operation_writes_nothing_more():
    desk = Desk(lease_seconds=0.4)
    operation = await desk.submit()
    attempt = await interrupted_at(desk, operation, "b_tight")
    desk.wait(1)
    await desk.reaper.run_once(Caller.local())
    second = await desk.claim(operation)

    late = Claim(operation, fence=second.fence - 1)
    with pytest.raises(LeaseLost):
        await desk.store.operations.finish(late, Ending(finished_at=desk.at, result=b"{}"))
    with pytest.raises(LeaseLost):
        await attempt

    assert (await desk.read(operation)).status is OperationStatus.RUNNING
    await desk.runner.run(second)
    found = await desk.read(operation)
    assert (found.status, found.attempt) == (OperationStatus.SUCCEEDED, 2)


async def test_a_lease_is_extended_while_the_work_goes_on(monkeypatch):
    desk = Desk(lease_seconds=0.2)
    extended = []
    extend = desk.store.operations.extend

    async def noted(claim, lease):
        await extend(claim, lease)
        extended.append(lease)

    monkeypatch.setattr(desk.store.operations, "extend", noted)
    operation = await desk.submit()
    attempt = await interrupted_at(desk, operation, "b_tight")
    for _ in range(4):
        desk.wait(0.1)
        before = len(extended)
        await until(lambda before=before: len(extended) > before)

    await desk.reaper.run_once(Caller.local())

    assert (await desk.read(operation)).status is OperationStatus.RUNNING
    attempt.cancel()


async def test_an_attempt_whose_lease_is_gone_stops_by_itself():
    desk = Desk(lease_seconds=0.2)
    operation = await desk.submit()
    attempt = await interrupted_at(desk, operation, "b_tight")
    desk.wait(60)

    with pytest.raises(LeaseLost):
        await attempt

    await desk.reaper.run_once(Caller.local())
    assert (await desk.read(operation)).status is OperationStatus.PENDING


async def test_an_error_of_ours_ends_the_operation_and_names_its_kind(desk, monkeypatch):
    async def breaks(claim, ending, finish=desk.store.operations.finish):
        if ending.error is None:
            raise RunExists(id="rr_1")
        await finish(claim, ending)

    monkeypatch.setattr(desk.store.operations, "finish", breaks)
    operation = await desk.submit()

    assert await desk.runner.run(await desk.claim(operation)) is OperationStatus.FAILED

    found = await desk.read(operation)
    assert (found.error.code, found.error.message) == (
        EXECUTION_ERROR,
        "the operation failed with RunExists",
    )
    assert (await desk.runs_of(operation), await desk.staged(operation)) == ((), ())


async def test_a_scenario_that_kills_its_process_fails_alone(desk):
    async def dies(scenario):
        if scenario == "b_tight":
            raise EngineProcessDied()

    desk.before_scenario = dies
    operation = await desk.submit()

    await desk.runner.run(await desk.claim(operation))

    result = without_ids((await desk.read(operation)).result)
    assert list(result["results"]) == ["a_base", "d_solver"]
    assert result["failed_scenarios"]["b_tight"] == "SCENARIO_EXECUTION_ERROR: EngineProcessDied"


async def test_an_operation_whose_scenarios_all_fail_succeeds_without_runs(desk):
    async def dies(scenario):
        raise EngineProcessDied()

    desk.before_scenario = dies
    operation = await desk.submit()

    await desk.runner.run(await desk.claim(operation))

    found = await desk.read(operation)
    assert found.status is OperationStatus.SUCCEEDED
    assert without_ids(found.result)["failed_scenarios"].keys() == SCENARIOS.keys()
    assert await desk.runs_of(operation) == ()


async def test_a_store_that_is_away_for_a_moment_is_waited_for(desk, monkeypatch):
    undisturbed, other = await ended_undisturbed()
    acts = desk.store.operations
    for name in ("list_staged", "stage", "finish"):
        monkeypatch.setattr(acts, name, away_at_first(getattr(acts, name)))
    operation = await desk.submit()

    await desk.runner.run(await desk.claim(operation))

    assert (await desk.read(operation)).result == (await undisturbed.read(other)).result


def away_at_first(act):
    calls = iter([StoreUnavailable()])

    async def called(*args, **named):
        for error in calls:
            raise error
        return await act(*args, **named)

    return called


async def test_a_store_that_is_away_for_longer_than_the_lease_ends_the_attempt(monkeypatch):
    desk = Desk(lease_seconds=0.1)

    async def away(*args):
        desk.wait(0.1)
        raise StoreUnavailable()

    operation = await desk.submit()
    claim = await desk.claim(operation)
    for name in ("list_staged", "extend", "stage", "finish"):
        monkeypatch.setattr(desk.store.operations, name, away)

    with pytest.raises(StoreUnavailable):
        await desk.runner.run(claim)


async def test_a_build_without_the_engine_hands_the_operation_back(desk, monkeypatch):
    operation = await desk.submit()
    monkeypatch.delitem(versions.ENGINES, versions.CURRENT_VERSION)

    with pytest.raises(ReplayEngineUnknown):
        await desk.runner.run(await desk.claim(operation))

    found = await desk.read(operation)
    assert (found.status, found.attempt) == (OperationStatus.PENDING, 0)


@pytest.mark.parametrize("persisted", [True, False])
async def test_artifacts_are_kept_with_the_runs_when_they_are_to_be(persisted):
    desk, operation = await ended_undisturbed(artifacts_persisted=persisted)

    for run in await desk.runs_of(operation):
        kept = await desk.store.artifacts.find(DEFAULT_TENANT, run.rebalance_run_id, KEEP_ALL)
        assert (kept is not None) is persisted
