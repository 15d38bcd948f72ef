"""The queue that wakes workers up: no offer is lost, and none is made to two who live."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import pytest_asyncio

from scripts.harness.postgres import Postgres, create_database, free_port
from service.admin.migrations import migrate
from service.domains.callers import DEFAULT_TENANT
from service.domains.operations import CANCELLATION
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.domains.retention.deletions import DeletedRows
from service.errors.operations import OperationExists, OperationNotFound
from service.errors.storage import PostgresDsnRequired, PostgresUnavailable, StoreRefused
from service.storage.postgres.database import PoolOptions
from service.storage.postgres.jobs import engine, sessions
from service.storage.postgres.jobs.engine import NAMES, Names
from service.storage.postgres.jobs.queue import PostgresJobQueue
from service.storage.postgres.store import PostgresStore
from tests.conftest import ROOT
from tests.integration.contract.builders import AT, a_lease, a_purge, an_operation
from tests.waiting import HANG_SECONDS, quiet, until

LEASE_SECONDS = 30.0
LATER = AT + timedelta(days=1)


class Worker:
    """Notes each offer, and answers as it is told to."""

    def __init__(self, queue):
        self.queue = queue
        self.stop = asyncio.Event()
        self.offered = []
        self.told = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.answers = []

    async def handle(self, tenant_id, operation_id):
        assert tenant_id == DEFAULT_TENANT
        self.offered.append(operation_id)
        self.told.set()
        await self.may_answer.wait()
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def work(self, drain=False):
        await self.queue.work(self.handle, stop=self.stop, drain=drain)

    async def until_enqueued(self, count):
        """Waits for so many offers; fails when they do not come."""
        async with asyncio.timeout(HANG_SECONDS):
            while len(self.offered) < count:
                self.told.clear()
                await self.told.wait()

    @asynccontextmanager
    async def at_work(self):
        working = asyncio.create_task(self.work())
        try:
            yield working
        finally:
            self.stop.set()
            self.may_answer.set()
            await asyncio.wait_for(working, HANG_SECONDS)


def jobs_in(dsn):
    with psycopg.connect(dsn) as conn:
        return conn.execute("SELECT dedupe_key, status::text FROM queue.pgqueuer ORDER BY id").fetchall()


def change(dsn, statement):
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(statement)


def a_queued(**fields):
    return an_operation(is_queued=True, **fields)


async def a_queue(dsn, concurrency=2, lease_seconds=LEASE_SECONDS):
    return await PostgresJobQueue.open(
        dsn, concurrency=concurrency, lease_seconds=lease_seconds, options=PoolOptions()
    )


async def refill(queue, tenant_id=DEFAULT_TENANT, *, created_before=LATER, silent_seconds=60.0, limit=10):
    return await queue.refill(
        tenant_id, created_before=created_before, silent_seconds=silent_seconds, limit=limit
    )


@pytest.fixture
def dsn(emptied_postgres):
    return emptied_postgres


@pytest_asyncio.fixture
async def store(dsn):
    opened = await PostgresStore.open(dsn)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def queue(dsn):
    opened = await a_queue(dsn)
    yield opened
    await opened.close()


@pytest.fixture
def worker(queue):
    return Worker(queue)


async def test_a_queued_operation_is_offered_once(store, queue, worker, dsn):
    operation = a_queued()
    await store.operations.submit(operation)
    assert await queue.count_waiting() == 1

    async with worker.at_work():
        await worker.until_enqueued(1)
        await until(lambda: nothing_in(dsn))
        await quiet()

    assert worker.offered == [operation.operation_id]
    assert await queue.count_waiting() == 0


async def nothing_in(dsn):
    return not jobs_in(dsn)


async def test_a_worker_that_waits_hears_at_once(store, queue, worker, monkeypatch):
    # It would look by itself in an hour.
    monkeypatch.setattr(sessions, "LOOK_SECONDS", 3600.0)
    async with worker.at_work():
        await until(lambda: connected(queue))
        # Its first look, which finds nothing, is over.
        await quiet()

        await store.operations.submit(a_queued())

        await worker.until_enqueued(1)


async def connected(queue):
    return queue.is_connected


async def test_an_operation_that_is_not_queued_is_offered_to_nobody(store, queue, dsn):
    await store.operations.submit(an_operation())

    assert jobs_in(dsn) == []
    assert await refill(queue) == 0


async def test_an_act_that_fails_leaves_no_offer(store, dsn, monkeypatch):
    operation = a_queued()
    enqueue = engine.enqueue

    async def enqueue_and_fail(*offered):
        assert await enqueue(*offered) == 1
        raise ZeroDivisionError

    monkeypatch.setattr(engine, "enqueue", enqueue_and_fail)

    with pytest.raises(ZeroDivisionError):
        await store.operations.submit(operation)

    assert jobs_in(dsn) == []
    with pytest.raises(OperationNotFound):
        await store.operations.get(DEFAULT_TENANT, operation.operation_id, KEEP_ALL)


async def test_an_id_that_is_taken_is_not_offered_again(store, dsn):
    operation = a_queued()
    await store.operations.submit(operation)

    with pytest.raises(OperationExists):
        await store.operations.submit(operation)

    assert jobs_in(dsn) == [(operation.operation_id, "queued")]


async def test_behind_a_transaction_pooler_an_operation_is_offered_too(dsn):
    options = PoolOptions(statement_cache_size=0, session_settings=False)
    store = await PostgresStore.open(dsn, options=options)
    try:
        await store.operations.submit(a_queued())
        await store.operations.submit(a_queued())
    finally:
        await store.close()

    assert len(jobs_in(dsn)) == 2


async def test_what_is_on_offer_is_not_offered_again_by_a_refill(store, queue, worker, dsn):
    operation = a_queued()
    await store.operations.submit(operation)

    assert await refill(queue) == 0
    worker.may_answer.clear()
    async with worker.at_work():
        await worker.until_enqueued(1)
        assert jobs_in(dsn) == [(operation.operation_id, "picked")]
        assert await refill(queue) == 0


async def test_a_refill_offers_what_lost_its_offer(store, queue, worker, dsn):
    lost = [a_queued(created_at=AT + timedelta(seconds=number)) for number in range(3)]
    for operation in lost:
        await store.operations.submit(operation)
    change(dsn, "DELETE FROM queue.pgqueuer")

    assert await refill(queue, "another") == 0
    assert await refill(queue, created_before=AT) == 0
    assert await refill(queue, limit=2) == 2
    await worker.work(drain=True)

    assert worker.offered == [operation.operation_id for operation in lost[:2]]


async def test_what_a_worker_took_and_never_began_is_offered_again_without_waiting_for_its_lease(
    store, queue, worker, dsn
):
    begun, left = a_queued(), a_queued()
    for operation in (begun, left):
        await store.operations.submit(operation)
    await store.operations.claim(DEFAULT_TENANT, begun.operation_id, a_lease(1))
    change(dsn, "UPDATE queue.pgqueuer SET status = 'picked', queue_manager_id = gen_random_uuid()")
    change(dsn, "UPDATE queue.pgqueuer SET heartbeat = now() - interval '5 seconds'")

    assert await refill(queue, silent_seconds=10) == 0
    assert await refill(queue, "another", silent_seconds=2) == 0
    assert await refill(queue, silent_seconds=2) == 1
    assert dict(jobs_in(dsn)) == {begun.operation_id: "picked", left.operation_id: "queued"}
    async with worker.at_work():
        await worker.until_enqueued(1)

    assert worker.offered == [left.operation_id]


async def test_many_refills_at_once_make_one_offer_of_each(store, dsn):
    for _ in range(20):
        await store.operations.submit(a_queued())
    change(dsn, "DELETE FROM queue.pgqueuer")
    queues = [await a_queue(dsn) for _ in range(4)]
    try:
        made = await asyncio.gather(*(refill(queue, limit=100) for queue in queues))
    finally:
        for queue in queues:
            await queue.close()

    assert sum(made) == len(jobs_in(dsn)) == 20


async def test_what_is_claimed_or_has_ended_is_not_offered_again(store, queue, dsn):
    operation = a_queued()
    await store.operations.submit(operation)
    await store.operations.claim(DEFAULT_TENANT, operation.operation_id, a_lease(1))
    change(dsn, "DELETE FROM queue.pgqueuer")

    assert await refill(queue) == 0


async def cancel(store, operation):
    return await store.operations.fail(DEFAULT_TENANT, operation.operation_id, now=LATER, error=CANCELLATION)


async def test_the_job_of_an_operation_that_is_cancelled_leaves_the_queue(store, queue, worker, dsn):
    cancelled, other = a_queued(), a_queued()
    for operation in (cancelled, other):
        await store.operations.submit(operation)

    await cancel(store, cancelled)

    assert jobs_in(dsn) == [(other.operation_id, "queued")]
    assert await refill(queue) == 0
    await worker.work(drain=True)
    assert worker.offered == [other.operation_id]


async def test_a_worker_whose_operation_is_cancelled_goes_on_with_the_next(store, worker, dsn):
    cancelled, other = a_queued(), a_queued()
    await store.operations.submit(cancelled)
    worker.may_answer.clear()
    async with worker.at_work():
        await worker.until_enqueued(1)

        await cancel(store, cancelled)
        assert jobs_in(dsn) == []
        worker.may_answer.set()
        await store.operations.submit(other)

        await worker.until_enqueued(2)
        await until(lambda: nothing_in(dsn))
    assert worker.offered == [cancelled.operation_id, other.operation_id]


async def test_a_cancel_that_fails_leaves_the_job_where_it_is(store, dsn):
    operation = a_queued()
    await store.operations.submit(operation)
    change(dsn, "ALTER TABLE queue.pgqueuer RENAME TO elsewhere")
    try:
        with pytest.raises(StoreRefused):
            await cancel(store, operation)
    finally:
        change(dsn, "ALTER TABLE queue.elsewhere RENAME TO pgqueuer")

    assert jobs_in(dsn) == [(operation.operation_id, "queued")]
    assert (await store.operations.get(DEFAULT_TENANT, operation.operation_id, KEEP_ALL)).is_executable


async def test_an_offer_is_made_again_when_its_handler_says(store, worker, dsn):
    operation = a_queued()
    await store.operations.submit(operation)
    worker.answers = [3600.0, 0.1]

    async def is_on_offer():
        return jobs_in(dsn) == [(operation.operation_id, "queued")]

    async with worker.at_work():
        await worker.until_enqueued(1)
        await until(is_on_offer)
        await quiet()
        assert len(worker.offered) == 1
        # As if the hour were over.
        change(dsn, "UPDATE queue.pgqueuer SET execute_after = execute_after - interval '1 hour'")
        await worker.until_enqueued(3)

    assert worker.offered == [operation.operation_id] * 3


async def test_an_offer_is_made_again_when_its_handler_breaks(store, worker, dsn):
    operation = a_queued()
    await store.operations.submit(operation)
    worker.answers = [ValueError("broken"), KeyError("broken again")]

    await worker.work(drain=True)

    assert worker.offered == [operation.operation_id] * 3
    with psycopg.connect(dsn) as conn:
        statuses = {
            status for (status,) in conn.execute("SELECT DISTINCT status::text FROM queue.pgqueuer_log")
        }
    assert statuses == {"queued", "picked", "successful"}


async def test_who_stops_waits_for_its_handlers_and_takes_no_more(store, worker, dsn):
    for _ in range(5):
        await store.operations.submit(a_queued())
    worker.may_answer.clear()
    working = asyncio.create_task(worker.work())
    await worker.until_enqueued(2)

    worker.stop.set()
    await quiet()
    assert not working.done()
    worker.may_answer.set()
    await asyncio.wait_for(working, HANG_SECONDS)

    assert len(worker.offered) == 2
    assert [status for _, status in jobs_in(dsn)] == ["queued"] * 3


async def test_who_is_torn_down_gives_its_offers_back(store, worker, dsn):
    await store.operations.submit(a_queued())
    worker.may_answer.clear()
    working = asyncio.create_task(worker.work())
    await worker.until_enqueued(1)

    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    assert [status for _, status in jobs_in(dsn)] == ["queued"]


async def test_one_at_a_time_is_one_at_a_time(store, dsn):
    queue = await a_queue(dsn, concurrency=1)
    worker = Worker(queue)
    for _ in range(3):
        await store.operations.submit(a_queued())
    worker.may_answer.clear()
    try:
        async with worker.at_work():
            await worker.until_enqueued(1)
            await quiet()
            assert len(worker.offered) == 1
            worker.may_answer.set()
            await worker.until_enqueued(3)
    finally:
        await queue.close()


async def test_an_offer_that_waits_for_its_turn_is_given_back_on_a_stop(store, dsn):
    queue = await a_queue(dsn, concurrency=1)
    worker = Worker(queue)
    for _ in range(2):
        await store.operations.submit(a_queued())

    async def both_are_taken():
        return [status for _, status in jobs_in(dsn)] == ["picked"] * 2

    worker.may_answer.clear()
    try:
        async with worker.at_work():
            await until(both_are_taken)
            # Leaving sets the stop before the first may answer.
    finally:
        await queue.close()

    assert len(worker.offered) == 1
    assert [status for _, status in jobs_in(dsn)] == ["queued"]


async def test_who_drains_comes_back_when_nothing_is_left(store, worker, dsn):
    submitted = [a_queued() for _ in range(7)]
    for operation in submitted:
        await store.operations.submit(operation)

    await asyncio.wait_for(worker.work(drain=True), HANG_SECONDS)

    assert sorted(worker.offered) == sorted(operation.operation_id for operation in submitted)
    assert jobs_in(dsn) == []
    await asyncio.wait_for(worker.work(drain=True), HANG_SECONDS)
    assert len(worker.offered) == 7


async def test_two_workers_share_what_is_offered(store, worker, dsn):
    submitted = [a_queued() for _ in range(20)]
    for operation in submitted:
        await store.operations.submit(operation)
    other_queue = await a_queue(dsn)
    other = Worker(other_queue)
    try:
        await asyncio.gather(worker.work(drain=True), other.work(drain=True))
    finally:
        await other_queue.close()

    everything = worker.offered + other.offered
    assert sorted(everything) == sorted(operation.operation_id for operation in submitted)


async def test_the_offer_of_a_worker_that_died_is_made_again_after_the_lease(store, dsn):
    operation = a_queued()
    await store.operations.submit(operation)
    change(
        dsn,
        "UPDATE queue.pgqueuer SET status = 'picked', queue_manager_id = gen_random_uuid(),"
        " heartbeat = now()",
    )
    patient_queue, queue = await a_queue(dsn, lease_seconds=3600), await a_queue(dsn, lease_seconds=1)
    patient, worker = Worker(patient_queue), Worker(queue)
    try:
        async with patient.at_work():
            async with worker.at_work():
                await worker.until_enqueued(1)
            assert patient.offered == []
    finally:
        await patient_queue.close()
        await queue.close()

    assert worker.offered == [operation.operation_id]


async def test_an_offer_that_takes_longer_than_the_lease_stays_with_its_worker(store, worker, dsn):
    await store.operations.submit(a_queued())
    slow_queue, quick_queue = [await a_queue(dsn, lease_seconds=2) for _ in range(2)]
    slow, quick = Worker(slow_queue), Worker(quick_queue)
    slow.may_answer.clear()

    async def is_held_for_longer_than_the_lease():
        with psycopg.connect(dsn) as conn:
            return conn.execute(
                "SELECT 1 FROM queue.pgqueuer WHERE status = 'picked'"
                " AND heartbeat > updated + interval '2.5 seconds'"
            ).fetchall()

    try:
        async with slow.at_work():
            await slow.until_enqueued(1)
            async with quick.at_work():
                await until(is_held_for_longer_than_the_lease)
    finally:
        await slow_queue.close()
        await quick_queue.close()

    assert len(slow.offered) == 1
    assert quick.offered == []


@pytest.mark.faults
async def test_a_worker_outlives_the_restart_of_its_server():
    with Postgres.start(durable=True) as server:
        dsn = create_database(server.dsn(), "restarted")
        migrate.apply(dsn)
        store, queue = await PostgresStore.open(dsn), await a_queue(dsn, lease_seconds=2)
        worker = Worker(queue)
        try:
            async with worker.at_work():
                before, during, after = (a_queued() for _ in range(3))
                await store.operations.submit(before)
                await worker.until_enqueued(1)
                worker.may_answer.clear()
                await store.operations.submit(during)
                await worker.until_enqueued(2)
                server.stop_immediately()
                await until(lambda: cut(queue))
                # Answered while nobody is there to hear it, so it may be offered once more.
                worker.may_answer.set()
                with pytest.raises(PostgresUnavailable):
                    await queue.count_waiting()
                server.restart()
                await until(lambda: connected(queue))
                await store.operations.submit(after)
                await until(lambda: nothing_in(dsn))
        finally:
            await queue.close()
            await store.close()

    assert set(worker.offered) == {operation.operation_id for operation in (before, during, after)}


@pytest.mark.faults
async def test_a_worker_whose_sessions_are_cut_hears_of_what_comes(store, queue, worker, dsn):
    async with worker.at_work():
        await until(lambda: connected(queue))
        change(
            dsn,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        await until(lambda: cut(queue))
        await until(lambda: connected(queue))
        await store.operations.submit(a_queued())
        await worker.until_enqueued(1)


async def cut(queue):
    return not queue.is_connected


async def test_a_worker_begins_before_its_server_is_there():
    dsn = f"postgresql://nobody@127.0.0.1:{free_port()}/nowhere"
    queue = await a_queue(dsn)
    worker = Worker(queue)
    try:
        async with worker.at_work() as working:
            await quiet()
            assert not working.done()
            assert not queue.is_connected
    finally:
        await queue.close()


async def test_without_an_address_there_is_no_queue():
    queue = await a_queue("")
    try:
        with pytest.raises(PostgresDsnRequired):
            await Worker(queue).work()
        with pytest.raises(PostgresDsnRequired):
            await queue.count_waiting()
    finally:
        await queue.close()


async def test_a_purge_removes_what_the_engine_wrote_down(store, worker, dsn):
    await store.operations.submit(a_queued())
    await worker.work(drain=True)
    change(dsn, "UPDATE queue.pgqueuer_log SET created = '2026-03-01' WHERE status <> 'successful'")
    change(
        dsn,
        "INSERT INTO queue.pgqueuer_statistics (created, count, priority, status, entrypoint)"
        " VALUES ('2026-03-01', 1, 0, 'queued', 'operations'), (now(), 1, 0, 'queued', 'operations')",
    )
    cutoff = RetentionCutoff(operations_since=datetime(2026, 3, 2, tzinfo=UTC))

    # Nothing else has expired, so no record is kept of it.
    assert await store.retention.remove(a_purge(cutoff)) == DeletedRows()

    assert await store.retention.list_records(DEFAULT_TENANT, limit=1) == ()
    with psycopg.connect(dsn) as conn:
        assert conn.execute("SELECT status::text FROM queue.pgqueuer_log").fetchall() == [("successful",)]
        assert conn.execute("SELECT count(*) FROM queue.pgqueuer_statistics").fetchone() == (1,)


async def test_a_purge_removes_so_much_of_the_log_at_once(store, dsn):
    change(
        dsn,
        "INSERT INTO queue.pgqueuer_log (created, job_id, status, priority, entrypoint)"
        " SELECT '2026-03-01', n, 'queued', 0, 'operations' FROM generate_series(1, 25) AS n",
    )
    cutoff = RetentionCutoff(operations_since=datetime(2026, 3, 2, tzinfo=UTC))
    left = []
    for _ in range(3):
        await store.retention.remove(a_purge(cutoff, limit=1))
        with psycopg.connect(dsn) as conn:
            left.append(conn.execute("SELECT count(*) FROM queue.pgqueuer_log").fetchone()[0])

    assert left == [15, 5, 0]


def test_no_variable_of_the_environment_leads_the_queue_elsewhere(monkeypatch):
    for name in ("PREFIX", "SCHEMA", "CHANNEL", "QUEUE_TABLE", "FUNCTION", "QUEUE_STATUS_TYPE"):
        monkeypatch.setenv(f"PGQUEUER_{name}", "elsewhere")
        monkeypatch.setenv(name, "elsewhere")

    assert Names(db_schema="queue") == NAMES
    assert NAMES.qualified.queue_table == "queue.pgqueuer"
    assert NAMES.channel == "ch_pgqueuer"


def test_a_server_loads_the_engine_of_the_queue_only_when_something_is_queued():
    loaded = (
        "import sys, service.wiring.server, service.storage.postgres.jobs.queue; "
        "print('pgqueuer' in sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout == "False\n"
