"""What is accepted, what is done at once, and what execute answers."""

import asyncio

import pytest

from service.domains.callers import DEFAULT_TENANT, Caller
from service.domains.lineage import EdgeFilter, EdgeType
from service.domains.operations import STORE_REFUSED, OperationFilter, OperationStatus
from service.domains.rebalances.analyses import read_plan
from service.domains.retention.cutoffs import KEEP_ALL
from service.errors.operations import LeaseLost, OperationExists, OperationNotFound, OperationNotPending
from service.errors.requests import RequestInvalid
from service.errors.storage import StoreUnavailable
from service.flows.dpm_runs.flow import DpmRunFlow
from service.flows.limits.work_costs import LOOP_BODY_BYTES_MAX
from service.web.answers.dpm_runs import batch_answer
from tests.runtimes import a_runtime
from tests.unit.flows.operation_fixtures import BODY, SCENARIOS, Desk, without_ids


@pytest.fixture
def desk():
    return Desk()


async def test_an_accepted_operation_holds_its_plan_and_waits(desk):
    operation = await desk.submit(correlation_id="what-if")

    assert await desk.read(operation) == operation
    assert (operation.status, operation.is_executable) == (OperationStatus.PENDING, True)
    assert (operation.scenarios_total, operation.scenarios_done, operation.attempt) == (4, 0, 0)
    plan = read_plan(operation.request)
    assert (plan.correlation_id, [one.name for one in plan.scenarios]) == ("what-if", sorted(SCENARIOS))
    assert desk.computed() == []


async def test_a_body_that_is_refused_is_not_accepted(desk):
    with pytest.raises(RequestInvalid):
        await desk.submit(b"{}")

    assert (await desk.flow.list(Caller.local(), OperationFilter(), limit=9, cursor=None)).items == ()


async def test_a_small_batch_is_planned_at_once_and_a_large_one_elsewhere(desk, monkeypatch):
    monkeypatch.setattr("service.flows.limits.work_costs.LOOP_COMMAS_MAX", BODY.count(b","))
    await desk.submit()
    assert desk.offloaded == []

    await desk.submit(BODY + b" " * LOOP_BODY_BYTES_MAX)
    assert [work for work, _ in desk.offloaded] == ["plan_body"]


async def test_inline_has_ended_by_the_time_it_answers_pending():
    desk = Desk(inline=True)

    operation = await desk.submit()

    assert operation.status is OperationStatus.PENDING
    assert (await desk.read(operation)).status is OperationStatus.SUCCEEDED


@pytest.mark.parametrize("error", [StoreUnavailable(), LeaseLost()])
async def test_what_goes_wrong_after_acceptance_is_not_raised(error, monkeypatch):
    desk = Desk(inline=True)

    async def breaks(*args):
        raise error

    monkeypatch.setattr(desk.store.operations, "claim", breaks)
    operation = await desk.submit()

    assert (await desk.read(operation)).is_executable


async def test_an_operation_whose_claim_the_store_refuses_ends(monkeypatch):
    desk = Desk(inline=True)

    async def refuses(*args):
        raise RuntimeError("odd")

    monkeypatch.setattr(desk.store.operations, "claim", refuses)
    operation = await desk.read(await desk.submit())

    assert (operation.status, operation.error.code) == (OperationStatus.FAILED, STORE_REFUSED)
    assert "odd" not in operation.error.message
    with pytest.raises(OperationNotPending):
        await desk.flow.execute(Caller.local(), operation.operation_id)


async def test_every_way_gives_the_same_result():
    inline, waiting = Desk(inline=True), Desk()
    at_once = await inline.read(await inline.submit())
    accepted = await waiting.submit()
    executed = await waiting.flow.execute(Caller.local(), accepted.operation_id)
    runs = DpmRunFlow(
        store=waiting.store,
        runtime=a_runtime(
            clock=waiting, new_id=waiting.draw, offload=waiting.offload, retention=waiting.flow._retention
        ),
        readers=waiting.flow._readers,
        replay_enabled=True,
        artifacts_persisted=False,
    )

    answered = batch_answer(await runs.analyze(Caller.local(), BODY, correlation_id="corr-1"))

    assert without_ids(at_once.result) == without_ids(executed.result) == without_ids(answered)


async def test_runs_of_an_operation_are_caused_by_it(desk):
    operation = await desk.submit()
    await desk.flow.execute(Caller.local(), operation.operation_id)

    for run in await desk.runs_of(operation):
        edges = await desk.store.lineage.list(
            DEFAULT_TENANT, run.rebalance_run_id, EdgeFilter(), limit=9, cursor=None, cutoff=KEEP_ALL
        )
        caused = [edge.target_entity_id for edge in edges.items if edge.edge_type is EdgeType.CAUSED_BY]
        assert caused == [operation.operation_id]


async def test_of_64_who_execute_at_once_one_does(desk):
    operation = await desk.submit()

    answers = await asyncio.gather(
        *(desk.flow.execute(Caller.local(), operation.operation_id) for _ in range(64)),
        return_exceptions=True,
    )

    (ended,) = (answer for answer in answers if not isinstance(answer, Exception))
    assert ended.status is OperationStatus.SUCCEEDED
    assert sum(isinstance(answer, OperationNotPending) for answer in answers) == 63
    assert sorted(desk.computed()) == sorted(SCENARIOS)


async def test_an_operation_that_has_ended_or_is_unknown_is_not_executed(desk):
    operation = await desk.submit()
    await desk.flow.execute(Caller.local(), operation.operation_id)

    with pytest.raises(OperationNotPending):
        await desk.flow.execute(Caller.local(), operation.operation_id)
    with pytest.raises(OperationNotFound):
        await desk.flow.execute(Caller.local(), "dop_unknown")
    desk.wait(3601)
    with pytest.raises(OperationNotFound):
        await desk.flow.execute(Caller.local(), operation.operation_id)


async def test_an_end_whose_answer_was_lost_is_found(desk, monkeypatch):
    finish = desk.store.operations.finish
    calls = []

    async def kept_but_not_said(claim, ending):
        calls.append(ending)
        await finish(claim, ending)
        raise StoreUnavailable()

    monkeypatch.setattr(desk.store.operations, "finish", kept_but_not_said)
    operation = await desk.submit()

    ended = await desk.flow.execute(Caller.local(), operation.operation_id)

    assert (ended.status, len(calls)) == (OperationStatus.SUCCEEDED, 2)
    assert len(await desk.runs_of(operation)) == 3


async def test_what_another_took_over_is_not_said_to_have_ended(monkeypatch):
    desk = Desk(lease_seconds=0.2)
    operation = await desk.submit()

    async def stall(scenario):
        desk.wait(60)
        await desk.reaper.run_once(Caller.local())
        await desk.claim(operation)
        await asyncio.Event().wait()

    desk.before_scenario = stall
    with pytest.raises(OperationNotPending):
        await desk.flow.execute(Caller.local(), operation.operation_id)

    assert (await desk.read(operation)).status is OperationStatus.RUNNING


async def test_an_id_that_is_taken_is_drawn_again(desk, monkeypatch):
    submit, taken = desk.store.operations.submit, iter([OperationExists(id="dop_1")])

    async def first_taken(operation, **facts):
        for error in taken:
            raise error
        await submit(operation, **facts)

    monkeypatch.setattr(desk.store.operations, "submit", first_taken)

    assert (await desk.read(await desk.submit())).status is OperationStatus.PENDING


async def test_the_newest_operation_of_a_correlation_id_is_found(desk):
    await desk.submit()
    desk.wait(1)
    newest = await desk.submit()

    assert await desk.flow.get_newest_by_correlation(Caller.local(), "corr-1") == newest
    with pytest.raises(OperationNotFound):
        await desk.flow.get_newest_by_correlation(Caller.local(), "nobody")


async def test_a_server_that_stops_hands_back_what_it_does(desk):
    reached = asyncio.Event()

    async def stall(scenario):
        reached.set()
        await asyncio.Event().wait()

    desk.before_scenario = stall
    operation = await desk.submit()
    executing = asyncio.create_task(desk.flow.execute(Caller.local(), operation.operation_id))
    await reached.wait()

    await desk.flow.close()

    assert executing.cancelled()
    assert (await desk.read(operation)).is_executable
