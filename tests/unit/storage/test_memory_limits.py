"""A memory holds so much, lets the oldest go, and costs the collector nothing."""

import gc

import pytest
import structlog

from service.domains.dpm_runs.supportability import Subject
from service.domains.dpm_runs.values import DEFAULT_TENANT, RunStatus
from service.domains.operations import OperationFilter
from service.domains.retention.cutoffs import KEEP_ALL
from service.errors.dpm_runs import RunNotFound
from service.errors.proposals import ProposalNotFound
from service.errors.storage import StoreUnavailable
from service.errors.storage_causes import StoreCause
from service.storage.memory.store import MemoryStore
from service.storage.memory.tables.limits import OPERATIONS_SHARE, PROPOSALS_SHARE, SIMULATIONS_SHARE
from tests.integration.contract.builders import (
    REVIEWED,
    a_batch,
    a_lease,
    a_replay,
    a_verdict,
    after,
    an_admission,
    an_operation,
    ending_of,
    failed,
)
from tests.integration.contract.proposal_builders import a_creation, a_simulation


async def admit(store, number, **fields):
    admission = an_admission(
        idempotency_key=f"key-{number}",
        correlation_id=f"corr-{number}",
        artifact=True,
        status=RunStatus.PENDING_REVIEW,
        created_at=after(number),
        **fields,
    )
    await store.dpm_runs.admit(admission, KEEP_ALL)
    await store.workflow_decisions.decide(a_verdict(admission.run), REVIEWED, KEEP_ALL)
    return admission.run


def sizes_of(store):
    return {name: len(table) for name, table in zip(NAMES, store.state.tables, strict=True)}


NAMES = [
    name
    for name in MemoryStore().state.__dataclass_fields__
    if hasattr(part := getattr(MemoryStore().state, name), "shelves") or isinstance(part, dict | set)
]


async def test_at_the_bound_everything_is_kept_and_one_over_it_the_oldest_goes_whole():
    store = MemoryStore(runs_max=10)
    runs = [await admit(store, number) for number in range(10)]
    full = sizes_of(store)
    assert await store.dpm_runs.get(DEFAULT_TENANT, runs[0].rebalance_run_id, KEEP_ALL) == runs[0]

    runs.append(await admit(store, 10))

    with pytest.raises(RunNotFound):
        await store.dpm_runs.get(DEFAULT_TENANT, runs[0].rebalance_run_id, KEEP_ALL)
    assert await store.dpm_runs.get(DEFAULT_TENANT, runs[1].rebalance_run_id, KEEP_ALL) == runs[1]
    # Keys, history, artifact, decision, edges, request and every place among them went along.
    assert sizes_of(store) == full


async def test_far_over_the_bound_no_more_is_kept_than_at_it():
    store = MemoryStore(runs_max=10)
    for number in range(10):
        await admit(store, number)
    full = sizes_of(store)

    for number in range(10, 200):
        await admit(store, number)

    assert sizes_of(store) == full
    summary = await store.supportability.summarise(DEFAULT_TENANT, KEEP_ALL)
    assert summary.total(Subject.RUN_STATUS) == 10


async def test_a_key_whose_run_went_is_free_again():
    store = MemoryStore(runs_max=2)
    for number in range(3):
        await admit(store, number)

    again = await store.dpm_runs.admit(
        an_admission(idempotency_key="key-0", request_hash="another", created_at=after(9)), KEEP_ALL
    )

    assert not again.replayed


async def test_a_replay_keeps_the_request_of_an_original_that_goes():
    store = MemoryStore(runs_max=1)
    original = await admit(store, 0)
    replay = a_replay(original)

    await store.dpm_runs.admit_replay(replay, KEEP_ALL)

    sealed = await store.dpm_runs.get_sealed(DEFAULT_TENANT, replay.run.rebalance_run_id, KEEP_ALL)
    assert sealed.run == replay.run
    with pytest.raises(RunNotFound):
        await store.dpm_runs.get(DEFAULT_TENANT, original.rebalance_run_id, KEEP_ALL)


async def test_a_batch_pushes_out_as_many_as_it_brings():
    store = MemoryStore(runs_max=3)
    old = [await admit(store, number) for number in range(3)]
    batch = a_batch("a", "b", created_at=after(9))

    await store.dpm_runs.admit_batch(batch)

    assert {run_id for _, run_id in store.state.runs} == {
        old[2].rebalance_run_id,
        *(run.rebalance_run_id for run in batch.runs),
    }


async def test_it_is_told_once_that_memory_is_nearly_full():
    store = MemoryStore(runs_max=10)
    with structlog.testing.capture_logs() as told:
        for number in range(7):
            await admit(store, number)
        assert told == []
        for number in range(7, 30):
            await admit(store, number)

    assert [(line["event"], line["kind"], line["count"]) for line in told] == [
        ("memory_nearly_full", "runs", 8)
    ]


async def test_operations_that_have_ended_go_first_and_those_that_have_not_are_never_lost():
    store = MemoryStore(runs_max=3 * OPERATIONS_SHARE)
    waiting = an_operation(created_at=after(0))
    ended = an_operation(created_at=after(1))
    for operation in (waiting, ended):
        await store.operations.submit(operation)
    claim = await store.operations.claim(DEFAULT_TENANT, ended.operation_id, a_lease(2))
    await store.operations.finish(claim, ending_of(failed(claim.operation)))
    third, fourth, fifth = (an_operation(created_at=after(number)) for number in (3, 4, 5))

    await store.operations.submit(third)
    await store.operations.submit(fourth)
    with pytest.raises(StoreUnavailable) as full:
        await store.operations.submit(fifth)

    page = await store.operations.list(
        DEFAULT_TENANT, OperationFilter(), limit=10, cursor=None, cutoff=KEEP_ALL
    )
    assert [head.operation_id for head in page.items] == [
        one.operation_id for one in (fourth, third, waiting)
    ]
    assert full.value.cause is StoreCause.EXHAUSTED


async def test_the_oldest_simulation_goes():
    store = MemoryStore(runs_max=2 * SIMULATIONS_SHARE)
    for number in range(5):
        simulation = a_simulation(idempotency_key=f"key-{number}", created_at=after(number))
        await store.proposal_simulations.keep(simulation, kept_since=after(0))

    assert [key for _, key in store.state.simulations] == ["key-3", "key-4"]


async def test_the_oldest_proposal_goes_with_everything_that_is_kept_of_it():
    store = MemoryStore(runs_max=2 * PROPOSALS_SHARE)
    creations = [a_creation(key=f"key-{number}", created_at=after(number)) for number in range(2)]
    for creation in creations:
        await store.proposals.change(creation)
    full = sizes_of(store)

    await store.proposals.change(a_creation(key="key-2", created_at=after(2)))

    with pytest.raises(ProposalNotFound):
        await store.proposals.get(DEFAULT_TENANT, creations[0].proposal.proposal_id)
    assert sizes_of(store) == full


async def test_a_store_that_serves_gives_the_collector_nothing_to_walk():
    store = MemoryStore.open(10_000)
    try:
        gc.collect()
        before = len(gc.get_objects())
        for number in range(300):
            await admit(store, number, result=b"9" * 10)
            await store.proposals.change(a_creation(key=f"key-{number}", created_at=after(number)))
            await store.operations.submit(an_operation(created_at=after(number)))
        gc.collect()

        # A handful for what the walk itself has made, where each row would be a dozen.
        assert len(gc.get_objects()) - before < 300
    finally:
        await store.close()


async def test_what_goes_is_freed_without_the_collector():
    store = MemoryStore.open(1)
    freed = []
    gc.disable()
    try:
        for number in range(3):
            await admit(store, number, result=Result(b"9" * 10, freed=freed))
        assert len(freed) == 2
    finally:
        gc.enable()
        await store.close()


class Result(bytes):
    """Tells when it is gone."""

    def __new__(cls, value, freed):
        result = super().__new__(cls, value)
        result.freed = freed
        return result

    def __del__(self):
        self.freed.append(bytes(self))


async def test_a_closed_store_leaves_no_callback_behind():
    before = list(gc.callbacks)
    store = MemoryStore.open(10)
    assert len(gc.callbacks) == len(before) + 1

    await store.close()

    assert gc.callbacks == before
