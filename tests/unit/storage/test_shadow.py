"""A shadow repeats what the primary keeps; whatever it does, the primary's callers notice nothing."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import fields, replace

import pytest

from service.domains.callers import DEFAULT_TENANT
from service.domains.dpm_runs.values import Recorded, RunStatus
from service.domains.operations import CANCELLATION, OperationStatus
from service.domains.retention.cutoffs import KEEP_ALL
from service.domains.shadow_differences import DifferenceKind, ShadowDifferenceFilter
from service.errors.dpm_runs import RunNotFound
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.operations import OperationNotPending
from service.errors.storage import StoreUnavailable
from service.runtime.clock import SystemClock, TimeOrderedIds
from service.storage.memory.store import MemoryStore
from service.storage.ports import operations, policy_packs, proposals
from service.storage.ports import store as port
from service.storage.shadow import backlog, connection, difference_log, replicator
from service.storage.shadow.factory import shadowed
from service.storage.shadow.store import ACTS
from tests.integration.contract.builders import (
    OTHER_HASH,
    REVIEWED,
    a_lease,
    a_purge,
    a_verdict,
    after,
    an_admission,
    an_answer,
    an_operation,
    runs_since,
)
from tests.integration.contract.proposal_builders import a_creation

TURNS_MAX = 20_000


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(connection, "PAUSE_SECONDS_FIRST", 0.0)
    monkeypatch.setattr(backlog, "ASIDE_SECONDS", 0.0)
    monkeypatch.setattr(difference_log, "GATHERED_SECONDS", 0.0)


class Beside:
    """A primary with a shadow that can be away, and what became of both."""

    def __init__(self, shadow, *, acts_waiting_max=1000, patience_seconds=0.0, measures=None):
        self.primary, self.shadow, self.is_away = MemoryStore(), shadow, False
        told = {} if measures is None else {"measures": measures}
        self.store = shadowed(
            self.primary,
            self.open_shadow,
            backend="IN_MEMORY",
            clock=SystemClock(),
            new_id=TimeOrderedIds(),
            acts_waiting_max=acts_waiting_max,
            patience_seconds=patience_seconds,
            **told,
        )

    async def open_shadow(self):
        if self.is_away:
            raise StoreUnavailable()
        return self.shadow

    async def settle(self):
        """Waits until nothing waits for the shadow."""
        for _ in range(TURNS_MAX):
            if not self.store.counts().waiting:
                break
            await asyncio.sleep(0)
        assert not self.store.counts().waiting
        await self.store.replicator._journal.flush()

    async def found(self):
        page = await self.primary.shadow_differences.list(
            DEFAULT_TENANT, ShadowDifferenceFilter(), limit=200, cursor=None
        )
        return list(reversed(page.items))

    async def kinds(self):
        await self.settle()
        return [difference.kind for difference in await self.found()]


@pytest.fixture
async def beside():
    opened = []

    def begin(shadow=None, **options):
        opened.append(Beside(shadow or MemoryStore(), **options))
        return opened[-1]

    yield begin
    for one in opened:
        await one.store.close()


def equal(one, other):
    def rows(store, name):
        value = getattr(store.state, name)
        return getattr(value, "shelves", value)

    left_out = {"differences", "differences_by_time", "closed", "trim"}
    names = [part.name for part in fields(one.state) if part.name not in left_out]
    return [name for name in names if rows(one, name) != rows(other, name)] == []


async def turns(count=50):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_the_primary_keeps_the_shadow_keeps_too(beside):
    both = beside()
    admission = an_admission(status=RunStatus.PENDING_REVIEW, artifact=True)
    await both.store.dpm_runs.admit(admission, KEEP_ALL)
    await both.store.dpm_runs.admit(an_admission(), KEEP_ALL)
    await both.store.workflow_decisions.decide(a_verdict(admission.run), REVIEWED, KEEP_ALL)
    operation = an_operation()
    await both.store.operations.submit(operation)
    claim = await both.store.operations.claim(DEFAULT_TENANT, operation.operation_id, a_lease())
    await both.store.operations.release(claim, a_lease())
    await both.store.proposals.change(a_creation())

    assert await both.kinds() == []
    assert equal(both.primary, both.shadow)
    assert both.store.counts().applied == 7


async def test_answers_under_keys_and_cancelled_operations_are_kept_by_the_shadow_too(beside):
    both = beside()
    admission = an_admission(status=RunStatus.PENDING_REVIEW)
    await both.store.dpm_runs.admit(admission, KEEP_ALL)
    review = an_answer(admission.run.rebalance_run_id)
    operation, overdue = an_operation(operation_id="dop_1"), an_operation(operation_id="dop_2")
    for _ in range(2):
        await both.store.workflow_decisions.decide_once(a_verdict(admission.run), REVIEWED, KEEP_ALL, review)
        await both.store.operations.submit_once(operation, an_answer("dop_1"), KEEP_ALL)
    with pytest.raises(IdempotencyKeyConflict):
        await both.store.operations.submit_once(
            overdue, an_answer("dop_2", request_hash=OTHER_HASH), KEEP_ALL
        )
    await both.store.operations.fail(DEFAULT_TENANT, "dop_1", now=after(5), error=CANCELLATION)
    await both.store.operations.submit(overdue)
    await both.store.operations.claim(DEFAULT_TENANT, "dop_2", a_lease())
    await both.store.operations.fail_overdue(
        DEFAULT_TENANT, started_before=after(9), now=after(9), error=CANCELLATION, limit=10
    )

    assert await both.kinds() == []
    assert equal(both.primary, both.shadow)
    assert {one.status for one in both.shadow.state.operations.values()} == {OperationStatus.FAILED}
    assert len(both.shadow.state.answers) == 2


async def test_reads_are_answered_by_the_primary_alone(beside):
    both = beside()
    admission = an_admission()
    await both.shadow.dpm_runs.admit(admission, KEEP_ALL)

    with pytest.raises(RunNotFound):
        await both.store.dpm_runs.get(DEFAULT_TENANT, admission.run.rebalance_run_id, KEEP_ALL)


class Lying(MemoryStore):
    """Answers as it should and keeps something else."""

    def __init__(self):
        super().__init__()
        admit = self.dpm_runs.admit

        async def lie(admission, cutoff):
            await admit(replace(admission, run=replace(admission.run, result=b"{}")), cutoff)
            return Recorded(admission.run, replayed=False)

        self.dpm_runs.admit = lie


class Losing(MemoryStore):
    """Answers as it should and keeps nothing."""

    def __init__(self):
        super().__init__()

        async def lose(admission, cutoff):
            return Recorded(admission.run, replayed=False)

        self.dpm_runs.admit = lose


@pytest.mark.parametrize(("kind", "place"), [(Lying, "run.run.result"), (Losing, "run")])
async def test_a_shadow_that_does_not_keep_what_it_says_is_found_out(beside, kind, place):
    both = beside(kind())
    admission = an_admission()

    await both.store.dpm_runs.admit(admission, KEEP_ALL)
    await both.settle()

    (difference,) = await both.found()
    assert (difference.kind, difference.act) == (DifferenceKind.OUTCOME, "dpm_runs.admit")
    assert (difference.entity_id, difference.place) == (admission.run.rebalance_run_id, place)
    assert difference.correlation_id == admission.run.correlation_id
    assert admission.run.result.decode() not in difference.primary_text


async def test_a_shadow_that_answers_otherwise_is_found_out(beside):
    shadow = MemoryStore()
    decide = shadow.workflow_decisions.decide

    async def misnumber(verdict, rule, cutoff):
        head, decision = await decide(verdict, rule, cutoff)
        return head, replace(decision, decision_no=7)

    shadow.workflow_decisions.decide = misnumber
    both = beside(shadow)
    admission = an_admission(status=RunStatus.PENDING_REVIEW)
    await both.store.dpm_runs.admit(admission, KEEP_ALL)
    await both.store.workflow_decisions.decide(a_verdict(admission.run), REVIEWED, KEEP_ALL)

    assert await both.kinds() == [DifferenceKind.OUTCOME]
    (difference,) = await both.found()
    assert difference.place == "outcome.1.decision_no"
    assert (difference.primary_text, difference.shadow_text) == ("1", "7")


def broken(error):
    """A shadow on which nothing can be written."""
    shadow = MemoryStore()

    async def fail(*args, **named):
        raise error

    for noun, acts in ACTS.items():
        for name in acts:
            setattr(getattr(shadow, noun), name, fail)
    return shadow


@pytest.mark.parametrize("error", [ValueError("broken"), AssertionError(), StoreUnavailable(), OSError()])
async def test_a_failing_shadow_never_harms_the_primary(beside, error):
    both = beside(broken(error))
    admission = an_admission()

    assert await both.store.dpm_runs.admit(admission, KEEP_ALL) == Recorded(admission.run, replayed=False)
    assert await both.store.dpm_runs.admit(admission, KEEP_ALL) == Recorded(admission.run, replayed=True)

    # What can be said of a replay follows from the run that is not there.
    assert await both.kinds() == [DifferenceKind.FAILED, DifferenceKind.CONSEQUENCE]
    await both.store.check()


async def test_a_shadow_that_never_answers_holds_nobody_up_and_lets_the_primary_close(beside, monkeypatch):
    monkeypatch.setattr(replicator, "DRAIN_SECONDS_MAX", 0.0)
    shadow = MemoryStore()

    async def hang(*args):
        await asyncio.Event().wait()

    shadow.dpm_runs.admit = hang
    both = beside(shadow, acts_waiting_max=3)
    asked = [an_admission(idempotency_key=f"key-{n}") for n in range(5)]
    for admission in asked:
        assert (await both.store.dpm_runs.admit(admission, KEEP_ALL)).run == admission.run
    await turns()
    assert (both.store.counts().waiting, both.store.counts().missed) == (3, 2)

    await both.store.close()

    assert both.primary.state.closed
    kept = {difference.entity_id for difference in both.primary.state.differences.values()}
    assert kept == {admission.run.rebalance_run_id for admission in asked}
    assert both.store.counts().missed == 5


async def test_while_the_shadow_is_away_acts_wait_up_to_the_bound_and_go_on_when_it_is_back(beside):
    both = beside(acts_waiting_max=2)
    both.is_away = True
    asked = [an_admission(idempotency_key=f"key-{n}", status=RunStatus.PENDING_REVIEW) for n in range(4)]
    for admission in asked:
        await both.store.dpm_runs.admit(admission, KEEP_ALL)
    await turns()
    assert (both.store.counts().waiting, both.store.counts().missed) == (2, 2)

    both.is_away = False
    assert await both.kinds() == [DifferenceKind.MISSED] * 2
    await both.store.dpm_runs.admit(an_admission(idempotency_key="key-5"), KEEP_ALL)
    # A review of what was missed says nothing of the shadow.
    await both.store.workflow_decisions.decide(a_verdict(asked[3].run), REVIEWED, KEEP_ALL)

    assert await both.kinds() == [*[DifferenceKind.MISSED] * 2, DifferenceKind.CONSEQUENCE]
    assert both.store.counts().applied == 3
    assert len(both.shadow.state.runs) == 3


async def test_what_a_shadow_kept_and_did_not_say_so_is_no_difference(beside):
    shadow = MemoryStore()
    admit, cut = shadow.dpm_runs.admit, [True]

    async def shutdown_timeout(admission, cutoff):
        answer = await admit(admission, cutoff)
        if cut.pop() if cut else False:
            raise StoreUnavailable()
        return answer

    shadow.dpm_runs.admit = shutdown_timeout
    both = beside(shadow)
    await both.store.dpm_runs.admit(an_admission(), KEEP_ALL)

    assert await both.kinds() == []
    assert equal(both.primary, both.shadow)


async def test_acts_on_one_thing_are_repeated_in_their_order_and_others_may_overtake(beside):
    shadow, begun, gate = MemoryStore(), [], asyncio.Event()
    admit = shadow.dpm_runs.admit

    async def slow(admission, cutoff):
        begun.append(admission.run.rebalance_run_id)
        if admission.run.idempotency_key == "slow":
            await gate.wait()
        return await admit(admission, cutoff)

    shadow.dpm_runs.admit = slow
    both = beside(shadow)
    first = an_admission(idempotency_key="slow", replay=False)
    other = an_admission(idempotency_key="other", replay=False)
    second = an_admission(idempotency_key="slow", replay=False)
    for admission in (first, other, second):
        await both.store.dpm_runs.admit(admission, KEEP_ALL)
    await turns()
    assert begun == [first.run.rebalance_run_id, other.run.rebalance_run_id]

    gate.set()

    assert await both.kinds() == []
    assert begun[2:] == [second.run.rebalance_run_id]
    assert equal(both.primary, both.shadow)


async def test_what_the_primary_refuses_is_never_written_to_the_shadow(beside):
    both = beside()
    kept = an_admission()
    await both.store.dpm_runs.admit(kept, KEEP_ALL)
    with pytest.raises(IdempotencyKeyConflict):
        await both.store.dpm_runs.admit(an_admission(request_hash=OTHER_HASH), KEEP_ALL)
    assert await both.kinds() == []

    # The shadow would have taken the second for a replay.
    key = next(iter(both.shadow.state.keys))
    both.shadow.state.keys[key] = replace(both.shadow.state.keys[key], request_hash=OTHER_HASH)
    with pytest.raises(IdempotencyKeyConflict):
        await both.store.dpm_runs.admit(an_admission(request_hash=OTHER_HASH), KEEP_ALL)

    assert await both.kinds() == [DifferenceKind.OUTCOME]
    (difference,) = await both.found()
    assert (difference.primary_text, difference.shadow_text) == ("IDEMPOTENCY_KEY_CONFLICT", "None")
    assert len(both.shadow.state.runs) == 1


async def test_an_act_waits_for_what_another_process_tells_the_shadow_late(beside):
    both = beside(patience_seconds=1000.0)
    operation = an_operation()
    await both.primary.operations.submit(operation)
    claim = await both.store.operations.claim(DEFAULT_TENANT, operation.operation_id, a_lease())
    await both.store.operations.release(claim, a_lease())
    await turns()
    assert both.store.counts().waiting == 2

    await both.shadow.operations.submit(operation)

    assert await both.kinds() == []
    assert equal(both.primary, both.shadow)


async def test_what_the_shadow_never_had_is_told_apart_from_a_disagreement(beside):
    both = beside()
    operation = an_operation()
    await both.primary.operations.submit(operation)

    await both.store.operations.claim(DEFAULT_TENANT, operation.operation_id, a_lease())

    assert await both.kinds() == [DifferenceKind.CONSEQUENCE]


async def test_a_claim_the_primary_refuses_takes_nothing_on_the_shadow(beside):
    both = beside()
    operation = an_operation()
    await both.store.operations.submit(operation)
    await both.primary.operations.claim(DEFAULT_TENANT, operation.operation_id, a_lease())
    with pytest.raises(OperationNotPending):
        await both.store.operations.claim(DEFAULT_TENANT, operation.operation_id, a_lease())

    assert await both.kinds() == [DifferenceKind.OUTCOME]
    held = await both.shadow.operations.get(DEFAULT_TENANT, operation.operation_id, KEEP_ALL)
    assert held.status is OperationStatus.PENDING


async def test_the_shadow_keeps_a_queued_operation_and_offers_it_to_nobody(beside):
    both = beside()
    operation = an_operation(is_queued=True)
    told, submit = [], both.primary.operations.submit

    async def with_queue(operation, *, enqueue=True, **named):
        told.append(enqueue)
        await submit(operation, enqueue=False, **named)

    both.primary.operations.submit = with_queue
    store = both.store.beside(both.primary)
    await store.operations.submit(operation)
    expired = await store.operations.expire(DEFAULT_TENANT, created_before=after(10), now=after(10), limit=10)

    assert (told, expired) == ([True], ())
    assert await both.kinds() == []
    held = await both.shadow.operations.get(DEFAULT_TENANT, operation.operation_id, KEEP_ALL)
    assert held.is_queued


async def test_a_sweep_moves_on_the_shadow_what_it_moved_on_the_primary_and_nothing_else(beside):
    both = beside()
    ended, extended = an_operation(), an_operation(created_at=after(1))
    for operation in (extended, ended):
        await both.store.operations.submit(operation)
        claim = await both.store.operations.claim(DEFAULT_TENANT, operation.operation_id, a_lease(0, until=5))
        if operation is extended:
            # Another process did, and its shadow is late.
            await both.primary.operations.extend(claim, a_lease(1, until=100))
    reaped = await both.store.operations.reap(DEFAULT_TENANT, now=after(50), attempts_max=3, limit=10)

    assert reaped.requeued == (ended.operation_id,)
    assert await both.kinds() == []
    held = await both.shadow.operations.get(DEFAULT_TENANT, extended.operation_id, KEEP_ALL)
    assert held.status is OperationStatus.RUNNING


async def test_retention_removes_from_both_and_what_was_missed_makes_no_disagreement(beside):
    both = beside()
    await both.primary.dpm_runs.admit(an_admission(idempotency_key="missed"), KEEP_ALL)
    await both.store.dpm_runs.admit(an_admission(), KEEP_ALL)
    await both.settle()
    removed = await both.store.retention.remove(a_purge(runs_since(5)))

    assert removed.runs == 2
    assert await both.kinds() == [DifferenceKind.CONSEQUENCE]
    assert both.shadow.state.runs == {}


async def test_a_shadow_that_removes_too_much_is_found_out(beside):
    both = beside()
    await both.store.dpm_runs.admit(an_admission(), KEEP_ALL)
    await both.shadow.dpm_runs.admit(an_admission(idempotency_key="more"), KEEP_ALL)
    await both.settle()
    await both.store.retention.remove(a_purge(runs_since(5)))

    assert await both.kinds() == [DifferenceKind.OUTCOME]


async def test_of_an_act_that_nobody_knows_the_end_of_nothing_is_concluded(beside):
    both = beside()
    admit, admission = both.primary.dpm_runs.admit, an_admission()

    async def shutdown_timeout(*args):
        await admit(*args)
        raise StoreUnavailable()

    both.primary.dpm_runs.admit = shutdown_timeout
    store = both.store.beside(both.primary)
    with pytest.raises(StoreUnavailable):
        await store.dpm_runs.admit(admission, KEEP_ALL)
    both.primary.dpm_runs.admit = admit
    store = both.store.beside(both.primary)
    assert (await store.dpm_runs.admit(admission, KEEP_ALL)).replayed

    assert await both.kinds() == [DifferenceKind.CONSEQUENCE]


async def test_only_so_many_differences_a_minute_are_kept_and_all_are_counted(beside, monkeypatch):
    monkeypatch.setattr(difference_log, "ROWS_PER_MINUTE", 3)
    instant = SystemClock().now()
    monkeypatch.setattr(SystemClock, "now", lambda self: instant)
    both = beside(Losing())
    for number in range(8):
        await both.store.dpm_runs.admit(an_admission(idempotency_key=f"key-{number}"), KEEP_ALL)

    assert await both.kinds() == [DifferenceKind.OUTCOME] * 3
    counts = both.store.counts()
    assert (counts.differed, counts.unrecorded) == (8, 5)


async def test_differences_wait_while_the_primary_cannot_keep_them(beside):
    both = beside(Losing())
    record = both.primary.shadow_differences.record

    async def refuse(differences):
        raise StoreUnavailable()

    both.primary.shadow_differences.record = refuse
    await both.store.dpm_runs.admit(an_admission(), KEEP_ALL)
    assert await both.kinds() == []
    both.primary.shadow_differences.record = record

    assert await both.kinds() == [DifferenceKind.OUTCOME]


async def test_acts_are_held_up_to_so_many_bytes(beside, monkeypatch):
    both = beside()
    both.is_away = True
    both.store.replicator._waiting._bytes_max = 2500
    for number in range(4):
        body = b'{"text":"' + b"x" * 1000 + b'"}'
        await both.store.dpm_runs.admit(an_admission(idempotency_key=f"key-{number}", body=body), KEEP_ALL)

    assert (both.store.counts().waiting, both.store.counts().missed) == (2, 2)
    both.is_away = False


class Measures:
    def __init__(self):
        self.kept, self.kinds, self.missed, self.waiting = 0, [], 0, None

    def shadow_written(self):
        self.kept += 1

    def shadow_differed(self, kind):
        self.kinds.append(kind)

    def shadow_dropped(self):
        self.missed += 1

    def shadow_backlog(self, count):
        self.waiting = count


async def test_whoever_measures_is_told_of_every_act(beside):
    measures, shadow = Measures(), MemoryStore()

    async def fail(*args):
        raise ValueError()

    shadow.dpm_runs.admit = fail
    both = beside(shadow, measures=measures, acts_waiting_max=2)
    for number in range(3):
        await both.store.dpm_runs.admit(an_admission(idempotency_key=f"key-{number}"), KEEP_ALL)
    assert measures.waiting() == 2
    await both.settle()
    await both.store.operations.submit(an_operation())
    await both.settle()

    assert (measures.kept, measures.kinds, measures.missed) == (1, ["FAILED", "FAILED"], 1)
    assert measures.waiting() == 0


async def test_what_cannot_be_described_is_told_and_harms_nobody(beside, monkeypatch):
    both = beside()

    def fail(outcome, *args, **named):
        raise KeyError("broken")

    monkeypatch.setitem(ACTS["dpm_runs"], "admit", fail)
    store = both.store.beside(both.primary)
    admission = an_admission()

    assert (await store.dpm_runs.admit(admission, KEEP_ALL)).run == admission.run


def methods_of(protocol):
    return {name for name, found in vars(protocol).items() if inspect.iscoroutinefunction(found)}


READS = {
    "dpm_runs": {
        "get",
        "get_head",
        "get_sealed",
        "get_newest_by_correlation",
        "get_newest_by_request_hash",
        "get_request",
        "list",
        "list_by_cause",
        "find_newest_batch",
    },
    "artifacts": {"find"},
    "workflow_decisions": {"list_of_run", "find_latest", "list"},
    "policy_packs": {"find_revision", "list_amendments"},
    "operations": {"list_staged", "get", "find_newest_by_correlation", "list"},
    "proposals": {
        "get",
        "list",
        "get_version",
        "list_versions",
        "list_events",
        "list_approvals",
        "list_valid_approvals",
        "find_key",
    },
    "proposal_simulations": {"find"},
    "supportability": {"summarise", "list_unfinished"},
    "retention": {"list_records"},
}
PORTS = {
    "dpm_runs": port.DpmRunStore,
    "artifacts": port.ArtifactStore,
    "workflow_decisions": port.WorkflowDecisionStore,
    "policy_packs": policy_packs.PolicyPackStore,
    "operations": operations.OperationStore,
    "proposals": proposals.ProposalStore,
    "proposal_simulations": proposals.ProposalSimulationStore,
    "supportability": port.SupportabilityStore,
    "retention": port.RetentionStore,
}
# Nothing writes these but acts on other nouns; and differences are the primary's alone.
UNFOLLOWED = {"idempotency", "lineage", "shadow_differences"}


@pytest.mark.parametrize("noun", sorted(PORTS))
def test_every_method_of_a_store_is_known_as_a_read_or_an_act(noun):
    assert methods_of(PORTS[noun]) == READS[noun] | ACTS[noun].keys()


def test_every_noun_of_a_store_is_followed_or_known_not_to_be():
    nouns = {name for name, found in vars(port.Store).items() if isinstance(found, property)}

    assert nouns == PORTS.keys() | UNFOLLOWED
    assert ACTS.keys() == PORTS.keys()
