"""Creations and versions of proposals that are accepted now and done later."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from scripts.harness.sample_requests import a_proposal_body
from service.domains.callers import Caller
from service.domains.operations import EXECUTION_ERROR, OperationFilter, OperationStatus
from service.domains.values.pages import Page
from service.errors.operations import OperationNotFound
from service.errors.proposals import ProposalKeyNotFound, ProposalOperationNotFound
from service.errors.requests import RequestInvalid
from service.errors.storage import StoreUnavailable
from service.flows.proposals import documents
from service.flows.proposals import work as proposal_work
from service.storage.memory.store import MemoryStore
from tests.unit.flows.operation_fixtures import Desk
from tests.unit.flows.proposal_fixtures import DAY, OFF, ProposalDesk, purges_of, told
from tests.waiting import HANG_SECONDS, until

DISABLED = "PROPOSAL_SIMULATION_DISABLED: set options.enable_proposal_simulation=true"
HELD = "IDEMPOTENCY_KEY_CONFLICT: request hash mismatch"


@pytest.fixture
def desk():
    """Whatever is accepted waits for somebody to run it."""
    return ProposalDesk(idle=True)


async def settled(desk):
    """What was begun in this process has ended."""
    while desk.operations._running:
        await asyncio.gather(*desk.operations._running.values())


async def stalled(monkeypatch, desk, *work):
    """The work when it has come to its simulation, which never ends."""
    reached = asyncio.Event()

    async def never(*args):
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(desk.flow.documents, "simulate", never)
    tasks = [asyncio.ensure_future(one) for one in work]
    await reached.wait()
    monkeypatch.undo()
    return tasks


async def test_an_accepted_creation_ends_with_what_a_caller_who_waits_gets(desk):
    operation = await desk.submit_create(sent="corr-1", metadata={"title": "t"}, deposit=5)
    assert (operation.operation_type.value, operation.status.value) == ("CREATE_PROPOSAL", "PENDING")
    assert desk.count() == 0
    desk.wait(60)

    ended = await desk.run(operation)
    at = desk.at

    assert (ended.status, ended.error, ended.finished_at) == (OperationStatus.SUCCEEDED, None, at)
    answer = json.loads(ended.result)
    assert answer["proposal"]["created_at"] == answer["version"]["created_at"] == at.isoformat()
    waiting = ProposalDesk()
    waiting.drawn, waiting.at = desk.drawn - 3, at
    first = await waiting.create(correlation_id="corr-1", metadata={"title": "t"}, deposit=5)
    assert first.body == ended.result
    again = await desk.create(correlation_id="corr-2", metadata={"title": "t"}, deposit=5)
    assert (again.body, again.replayed) == (ended.result, True)


async def test_an_accepted_version_ends_with_what_a_caller_who_waits_gets(desk):
    proposal_id = await desk.created()
    approval_id = await desk.to_consent(proposal_id)

    operation = await desk.submit_version(proposal_id, created_by="colleague", expected_revision=3)
    ended = await desk.run(operation)

    assert ended.operation_type.value == "CREATE_PROPOSAL_VERSION"
    answer = json.loads(ended.result)
    assert (answer["version"]["version_no"], answer["proposal"]["current_state"]) == (2, "DRAFT")
    assert answer["latest_workflow_event"]["reason"] == {
        "returned_to_draft": True,
        "voided_approvals": [approval_id],
    }
    assert answer["version"]["proposal_result"]["lineage"]["idempotency_key"] is None
    version_id = answer["version"]["proposal_version_id"]
    assert (version_id, "CAUSED_BY", operation.operation_id) in desk.edges()


async def test_a_correlation_id_is_a_reason_only_if_it_was_sent(desk):
    drawn = await desk.run(await desk.submit_create("key-1", sent=None))
    sent = await desk.run(await desk.submit_create("key-2", sent="corr-1"))

    reasons = [json.loads(one.result)["latest_workflow_event"]["reason"] for one in (drawn, sent)]
    assert reasons == [{}, {"correlation_id": "corr-1"}]


async def test_bodies_of_any_size_have_the_hash_they_would_have_at_once():
    simulate_request = json.loads(a_proposal_body(positions=150, max_turnover_pct="0.10"))
    body = json.dumps({"created_by": "adviser", "simulate_request": simulate_request}).encode()
    assert len(body) > documents.LOOP_BODY_BYTES_MAX
    desk = ProposalDesk(idle=True)

    operation = await desk.operations.submit_create(
        Caller.local(), body, idempotency_key="key-1", correlation_id="c", correlation_sent=None
    )
    assert desk.offloaded == ["read_creation"]
    ended = await desk.run(operation)

    again = await desk.flow.create(Caller.local(), body, idempotency_key="key-1", correlation_id=None)
    assert (again.body, again.replayed) == (ended.result, True)


async def test_only_a_body_that_is_wrong_is_refused_at_once(desk):
    with pytest.raises(RequestInvalid):
        await desk.operations.submit_create(
            Caller.local(), b"{}", idempotency_key="key-1", correlation_id="c", correlation_sent=None
        )
    with pytest.raises(RequestInvalid):
        await desk.submit_version("pp_none", created_by=None)

    assert await desk.submit_version("pp_none")
    assert await desk.submit_create(options=OFF)


async def failed(desk, operation):
    """The code and message an operation failed with."""
    ended = await desk.run(operation)
    assert (ended.status, ended.result) == (OperationStatus.FAILED, None)
    assert ended.finished_at == desk.at
    return ended.error.code, ended.error.message


async def test_what_a_caller_who_waits_is_refused_with_fails_the_operation(desk):
    assert await failed(desk, await desk.submit_create(options=OFF)) == ("ProposalValidationError", DISABLED)
    proposal_id = await desk.created()

    async def version(**changes):
        return await failed(desk, await desk.submit_version(changes.pop("of", proposal_id), **changes))

    assert await version(of="pp_none") == ("ProposalNotFoundError", "PROPOSAL_NOT_FOUND")
    assert await version(options=OFF) == ("ProposalValidationError", DISABLED)
    assert await version(portfolio_id="pf_2") == ("ProposalValidationError", "PORTFOLIO_CONTEXT_MISMATCH")
    assert await version(expected_revision=2) == (
        "ProposalStateConflictError",
        "STATE_CONFLICT: expected_revision mismatch",
    )
    assert await failed(desk, await desk.submit_create(deposit=5)) == (
        "ProposalIdempotencyConflictError",
        HELD,
    )
    await desk.move(proposal_id, "CANCELLED", "DRAFT")
    assert await version() == (
        "ProposalValidationError",
        "PROPOSAL_TERMINAL_STATE: cannot create version",
    )
    assert (desk.count(), (await desk.get(proposal_id)).revision) == (1, 2)


async def test_a_key_that_was_taken_by_the_same_request_ends_with_what_it_stands_for(desk):
    operations = [await desk.submit_create(correlation_id=f"corr-{number}") for number in range(3)]
    first = await desk.create()
    desk.wait(60)

    ended = [await desk.run(operation) for operation in operations]

    assert [one.status for one in ended] == [OperationStatus.SUCCEEDED] * 3
    assert {one.result for one in ended} == {first.body}
    assert desk.count() == 1


async def test_many_operations_with_one_key_make_one_proposal(desk):
    operations = [await desk.submit_create() for _ in range(4)]

    ended = await asyncio.gather(*(desk.run(operation) for operation in operations))

    assert len({one.result for one in ended}) == desk.count() == 1
    assert {one.status for one in ended} == {OperationStatus.SUCCEEDED}


async def test_many_versions_get_numbers_of_their_own(desk):
    proposal_id = await desk.created()
    operations = [await desk.submit_version(proposal_id, deposit=number) for number in range(4)]

    ended = await asyncio.gather(*(desk.run(operation) for operation in operations))

    numbers = [json.loads(one.result)["version"]["version_no"] for one in ended]
    assert sorted(numbers) == [2, 3, 4, 5]
    assert (await desk.get(proposal_id)).version_no == 5


async def test_who_is_overtaken_at_the_end_decides_anew(desk, monkeypatch):
    proposal_id = await desk.created()
    operation = await desk.submit_version(proposal_id)
    finish, tries = desk.store.operations.finish, []

    async def overtaken(claim, ending):
        tries.append(ending)
        if len(tries) == 1:
            await desk.add_version(proposal_id, deposit=5)
        return await finish(claim, ending)

    monkeypatch.setattr(desk.store.operations, "finish", overtaken)

    ended = await desk.run(operation)

    assert (len(tries), json.loads(ended.result)["version"]["version_no"]) == (2, 3)


async def test_a_store_that_is_away_for_a_moment_fails_no_operation(desk, monkeypatch):
    monkeypatch.setattr(proposal_work, "RETRY_SECONDS", 0.001)
    proposal_id = await desk.created()
    operation = await desk.submit_version(proposal_id)
    get, away = desk.store.proposals.get, [StoreUnavailable(), StoreUnavailable()]

    async def sometimes(*of):
        if away:
            raise away.pop()
        return await get(*of)

    monkeypatch.setattr(desk.store.proposals, "get", sometimes)

    assert (await desk.run(operation)).status is OperationStatus.SUCCEEDED


async def test_an_error_of_ours_ends_the_operation_and_names_its_kind(desk, monkeypatch):
    async def breaks(*args):
        raise ZeroDivisionError

    monkeypatch.setattr(desk.flow.documents, "simulate", breaks)

    assert await failed(desk, await desk.submit_create()) == (
        EXECUTION_ERROR,
        "the operation failed with ZeroDivisionError",
    )


async def test_without_workers_the_process_does_what_it_accepted():
    desk = ProposalDesk()
    operation = await desk.submit_create()
    assert not operation.is_queued

    await settled(desk)

    ended = await desk.operations.get(Caller.local(), operation.operation_id)
    assert (ended.status, ended.attempt) == (OperationStatus.SUCCEEDED, 1)
    assert told(await desk.create())["proposal"] == json.loads(ended.result)["proposal"]


async def test_what_a_dead_process_had_accepted_is_done_by_another():
    dead = ProposalDesk(idle=True, lease_seconds=60)
    proposal_id = await dead.created()
    waiting = await dead.submit_version(proposal_id, deposit=5)
    begun = await dead.submit_create("key-2")
    await dead.claim(begun)
    alive = ProposalDesk(dead.store, lease_seconds=60)
    alive.drawn = 1_000

    await alive.operations.resume(Caller.local())
    await settled(alive)

    assert (await alive.read(waiting)).status is OperationStatus.SUCCEEDED
    assert (await alive.get(proposal_id)).version_no == 2
    assert (await alive.read(begun)).status is OperationStatus.RUNNING
    alive.wait(61)
    await alive.reaper.run_once(Caller.local())
    await alive.operations.resume(Caller.local())
    await settled(alive)
    ended = await alive.read(begun)
    assert (ended.status, ended.attempt, alive.count()) == (OperationStatus.SUCCEEDED, 2, 2)


async def test_what_waits_for_a_worker_is_left_to_it(monkeypatch):
    store = MemoryStore()
    waiting = await ProposalDesk(store, idle=True).submit_create()
    held = store.operations.list

    async def queued(*args, **kwargs):
        page = await held(*args, **kwargs)
        return Page(tuple(replace(head, is_queued=True) for head in page.items), page.next_cursor)

    monkeypatch.setattr(store.operations, "list", queued)
    server = ProposalDesk(store)

    await server.operations.resume(Caller.local())
    await settled(server)

    assert (await server.read(waiting)).status is OperationStatus.PENDING


async def test_a_process_that_stops_hands_back_what_it_does(monkeypatch):
    desk = ProposalDesk()
    operation = await desk.submit_create()
    await stalled(monkeypatch, desk)
    assert (await desk.read(operation)).status is OperationStatus.RUNNING

    async with asyncio.timeout(HANG_SECONDS):
        await desk.operations.close()

    left = await desk.read(operation)
    assert (left.status, left.attempt, desk.count()) == (OperationStatus.PENDING, 0, 0)
    other = ProposalDesk(desk.store)
    await other.operations.resume(Caller.local())
    await settled(other)
    assert (await other.read(operation)).status is OperationStatus.SUCCEEDED


async def test_what_was_only_just_accepted_is_not_begun_by_a_process_that_stops(monkeypatch):
    desk = ProposalDesk()
    operation = await desk.submit_create()

    async def never(*args):
        await asyncio.Event().wait()

    monkeypatch.setattr(desk.flow.documents, "simulate", never)

    async with asyncio.timeout(HANG_SECONDS):
        await desk.operations.close()

    late = await desk.submit_create("key-2")
    await settled(desk)
    for one in (operation, late):
        assert (await desk.read(one)).status is OperationStatus.PENDING


async def test_resuming_goes_on_after_a_failure(desk, monkeypatch):
    looks = []

    async def look(_):
        looks.append(len(looks))
        if len(looks) == 1:
            raise StoreUnavailable()
        if len(looks) == 2:
            raise ZeroDivisionError

    monkeypatch.setattr(desk.operations, "resume", look)
    task = asyncio.create_task(desk.operations.resume_every(Caller.local(), 0.001))
    await until(lambda: len(looks) > 2)
    task.cancel()

    assert looks[:3] == [0, 1, 2]


async def test_what_was_accepted_does_not_expire(desk):
    ended, waiting = await desk.submit_create("key-1"), await desk.submit_create("key-2")
    await desk.run(ended)
    desk.wait(30 * DAY)

    await desk.reaper.run_once(Caller.local())
    await purges_of(desk).run(Caller.local())

    assert (await desk.operations.get(Caller.local(), ended.operation_id)).status is OperationStatus.SUCCEEDED
    assert (await desk.operations.get(Caller.local(), waiting.operation_id)).status is OperationStatus.PENDING
    assert (await desk.run(waiting)).status is OperationStatus.SUCCEEDED


async def test_the_newest_operation_of_a_correlation_is_found_whatever_it_does(desk):
    await desk.submit_create("key-1")
    desk.wait(1)
    newest = await desk.submit_version("pp_none")
    desk.at -= timedelta(seconds=5)
    await desk.submit_create("key-2")

    found = await desk.operations.get_newest_by_correlation(Caller.local(), "corr-1")

    assert found == newest
    with pytest.raises(ProposalOperationNotFound):
        await desk.operations.get_newest_by_correlation(Caller.local(), "corr-2")
    with pytest.raises(ProposalOperationNotFound):
        await desk.operations.get(Caller.local(), "pop_none")


async def test_operations_of_proposals_and_analyses_are_kept_apart():
    analyses = Desk()
    desk = ProposalDesk(analyses.store, idle=True)
    desk.drawn = 1_000
    analysis = await analyses.submit(correlation_id="corr-1")
    operation = await desk.submit_create(correlation_id="corr-1")

    with pytest.raises(ProposalOperationNotFound):
        await desk.operations.get(Caller.local(), analysis.operation_id)
    with pytest.raises(OperationNotFound):
        await analyses.flow.get(Caller.local(), operation.operation_id)
    with pytest.raises(OperationNotFound):
        await analyses.flow.execute(Caller.local(), operation.operation_id)
    assert await desk.operations.get_newest_by_correlation(Caller.local(), "corr-1") == operation
    assert await analyses.flow.get_newest_by_correlation(Caller.local(), "corr-1") == analysis
    for operations in (OperationFilter(), OperationFilter(correlation_id="corr-1", status="PENDING")):
        page = await analyses.flow.list(Caller.local(), operations, limit=10, cursor=None)
        assert [head.operation_id for head in page.items] == [analysis.operation_id]
    of_ours = OperationFilter(operation_type="CREATE_PROPOSAL")
    assert (await analyses.flow.list(Caller.local(), of_ours, limit=10, cursor=None)).items == ()


async def test_nothing_is_seen_of_a_creation_before_its_operation_ends(desk, monkeypatch):
    operation = await desk.submit_create()
    [attempt] = await stalled(monkeypatch, desk, desk.runner.run(await desk.claim(operation)))

    with pytest.raises(ProposalKeyNotFound):
        await desk.flow.get_key(Caller.local(), "key-1")
    assert (await desk.read(operation)).status is OperationStatus.RUNNING
    attempt.cancel()
    await asyncio.wait({attempt})

    assert (await desk.read(operation)).status is OperationStatus.PENDING
    assert desk.count() == 0
