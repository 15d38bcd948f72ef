"""What only a file can get wrong: half-kept acts, locks, other writers, a foreign or broken file."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import pytest_asyncio

from service.admin.migrations import migrate
from service.domains.callers import DEFAULT_TENANT
from service.domains.dpm_runs.values import (
    Recorded,
    RecordRun,
    RunFilter,
    RunStatus,
    mapping_of,
    use_of,
)
from service.domains.idempotency import KeyScope
from service.domains.proposals.states import ProposalState
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.domains.retention.deletions import DeletedRows
from service.domains.values.pages import all_of
from service.errors.dpm_runs import RunExists, RunNotFound
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.storage import StoreBusy, StoreRefused, StoreUnavailable
from service.errors.storage_causes import StoreCause
from service.storage.queries import SQL_DIR, load
from service.storage.schema import SchemaRefused
from service.storage.sqlite import database, probing
from service.storage.sqlite.database import Database
from service.storage.sqlite.store import SqliteStore
from tests.conftest import ROOT
from tests.integration.contract.builders import (
    ODD_BYTES,
    OTHER_HASH,
    REVIEWED,
    a_batch,
    a_purge,
    a_request,
    a_verdict,
    after,
    an_admission,
    an_artifact,
    an_id,
    an_operation,
    runs_since,
    started,
    submit_and_move,
    succeeded,
)
from tests.integration.contract.policy_builders import a_change
from tests.integration.contract.proposal_builders import (
    a_creation,
    a_new_version,
    a_simulation,
    changes_to,
    under_key,
)
from tests.integration.contract.reading import edges_at, runs_of
from tests.integration.contract.test_shadow_differences import a_difference
from tests.waiting import HANG_SECONDS, turns, until

WRITTEN_BY_BATCH = ("dpm_run_requests", "dpm_runs", "dpm_run_artifacts", "dpm_lineage_edges")
WRITTEN_BY_ADMISSION = (*WRITTEN_BY_BATCH, "dpm_run_idempotency", "dpm_run_idempotency_history")
APPEND_ONLY = (
    *WRITTEN_BY_BATCH,
    "dpm_run_idempotency_history",
    "dpm_workflow_decisions",
    "dpm_purges",
    "dpm_parity_differences",
)
REMOVED_BY_PURGE = (*WRITTEN_BY_ADMISSION, "dpm_workflow_decisions", "dpm_operations")
TABLES = (
    *REMOVED_BY_PURGE,
    "dpm_operation_scenarios",
    "dpm_parity_differences",
    "dpm_purges",
    "dpm_purging",
    "dpm_tallies",
    "dpm_tally_changes",
)
NEVER_REPLACED = (
    "proposals",
    "proposal_versions",
    "proposal_events",
    "proposal_approvals",
    "proposal_keys",
    "proposal_simulations",
    "dpm_policy_pack_changes",
)
BUSY_SECONDS_MAX = 0.2
EVERYTHING = RetentionCutoff(after(100), after(100))


@pytest.fixture
def path(sqlite_file: Path) -> Path:
    return sqlite_file


@pytest_asyncio.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    async with opened(path) as store:
        yield store


@asynccontextmanager
async def opened(path: Path, busy_seconds_max: float = BUSY_SECONDS_MAX) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(path, busy_seconds_max=busy_seconds_max)
    try:
        yield store
    finally:
        await store.close()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another connection holds the write lock."""
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("BEGIN IMMEDIATE")
        yield
        conn.execute("ROLLBACK")


@contextmanager
def held(store: SqliteStore) -> Iterator[None]:
    """The writer's thread stands still, so that the acts asked for meanwhile share its next commit."""
    gate = threading.Event()
    store.database.writer.connection.post(lambda conn: assert_opens(gate))
    try:
        yield
    finally:
        gate.set()


def assert_opens(gate: threading.Event) -> None:
    assert gate.wait(timeout=HANG_SECONDS)


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        for statement in statements:
            conn.execute(statement)


def rows_in(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as conn:
        return {table: conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}


def failing(table: str, conflict: str = "ABORT", act: str = "INSERT") -> str:
    return (
        f"CREATE TRIGGER broken BEFORE {act} ON {table} BEGIN SELECT RAISE({conflict}, 'disk on fire'); END"
    )


async def fill(store):
    """Leaves at least one row in every table that is append-only."""
    purged, kept = a_whole_run(created_at=after(-1)), a_whole_run()
    for admission in (purged, kept):
        await store.dpm_runs.admit(admission, KEEP_ALL)
        await store.workflow_decisions.decide(a_verdict(admission.run), REVIEWED, KEEP_ALL)
    await store.retention.remove(a_purge(runs_since(0)))
    await store.shadow_differences.record([a_difference()])
    return kept


def a_whole_run(**fields):
    """An admission that brings an artifact, and that a decision may follow."""
    return an_admission(
        artifact=True, idempotency_key=an_id("key"), status=RunStatus.PENDING_REVIEW, **fields
    )


async def pages_at_most(store, count):
    """The file is as full as a disk would make it; never fewer pages than it has."""
    await store.database.writer.connection.run(lambda conn: conn.execute(f"PRAGMA max_page_count = {count}"))


async def key_of(store, key):
    return await store.idempotency.find(DEFAULT_TENANT, KeyScope.DPM_SIMULATE, key, KEEP_ALL)


@pytest.mark.parametrize("conflict", ["ABORT", "ROLLBACK", "FAIL"])
@pytest.mark.parametrize("replay", [True, False])
@pytest.mark.parametrize("table", WRITTEN_BY_ADMISSION)
async def test_an_admission_that_fails_at_any_insert_keeps_nothing(store, path, table, replay, conflict):
    change(path, failing(table, conflict))
    admission = an_admission(replay=replay, artifact=True)

    with pytest.raises(StoreRefused):
        await store.dpm_runs.admit(admission, KEEP_ALL)

    assert set(rows_in(path).values()) == {0}
    assert await key_of(store, "key-1") is None
    change(path, "DROP TRIGGER broken")
    assert await store.dpm_runs.admit(admission, KEEP_ALL) == Recorded(admission.run, replayed=False)


@pytest.mark.parametrize("table", WRITTEN_BY_ADMISSION)
async def test_a_key_that_cannot_move_stays_where_it_was(store, path, table):
    first, second = an_admission(), an_admission(replay=False, artifact=True, request_hash=OTHER_HASH)
    await store.dpm_runs.admit(first, KEEP_ALL)
    before = rows_in(path)
    change(path, failing(table))

    with pytest.raises(StoreRefused):
        await store.dpm_runs.admit(second, KEEP_ALL)

    assert rows_in(path) == before
    assert await key_of(store, "key-1") == mapping_of(first.run)


@pytest.mark.parametrize("table", WRITTEN_BY_BATCH)
async def test_a_batch_that_fails_at_any_insert_keeps_nothing(store, path, table):
    change(path, failing(table))
    batch = a_batch("a", "b", "c", artifacts=True)

    with pytest.raises(StoreRefused):
        await store.dpm_runs.admit_batch(batch)

    assert set(rows_in(path).values()) == {0}
    change(path, "DROP TRIGGER broken")
    await store.dpm_runs.admit_batch(batch)
    assert await store.dpm_runs.get(DEFAULT_TENANT, batch.runs[2].rebalance_run_id, KEEP_ALL) == batch.runs[2]


async def test_a_batch_that_fails_at_its_last_run_keeps_nothing(store, path):
    change(path, failing("dpm_runs").replace(" BEGIN", " WHEN NEW.scenario = 'c' BEGIN"))
    batch = a_batch("a", "b", "c")

    with pytest.raises(StoreRefused):
        await store.dpm_runs.admit_batch(batch)

    assert set(rows_in(path).values()) == {0}


async def test_a_commit_that_fails_keeps_nothing_and_the_next_one_works(store, path):
    # A mapping without its run is found by the deferred foreign key, and only when it commits.
    change(
        path,
        "CREATE TRIGGER broken AFTER INSERT ON dpm_runs BEGIN"
        " UPDATE dpm_run_idempotency SET rebalance_run_id = 'nowhere'; END",
    )
    admission = an_admission()

    with pytest.raises(StoreRefused):
        await store.dpm_runs.admit(admission, KEEP_ALL)

    assert set(rows_in(path).values()) == {0}
    change(path, "DROP TRIGGER broken")
    assert await store.dpm_runs.admit(admission, KEEP_ALL) == Recorded(admission.run, replayed=False)


async def test_a_refusal_says_what_the_driver_said(store, path):
    change(path, failing("dpm_runs"))

    with pytest.raises(StoreRefused) as refused:
        await store.dpm_runs.admit(an_admission(), KEEP_ALL)

    assert "disk on fire" in str(refused.value.__cause__)
    assert "disk on fire" not in refused.value.detail


async def test_acts_that_wait_share_one_commit(store):
    told: list[str] = []
    await store.database.writer.connection.run(lambda conn: conn.set_trace_callback(told.append))
    with held(store):
        waiting = [
            asyncio.ensure_future(store.dpm_runs.admit(an_admission(idempotency_key=f"key-{n}"), KEEP_ALL))
            for n in range(20)
        ]
        await asyncio.sleep(0)

    answers = await asyncio.gather(*waiting)

    await store.database.writer.connection.run(lambda conn: conn.set_trace_callback(None))
    assert not any(answer.replayed for answer in answers)
    assert told.count("COMMIT") == 1


async def test_a_refused_act_does_not_harm_those_it_shares_a_commit_with(store, path):
    taken = an_admission(idempotency_key="taken")
    await store.dpm_runs.admit(taken, KEEP_ALL)
    change(
        path, failing("dpm_lineage_edges").replace(" BEGIN", " WHEN NEW.source_entity_id = 'cursed' BEGIN")
    )
    good = [an_admission(idempotency_key=f"key-{n}", result=ODD_BYTES) for n in range(12)]
    clashing = [
        an_admission(idempotency_key=f"clash-{n}", rebalance_run_id=taken.run.rebalance_run_id)
        for n in range(4)
    ]
    conflicting = [an_admission(idempotency_key="taken", request_hash=f"other-{n}") for n in range(4)]
    cursed = [an_admission(idempotency_key=f"cursed-{n}", correlation_id="cursed") for n in range(4)]
    asked = [act for four in zip(clashing, conflicting, cursed, strict=True) for act in four] + good
    asked[::2], asked[1::2] = asked[:12], asked[12:]

    with held(store):
        waiting = [asyncio.ensure_future(store.dpm_runs.admit(admission, KEEP_ALL)) for admission in asked]
        await asyncio.sleep(0)
    answers = await asyncio.gather(*waiting, return_exceptions=True)

    by_run = {id(admission): answer for admission, answer in zip(asked, answers, strict=True)}
    assert [by_run[id(one)] for one in good] == [Recorded(one.run, replayed=False) for one in good]
    assert {type(by_run[id(one)]) for one in clashing} == {RunExists}
    assert {type(by_run[id(one)]) for one in conflicting} == {IdempotencyKeyConflict}
    assert {type(by_run[id(one)]) for one in cursed} == {StoreRefused}
    assert rows_in(path)["dpm_runs"] == rows_in(path)["dpm_run_idempotency"] == 1 + len(good)
    for one in (*clashing, *cursed):
        assert await key_of(store, one.run.idempotency_key) is None


async def test_a_shared_commit_that_one_act_makes_fail_is_made_again_for_each_alone(store, path):
    change(path, failing("dpm_runs", "ROLLBACK").replace(" BEGIN", " WHEN NEW.portfolio_id = 'cursed' BEGIN"))
    asked = [an_admission(idempotency_key=f"key-{n}") for n in range(8)]
    asked.append(an_admission(idempotency_key="cursed", portfolio_id="cursed"))

    with held(store):
        waiting = [asyncio.ensure_future(store.dpm_runs.admit(admission, KEEP_ALL)) for admission in asked]
        await asyncio.sleep(0)
    answers = await asyncio.gather(*waiting, return_exceptions=True)

    *good, cursed = answers
    assert good == [Recorded(one.run, replayed=False) for one in asked[:-1]]
    assert type(cursed) is StoreRefused
    assert rows_in(path)["dpm_runs"] == len(good)


async def test_operations_whose_shared_commit_one_makes_fail_are_kept_each_alone(store, path):
    change(
        path,
        failing("dpm_operations", "ROLLBACK").replace(" BEGIN", " WHEN NEW.correlation_id = 'cursed' BEGIN"),
    )
    asked = [an_operation(operation_id=f"dop_{n}") for n in range(8)]
    asked.append(an_operation(operation_id="dop_cursed", correlation_id="cursed"))

    with held(store):
        waiting = [asyncio.ensure_future(store.operations.submit(operation)) for operation in asked]
        await asyncio.sleep(0)
    answers = await asyncio.gather(*waiting, return_exceptions=True)

    *good, cursed = answers
    assert good == [None] * 8
    assert type(cursed) is StoreRefused
    for operation in asked[:-1]:
        kept = await store.operations.get(DEFAULT_TENANT, operation.operation_id, KEEP_ALL)
        assert kept == operation


async def test_when_a_shared_commit_fails_nobody_is_told_that_anything_was_kept(store, path):
    asked = [an_admission(idempotency_key=f"key-{n}", result=b"9" * 100_000) for n in range(8)]
    await pages_at_most(store, 1)

    with held(store):
        waiting = [asyncio.ensure_future(store.dpm_runs.admit(admission, KEEP_ALL)) for admission in asked]
        await asyncio.sleep(0)
    answers = await asyncio.gather(*waiting, return_exceptions=True)

    assert {type(answer) for answer in answers} == {StoreUnavailable}
    assert {answer.cause for answer in answers} == {StoreCause.DISK_FULL}
    assert set(rows_in(path).values()) == {0}
    await pages_at_most(store, 1_000_000)
    assert await store.dpm_runs.admit(asked[0], KEEP_ALL) == Recorded(asked[0].run, replayed=False)


async def test_more_callers_than_one_commit_takes_are_all_answered(store, path):
    asked = [an_admission(idempotency_key=f"key-{n}") for n in range(200)]

    answers = await asyncio.gather(*(store.dpm_runs.admit(admission, KEEP_ALL) for admission in asked))

    assert answers == [Recorded(admission.run, replayed=False) for admission in asked]
    assert rows_in(path)["dpm_runs"] == 200


async def test_a_caller_who_leaves_before_its_turn_takes_nobody_along(store):
    asked = [an_admission(idempotency_key=f"key-{n}") for n in range(5)]
    with held(store):
        waiting = [asyncio.ensure_future(store.dpm_runs.admit(admission, KEEP_ALL)) for admission in asked]
        await asyncio.sleep(0)
        waiting[0].cancel()
        waiting[2].cancel()
        await asyncio.sleep(0)

    answers = await asyncio.gather(*waiting, return_exceptions=True)

    assert [isinstance(answer, Recorded) for answer in answers] == [False, True, False, True, True]
    with pytest.raises(RunNotFound):
        await store.dpm_runs.get(DEFAULT_TENANT, asked[2].run.rebalance_run_id, KEEP_ALL)
    late = an_admission(idempotency_key="key-2")
    assert await store.dpm_runs.admit(late, KEEP_ALL) == Recorded(late.run, replayed=False)


async def test_an_act_under_way_is_finished_when_its_caller_leaves(store):
    admission, neighbour = an_admission(), an_admission(idempotency_key="key-2")
    begun, gate = threading.Event(), threading.Event()

    def slow(conn: sqlite3.Connection) -> None:
        begun.set()
        assert_opens(gate)

    slow_write = asyncio.ensure_future(store.database.write(slow))
    await until(begun.is_set)
    leaving = asyncio.ensure_future(store.dpm_runs.admit(admission, KEEP_ALL))
    staying = asyncio.ensure_future(store.dpm_runs.admit(neighbour, KEEP_ALL))
    await asyncio.sleep(0)
    slow_write.cancel()
    gate.set()

    answers = await asyncio.gather(slow_write, leaving, staying, return_exceptions=True)

    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == [
        Recorded(admission.run, replayed=False),
        Recorded(neighbour.run, replayed=False),
    ]


@pytest.mark.parametrize("turns_of_loop", [0, 1, 10, 100, 1000])
async def test_a_caller_who_leaves_at_any_time_can_ask_again(store, turns_of_loop):
    asked = [an_admission(idempotency_key=f"key-{n}") for n in range(16)]
    waiting = [asyncio.ensure_future(store.dpm_runs.admit(admission, KEEP_ALL)) for admission in asked]
    await turns(turns_of_loop)
    for task in waiting[::2]:
        task.cancel()

    await asyncio.gather(*waiting, return_exceptions=True)

    again = [an_admission(idempotency_key=f"key-{n}") for n in range(16)]
    answers = await asyncio.gather(*(store.dpm_runs.admit(admission, KEEP_ALL) for admission in again))
    for first, second, answer in zip(asked, again, answers, strict=True):
        assert answer.run == (first.run if answer.replayed else second.run)
        assert await all_of(
            store.idempotency.list_history,
            DEFAULT_TENANT,
            KeyScope.DPM_SIMULATE,
            first.run.idempotency_key,
            KEEP_ALL,
        ) == (use_of(answer.run),)
    assert all(answer.replayed for answer in answers[1::2])


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("statement", ["UPDATE {} SET tenant_id = tenant_id", "DELETE FROM {}"])
async def test_what_was_recorded_can_be_neither_changed_nor_removed(store, path, table, statement):
    await fill(store)
    before = rows_in(path)

    with pytest.raises(sqlite3.IntegrityError, match=f"{table} is append-only"):
        change(path, statement.format(table))

    assert rows_in(path) == before


@pytest.mark.parametrize("table", NEVER_REPLACED)
@pytest.mark.parametrize("verb", ["REPLACE INTO", "INSERT OR REPLACE INTO", "INSERT OR IGNORE INTO"])
async def test_nothing_takes_the_place_of_what_is_kept_of_proposals_and_of_catalogs(store, path, table, verb):
    changes = changes_to(ProposalState.AWAITING_CLIENT_CONSENT, key="key-1")
    for one in changes:
        await store.proposals.change(one)
    await store.proposal_simulations.keep(a_simulation(), kept_since=after(0))
    await store.policy_packs.amend(a_change(1))
    before = whole_rows_in(path)

    change(path, f"{verb} {table} SELECT * FROM {table}")

    assert whole_rows_in(path) == before
    assert before[table]


def whole_rows_in(path):
    with closing(sqlite3.connect(path)) as conn:
        return {
            table: conn.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid").fetchall()
            for table in NEVER_REPLACED
        }


@pytest.mark.parametrize("table", ["dpm_run_artifacts", "dpm_lineage_edges"])
async def test_an_artifact_that_fails_at_any_insert_is_not_kept(store, path, table):
    run = an_admission().run
    await store.dpm_runs.admit(RecordRun(run, a_request(run), replay=True), KEEP_ALL)
    before = rows_in(path)
    change(path, failing(table))

    with pytest.raises(StoreRefused):
        await store.artifacts.keep(an_artifact(run))

    assert rows_in(path) == before
    change(path, "DROP TRIGGER broken")
    assert await store.artifacts.keep(an_artifact(run)) == an_artifact(run)


@pytest.mark.parametrize("table", ["dpm_operations", "dpm_lineage_edges", "dpm_tally_changes"])
async def test_an_operation_that_fails_at_any_insert_is_not_kept(store, path, table):
    operation = an_operation()
    change(path, failing(table))

    with pytest.raises(StoreRefused):
        await store.operations.submit(operation)

    assert set(rows_in(path).values()) == {0}
    change(path, "DROP TRIGGER broken")
    await store.operations.submit(operation)
    assert await store.operations.get(DEFAULT_TENANT, operation.operation_id, KEEP_ALL) == operation


@pytest.mark.parametrize("table", [*REMOVED_BY_PURGE, "dpm_purging"])
async def test_a_purge_that_fails_at_any_delete_removes_nothing(store, path, table):
    admission = await fill(store)
    await submit_and_move(store, succeeded(started(an_operation())))
    before = rows_in(path)
    change(path, failing(table, act="DELETE"))

    with pytest.raises(StoreRefused):
        await store.retention.remove(a_purge(EVERYTHING))

    assert rows_in(path) == before
    change(path, "DROP TRIGGER broken")
    removed = await store.retention.remove(a_purge(EVERYTHING))
    assert removed == DeletedRows(
        runs=1, requests=1, artifacts=1, decisions=1, keys=1, uses=1, edges=4, operations=1
    )
    assert [table for table in REMOVED_BY_PURGE if rows_in(path)[table]] == []
    with pytest.raises(RunNotFound):
        await store.dpm_runs.get(DEFAULT_TENANT, admission.run.rebalance_run_id, KEEP_ALL)


async def test_a_purge_of_nothing_leaves_no_trace(store, path):
    await fill(store)
    before = rows_in(path)

    removed = await store.retention.remove(a_purge(runs_since(0)))

    assert removed == DeletedRows()
    assert rows_in(path) == before


async def test_folding_leaves_the_counts_and_no_changes(store, path):
    await fill(store)
    before = await store.supportability.summarise(DEFAULT_TENANT, KEEP_ALL)

    await store.supportability.compact()

    assert await store.supportability.summarise(DEFAULT_TENANT, KEEP_ALL) == before
    assert rows_in(path)["dpm_tally_changes"] == 0


@pytest.mark.parametrize(("table", "act"), [("dpm_tallies", "INSERT"), ("dpm_tally_changes", "DELETE")])
async def test_a_fold_that_fails_changes_no_count(store, path, table, act):
    await fill(store)
    before, rows = await store.supportability.summarise(DEFAULT_TENANT, KEEP_ALL), rows_in(path)
    change(path, failing(table, act=act))

    with pytest.raises(StoreRefused):
        await store.supportability.compact()

    assert await store.supportability.summarise(DEFAULT_TENANT, KEEP_ALL) == before
    assert rows_in(path) == rows


async def test_a_snapshot_is_of_one_instant_and_ends(store, path):
    def count_before_and_after_a_write(conn):
        before = counted(conn)
        change(path, "INSERT INTO dpm_purging (purging) VALUES (1)")
        return before, counted(conn)

    def counted(conn):
        return conn.execute("SELECT count(*) FROM dpm_purging").fetchone()[0]

    assert await store.database.read_snapshot(count_before_and_after_a_write) == (0, 0)
    assert [await store.database.read(counted) for _ in range(2)] == [1, 1]


async def test_a_snapshot_ends_when_its_look_fails(store):
    def fail(conn):
        counted = conn.execute("SELECT count(*) FROM dpm_purging").fetchone()
        raise RunNotFound(counted=counted)

    reader = next(store.database.readers)
    with pytest.raises(RunNotFound):
        await reader.run_in_snapshot(fail)

    assert not await reader.run(lambda conn: conn.in_transaction)


@pytest.mark.parametrize("hours", [-14, 0, 14])
async def test_a_bound_at_the_end_of_all_time_is_a_bound(store, hours):
    await store.dpm_runs.admit(an_admission(), KEEP_ALL)
    first, last = (at.replace(tzinfo=timezone(timedelta(hours=hours))) for at in (datetime.min, datetime.max))

    everything = await runs_of(store, RunFilter(first, last))
    too_early, too_late = await runs_of(store, RunFilter(None, first)), await runs_of(store, RunFilter(last))

    assert len(everything.items) == 1
    assert too_early.items == too_late.items == ()


async def test_a_reopened_file_gives_back_everything(path):
    admission, batch = an_admission(result=ODD_BYTES, body=ODD_BYTES), a_batch("a", "b")
    async with opened(path) as store:
        await store.dpm_runs.admit(admission, KEEP_ALL)
        await store.dpm_runs.admit_batch(batch)
        edges = await edges_at(store, admission.run.rebalance_run_id)

    async with opened(path) as store:
        run = admission.run
        assert await store.dpm_runs.get(DEFAULT_TENANT, run.rebalance_run_id, KEEP_ALL) == run
        assert await store.dpm_runs.get_request(DEFAULT_TENANT, run.request_id) == admission.request
        assert await edges_at(store, run.rebalance_run_id) == edges
        assert (
            await store.dpm_runs.get(DEFAULT_TENANT, batch.runs[1].rebalance_run_id, KEEP_ALL)
            == batch.runs[1]
        )
        assert await store.dpm_runs.admit(an_admission(), KEEP_ALL) == Recorded(run, replayed=True)


async def test_two_stores_on_one_file_agree_on_one_run(path):
    asked = [an_admission() for _ in range(32)]

    async with opened(path, busy_seconds_max=5) as one, opened(path, busy_seconds_max=5) as other:
        answers = await asyncio.gather(
            *((one, other)[n % 2].dpm_runs.admit(admission, KEEP_ALL) for n, admission in enumerate(asked))
        )

    (kept,) = (answer.run for answer in answers if not answer.replayed)
    assert [answer.run for answer in answers] == [kept] * 32
    assert rows_in(path)["dpm_runs"] == 1


async def test_two_stores_on_one_file_see_what_the_other_wrote(path):
    admission = an_admission()

    async with opened(path) as one, opened(path) as other:
        await one.dpm_runs.admit(admission, KEEP_ALL)
        found = await other.dpm_runs.get(DEFAULT_TENANT, admission.run.rebalance_run_id, KEEP_ALL)

    assert found == admission.run


async def test_a_locked_file_is_refused_in_time_and_holds_nobody_else_up(store, path):
    with locked(path):
        refused = asyncio.ensure_future(store.dpm_runs.admit(an_admission(), KEEP_ALL))
        # While the lock is waited for, the loop turns and others are answered.
        for _ in range(20):
            await store.check()
            assert not refused.done()
        with pytest.raises(StoreUnavailable):
            await refused

    assert await key_of(store, "key-1") is None


async def test_all_who_wait_for_a_locked_file_wait_through_one_time_out(store, path):
    begun: list[str] = []
    await store.database.writer.connection.run(lambda conn: conn.set_trace_callback(begun.append))
    with locked(path):
        answers = await asyncio.gather(
            *(store.dpm_runs.admit(an_admission(idempotency_key=f"key-{n}"), KEEP_ALL) for n in range(400)),
            return_exceptions=True,
        )

    await store.database.writer.connection.run(lambda conn: conn.set_trace_callback(None))
    assert {type(answer) for answer in answers} == {StoreUnavailable}
    # One for who came first, and one for all who came meanwhile.
    assert begun.count("BEGIN IMMEDIATE") <= 2
    late = an_admission()
    assert await store.dpm_runs.admit(late, KEEP_ALL) == Recorded(late.run, replayed=False)


async def test_a_locked_file_can_still_be_read(store, path):
    admission = an_admission()
    await store.dpm_runs.admit(admission, KEEP_ALL)

    with locked(path):
        await store.check()
        found = await store.dpm_runs.get(DEFAULT_TENANT, admission.run.rebalance_run_id, KEEP_ALL)

    assert found == admission.run


async def test_a_lock_let_go_in_time_is_waited_for(path):
    admission = an_admission()

    async with opened(path, busy_seconds_max=HANG_SECONDS) as store:
        begun: list[str] = []
        await store.database.writer.connection.run(lambda conn: conn.set_trace_callback(begun.append))
        with locked(path):
            waiting = asyncio.ensure_future(store.dpm_runs.admit(admission, KEEP_ALL))
            await until(lambda: begun)
        answer = await waiting

    assert answer == Recorded(admission.run, replayed=False)


async def test_a_missing_file_is_refused_and_not_made(tmp_path):
    with pytest.raises(StoreUnavailable):
        await SqliteStore.open(tmp_path / "missing.db")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param((), id="empty"),
        pytest.param(("CREATE TABLE dpm_runs (id text)",), id="of another tool"),
    ],
)
async def test_a_file_without_our_schema_is_refused(tmp_path, statements):
    path = tmp_path / "other.db"
    change(path, *statements)

    with pytest.raises(StoreUnavailable):
        await SqliteStore.open(path)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE schema_checksums SET sha256 = 'edited'", id="edited"),
        pytest.param("DELETE FROM schema_checksums", id="without digest"),
        pytest.param("UPDATE _yoyo_migration SET migration_id = '9999.later'", id="ahead"),
        pytest.param("DELETE FROM _yoyo_migration", id="behind"),
        pytest.param("DROP TABLE schema_checksums", id="without books"),
    ],
)
async def test_a_file_of_another_build_is_refused(path, statement):
    change(path, statement)

    with pytest.raises(StoreUnavailable):
        await SqliteStore.open(path)


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
async def test_a_file_that_is_no_database_is_refused(tmp_path, content):
    path = tmp_path / "broken.db"
    path.write_bytes(content)

    with pytest.raises(StoreUnavailable):
        await SqliteStore.open(path)

    assert path.read_bytes() == content


async def test_a_folder_is_refused(tmp_path):
    with pytest.raises(StoreUnavailable):
        await SqliteStore.open(tmp_path)


async def test_a_refused_file_leaves_no_thread_behind(tmp_path):
    change(tmp_path / "empty.db")
    before = set(threading.enumerate())

    with pytest.raises(StoreUnavailable):
        await SqliteStore.open(tmp_path / "empty.db")

    # A thread ends a moment after the last thing it was asked for.
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=HANG_SECONDS)
    assert set(threading.enumerate()) <= before


async def test_an_open_store_notices_that_its_schema_moved_on(store, path):
    await store.check()

    change(path, "INSERT INTO _yoyo_migration (migration_hash, migration_id) VALUES ('x', '9999.later')")

    with pytest.raises(StoreUnavailable):
        await store.check()


async def test_an_admission_costs_the_same_in_a_full_store(store):
    async def steps_of_one_admission() -> int:
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        connection = store.database.writer.connection
        await connection.run(lambda conn: conn.set_progress_handler(count, 1))
        await store.dpm_runs.admit(an_admission(idempotency_key=an_id("key")), KEEP_ALL)
        await connection.run(lambda conn: conn.set_progress_handler(None, 1))
        return steps

    await store.dpm_runs.admit(an_admission(), KEEP_ALL)
    when_empty = await steps_of_one_admission()
    await asyncio.gather(
        *(store.dpm_runs.admit(an_admission(idempotency_key=an_id("key")), KEEP_ALL) for _ in range(300))
    )
    when_full = await steps_of_one_admission()

    assert 0 < when_full < when_empty * 1.1


async def test_a_change_of_a_proposal_costs_the_same_in_a_full_store(store):
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    async def steps_of_two_changes() -> int:
        nonlocal steps
        steps = 0
        connection = store.database.writer.connection
        await connection.run(lambda conn: conn.set_progress_handler(count, 1))
        creation = a_creation(key=an_id("key"))
        await store.proposals.change(creation)
        await store.proposals.change(under_key(a_new_version(creation.proposal), an_id("key")))
        await connection.run(lambda conn: conn.set_progress_handler(None, 1))
        return steps

    await store.proposals.change(a_creation(key=an_id("key")))
    when_empty = await steps_of_two_changes()
    await asyncio.gather(*(store.proposals.change(a_creation(key=an_id("key"))) for _ in range(300)))
    when_full = await steps_of_two_changes()

    assert 0 < when_full < when_empty * 1.1


@pytest.mark.parametrize("table", ["dpm_run_idempotency", "proposals", "proposal_keys"])
def test_the_foreign_key_that_is_checked_at_commit_is_covered_by_an_index(path, table):
    with closing(sqlite3.connect(path)) as conn:
        keys: dict[int, list[str]] = {}
        for key_id, _, _, child, *_ in conn.execute(f"PRAGMA foreign_key_list({table})"):
            keys.setdefault(key_id, []).append(child)
        indexes = [
            ([column for _, _, column in conn.execute(f"PRAGMA index_info({name})")], is_unique)
            for _, name, is_unique, *_ in conn.execute(f"PRAGMA index_list({table})")
        ]

    assert keys
    for columns in keys.values():
        # One that finds a single row by some of the columns will do.
        assert any(
            set(index[: len(columns)]) == set(columns) or (is_unique and set(index) < set(columns))
            for index, is_unique in indexes
        ), columns


NOUNS = sorted({file.stem for file in (SQL_DIR / "sqlite").glob("*.sql")} - {"catalog", "migrations"})
QUERIES = [pytest.param(query, id=query.name) for noun in NOUNS for query in load("sqlite", noun).values()]
# What may be read from end to end: what is given, what the query itself made, and what waits for a fold.
SUBQUERIES = {f"(subquery-{number})" for number in (1, 2, 3, 4, 6)}
MADE = SUBQUERIES | {"reached", "walked", "nearest", "met", "changes", "latest", "listed"}
READ_WHOLE = MADE | {"CONSTANT", "json_each", "dpm_tally_changes"}
# The primary key is by run; an index by time would be written with every run, to sort what few keys have.
SORTED = {"list_uses"}
# What is listed in the order of an index, and what is the first of that order.
ORDERED = [
    pytest.param(query, id=query.name)
    for noun in NOUNS
    for query in load("sqlite", noun).values()
    if query.text.endswith(("LIMIT :limit", "LIMIT 1")) and "UNION" not in query.text
    if query.name not in SORTED
]


def plan_of(path, query):
    with closing(sqlite3.connect(path)) as conn:
        rows = conn.execute(f"EXPLAIN QUERY PLAN {query.text}", dict.fromkeys(query.params, ""))
        return [detail for *_, detail in rows]


@pytest.mark.parametrize("query", QUERIES)
def test_no_query_reads_a_table_from_end_to_end(path, query):
    scanned = {detail.split()[1] for detail in plan_of(path, query) if detail.startswith("SCAN")}

    assert scanned <= READ_WHOLE


@pytest.mark.parametrize("query", ORDERED)
def test_what_is_listed_in_order_is_found_without_sorting(path, query):
    plan = plan_of(path, query)

    assert any(detail.startswith("SEARCH") for detail in plan), plan
    assert not [detail for detail in plan if "TEMP B-TREE" in detail]


async def test_a_file_that_takes_writes_is_ready_and_does_not_grow(store, path):
    await store.check_writable()
    pages = path.stat().st_size
    before = rows_in(path)

    for _ in range(20):
        await store.check_writable()

    assert (path.stat().st_size, rows_in(path)) == (pages, before)


async def test_a_file_with_no_room_for_a_page_is_not_ready_until_there_is(store):
    await pages_at_most(store, 1)

    with pytest.raises(StoreUnavailable) as full:
        await store.check_writable()
    await pages_at_most(store, 1_000_000)

    assert full.value.cause is StoreCause.DISK_FULL
    await store.check_writable()


async def test_a_file_on_a_full_disk_is_not_ready(store, monkeypatch):
    monkeypatch.setattr(probing, "free_bytes", lambda path: probing.FREE_BYTES_MIN - 1)

    with pytest.raises(StoreUnavailable) as full:
        await store.check_writable()

    assert full.value.cause is StoreCause.DISK_FULL


# The limit holds for the process, so it is one of its own; the log reaches it and cannot begin again.
UNTIL_FULL = """
import asyncio, resource, sys
from pathlib import Path
from service.domains.retention.cutoffs import KEEP_ALL
from service.errors.storage import StoreUnavailable
from service.storage.sqlite.store import SqliteStore
from tests.integration.contract.builders import an_admission

async def main():
    path = Path(sys.argv[1])
    store = await SqliteStore.open(path)
    await store.check_writable()
    size = path.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    for n in range(10_000):
        try:
            admission = an_admission(idempotency_key=f"key-{n}", result=b"9" * 20_000)
            await store.dpm_runs.admit(admission, KEEP_ALL)
        except StoreUnavailable as error:
            print(error.cause.value)
            break
    # A probe is smaller than any act, and takes what the acts have left.
    for n in range(100):
        try:
            await store.check_writable()
        except StoreUnavailable as error:
            print(error.cause.value)
            break
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await store.check_writable()
    print("ready")
    await store.close()

asyncio.run(main())
"""


def test_a_disk_that_takes_no_more_bytes_is_not_ready_until_it_does(path):
    told = subprocess.run(
        [sys.executable, "-c", UNTIL_FULL, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    refused, probed, after_all = told.stdout.split() or [told.stderr]
    assert {refused, probed} <= {"DISK_FULL", "DISK_FAILED"}
    assert after_all == "ready"


async def test_a_file_that_another_process_locks_is_not_ready(store, path):
    with locked(path), pytest.raises(StoreUnavailable) as held_by_another:
        await store.check_writable()

    assert held_by_another.value.cause is StoreCause.LOCKED
    await store.check_writable()


async def test_a_file_whose_lock_lasts_is_not_ready_before_the_writer_gives_up(path, monkeypatch):
    monkeypatch.setattr(database, "LOCKED_SECONDS_MAX", 0.01)
    async with opened(path, busy_seconds_max=60) as store:
        with locked(path), pytest.raises(StoreUnavailable) as held_by_another:
            await store.check_writable()
        assert held_by_another.value.cause is StoreCause.LOCKED


async def test_a_writer_that_is_busy_with_acts_of_its_own_is_busy_and_not_locked(store, monkeypatch):
    monkeypatch.setattr(database, "LOCKED_SECONDS_MAX", 0.01)
    commits = store.database.writer
    with held(store):
        probing_now = asyncio.ensure_future(store.check_writable())
        await asyncio.sleep(0)
        # It has just now committed something, whatever the clock says.
        commits.committed_at = math.inf

        with pytest.raises(StoreBusy):
            await probing_now


async def test_a_file_that_was_made_read_only_is_not_ready(path):
    # What a read-only file system does to a connection, whoever runs this.
    async with opened(path) as store:
        await store.database.writer.connection.run(lambda conn: conn.execute("PRAGMA query_only = ON"))

        with pytest.raises(StoreUnavailable) as read_only:
            await store.check_writable()

    assert read_only.value.cause is StoreCause.READ_ONLY


async def test_a_file_once_found_damaged_is_not_ready_any_more(path):
    admission = an_admission(result=b"9" * 200_000)
    async with opened(path) as store:
        await store.dpm_runs.admit(admission, KEEP_ALL)
    with path.open("r+b") as file:
        file.seek(-100_000, 2)
        file.write(b"\xff" * 100_000)
    async with opened_unchecked(path) as store:
        with pytest.raises(StoreUnavailable) as damaged:
            await store.dpm_runs.get(DEFAULT_TENANT, admission.run.rebalance_run_id, KEEP_ALL)

        with pytest.raises(StoreUnavailable) as not_ready:
            await store.check_writable()

    assert damaged.value.cause is not_ready.value.cause is StoreCause.DAMAGED


@asynccontextmanager
async def opened_unchecked(path: Path) -> AsyncIterator[SqliteStore]:
    """A file that breaks once it is open."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "require_sound", lambda *_: None)
        async with opened(path) as store:
            yield store


def test_a_file_whose_log_was_removed_is_refused_before_it_is_touched(path):
    shared = path.with_name(path.name + "-shm")
    shared.write_bytes(b"")
    before = path.read_bytes()

    with pytest.raises(SchemaRefused, match=r"store\.db-wal is missing"):
        migrate.check(path)
    with pytest.raises(StoreUnavailable) as refused:
        asyncio.run(SqliteStore.open(path))

    assert refused.value.cause is StoreCause.DAMAGED
    assert path.read_bytes() == before
