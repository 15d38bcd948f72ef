"""What only PostgreSQL has: roles, plans, a server that can be away."""

from __future__ import annotations

import asyncio
import math
import os
import re
from contextlib import suppress
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psycopg
import pytest
import pytest_asyncio

from scripts.bench.seeding import BEGAN_AT, seed_runs, settle
from scripts.harness.postgres import create_database, drop_database, free_port
from service.domains.callers import DEFAULT_TENANT
from service.domains.operations import CANCELLATION, OperationType
from service.domains.proposals.states import ApprovalType, ProposalEventType
from service.domains.proposals.values import ProposalFilter
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.domains.retention.deletions import DeletionBatch
from service.domains.values.canonical import digest_of
from service.domains.values.pages import EARLIEST
from service.domains.workflow_decisions import ReviewRule
from service.errors.operations import OperationNotFound
from service.errors.storage import (
    PostgresDsnRequired,
    PostgresUnavailable,
    StoreBusy,
    StoreRefused,
    StoreUnavailable,
)
from service.errors.storage_causes import StoreCause
from service.storage.postgres.addresses import writable
from service.storage.postgres.database import PoolOptions
from service.storage.postgres.jobs.queue import PostgresJobQueue
from service.storage.postgres.performing import perform
from service.storage.postgres.proposals import keep_change
from service.storage.postgres.store import PostgresStore
from service.storage.queries import MIGRATIONS_DIR, SQL_DIR, load
from service.storage.sql.operations import acts
from service.storage.sql.proposals import proposals
from tests.conftest import OURS
from tests.integration.contract.builders import (
    LONG_SECONDS,
    a_batch,
    a_lease,
    a_staged,
    a_verdict,
    after,
    an_admission,
    an_answer,
    an_artifact,
    an_id,
    an_operation,
    claimed,
    ending_of,
    operations_since,
    started,
    submit_and_move,
    succeeded,
)
from tests.integration.contract.policy_builders import a_change, a_policy
from tests.integration.contract.proposal_builders import (
    a_creation,
    a_new_version,
    a_simulation,
    a_step,
    an_approval,
)
from tests.integration.contract.test_shadow_differences import a_difference
from tests.waiting import HANG_SECONDS, quiet

APPEND_ONLY = (
    "dpm_run_requests",
    "dpm_runs",
    "dpm_run_idempotency_history",
    "dpm_lineage_edges",
    "dpm_run_artifacts",
    "dpm_workflow_decisions",
    "dpm_purges",
    "dpm_parity_differences",
    # A proposal moves on, but what it is stays.
    "proposals",
    "proposal_versions",
    "proposal_events",
    "proposal_approvals",
    "proposal_keys",
    "dpm_policy_pack_changes",
)
LONG_AFTER = RetentionCutoff(runs_since=BEGAN_AT + timedelta(days=3650))
ROLES = (MIGRATIONS_DIR / "roles.sql").read_text(encoding="utf-8")
RULE = ReviewRule(frozenset({"READY"}))
# Seeded once for all plans; enough rows that reading a table from end to end is never the quick way.
RUNS_SEEDED = 20_000
# One operation of two hundred waits, runs or failed; half of those that wait lost their job.
OPERATIONS_SEEDED = """
INSERT INTO dpm_operations (
    tenant_id, operation_id, operation_type, status, correlation_id, created_at, started_at, finished_at,
    lease_until, error_code, error_message, is_queued, request_sha256, request, result
)
SELECT 'default', 'dop_' || n, 'ANALYZE_SCENARIOS', status, 'corr_' || n, at,
    CASE WHEN status <> 'PENDING' THEN at END,
    CASE WHEN status IN ('SUCCEEDED', 'FAILED') THEN at END,
    CASE WHEN status = 'RUNNING' THEN at END,
    CASE WHEN status = 'FAILED' THEN 'CODE' END,
    CASE WHEN status = 'FAILED' THEN 'message' END,
    n % 800 = 0, 'sha256:0', '{}', CASE WHEN status = 'SUCCEEDED' THEN '{}'::bytea END
FROM generate_series(1, 20000) AS n
CROSS JOIN LATERAL (
    SELECT timestamptz '2026-03-02' + n * interval '1 second' AS at,
        CASE n % 400
            WHEN 0 THEN 'PENDING' WHEN 1 THEN 'RUNNING' WHEN 2 THEN 'FAILED' ELSE 'SUCCEEDED'
        END AS status
) AS drawn
"""
DIFFERENCES_SEEDED = """
INSERT INTO dpm_parity_differences (
    tenant_id, difference_id, kind, act, entity_id, place, primary_text, shadow_text, found_at
)
SELECT 'default', 'diff_' || n, (ARRAY['OUTCOME', 'FAILED', 'MISSED', 'CONSEQUENCE'])[1 + n % 4],
    'dpm_runs.admit', 'rr_' || n, 'act', 'kept', 'not repeated',
    timestamptz '2026-03-02' + n * interval '1 second'
FROM generate_series(1, 20000) AS n
"""
SCENARIOS_SEEDED = """
INSERT INTO dpm_operation_scenarios (tenant_id, operation_id, scenario, failure)
SELECT 'default', 'dop_' || n, 'scenario', 'failure' FROM generate_series(1, 20000) AS n
"""
JOBS_SEEDED = """
INSERT INTO queue.pgqueuer (priority, status, entrypoint, dedupe_key)
SELECT 0, CASE WHEN n % 100 = 0 THEN 'picked' ELSE 'queued' END::queue.pgqueuer_status,
    CASE WHEN n % 20 = 0 THEN 'operations' ELSE 'others' END, 'dop_' || n
FROM generate_series(1, 20000, 2) AS n
"""
JOB_LOG_SEEDED = """
INSERT INTO queue.pgqueuer_log (created, job_id, status, priority, entrypoint)
SELECT timestamptz '2026-03-02' + n * interval '1 second', n, 'queued', 0, 'operations'
FROM generate_series(1, 20000) AS n
"""
# In one transaction, for a proposal is checked to have its version and its event when that ends.
PROPOSALS_SEEDED = """
INSERT INTO proposals (
    tenant_id, proposal_id, portfolio_id, created_by, created_at, last_event_at, state, version_no,
    version_status, versioned_by, revision
)
SELECT 'default', 'pp_' || n, 'pf_' || n % 150, 'adviser_' || n % 40, at, at,
    CASE n % 4 WHEN 0 THEN 'DRAFT' WHEN 1 THEN 'RISK_REVIEW' ELSE 'EXECUTED' END, 1, 'READY', 'adviser', 1
FROM generate_series(1, 20000) AS n
CROSS JOIN LATERAL (SELECT timestamptz '2026-03-02' + n * interval '1 second' AS at) AS drawn;
INSERT INTO proposal_versions (
    tenant_id, proposal_id, version_no, proposal_version_id, created_by, created_at, status_at_creation,
    request_hash, simulation_hash, artifact_hash, artifact_id, request, result, artifact, evidence
)
SELECT tenant_id, proposal_id, 1, 'ppv_' || proposal_id, created_by, created_at, 'READY',
    'sha256:0', 'sha256:0', 'sha256:0', 'pa_1', '{}', '{}', '{}', '{}'
FROM proposals;
INSERT INTO proposal_events (
    tenant_id, proposal_id, event_no, event_id, event_type, to_state, actor_id, occurred_at, reason
)
SELECT tenant_id, proposal_id, 1, 'pwe_' || proposal_id, 'CREATED', 'DRAFT', created_by, created_at, '{}'
FROM proposals;
INSERT INTO proposal_approvals (
    tenant_id, proposal_id, event_no, approval_id, approval_type, approved, actor_id, occurred_at, details
)
SELECT tenant_id, proposal_id, 1, 'pap_' || proposal_id, 'RISK', true, created_by, created_at, '{}'
FROM proposals;
INSERT INTO proposal_keys (
    tenant_id, family, scope, idempotency_key, request_hash, proposal_id, version_no, created_at, answer
)
SELECT tenant_id, 'CREATE', '', 'key_' || proposal_id, 'sha256:0', proposal_id, 1, created_at, '{}'
FROM proposals;
INSERT INTO proposal_simulations (tenant_id, idempotency_key, request_hash, created_at, request, result)
SELECT tenant_id, 'key_' || proposal_id, 'sha256:0', created_at, '{}', '{}'
FROM proposals;
"""
POLICY_PACKS_SEEDED = """
INSERT INTO dpm_policy_pack_changes (
    tenant_id, revision, policy_pack_id, version, changed_at, correlation_id, definition_sha256, definition
)
SELECT 'default', n, 'pack_' || n % 1000, n, '2026-03-02', 'corr', 'sha256:' || repeat('0', 64), '{}'
FROM generate_series(1, 20000) AS n
"""
# Half of them about a run, half about an operation; whether that is there is not what is asked.
ANSWERS_SEEDED = """
SET session_replication_role = replica;
INSERT INTO dpm_idempotent_answers (
    tenant_id, family, idempotency_key, request_hash, rebalance_run_id, operation_id, created_at, answer
)
SELECT 'default', CASE n % 2 WHEN 0 THEN 'DPM_WORKFLOW_ACTION' ELSE 'DPM_ANALYZE_ASYNC' END, 'key_' || n,
    'sha256:' || repeat('0', 64), CASE n % 2 WHEN 0 THEN 'rr_' || n END,
    CASE n % 2 WHEN 1 THEN 'dop_' || n END, '2026-03-02', '{}'
FROM generate_series(1, 20000) AS n
"""
# Small by nature: what changed since the last time it was added up, the books of the migrations, and what the
# engine of the queue counts up for whoever asks it.
SMALL = {"dpm_tallies", "dpm_tally_changes", "_yoyo_migration", "schema_checksums", "pgqueuer_statistics"}


@pytest.fixture
def postgres_database(emptied_postgres):
    """The database of the contract: without a row, and its tables stay as they are."""
    return emptied_postgres


@pytest.fixture
def own_database(postgres_server, postgres_template):
    """A database that the test may change as it likes."""
    name = f"{OURS}_own"
    yield create_database(postgres_server, name, postgres_template)
    drop_database(postgres_server, name)


@pytest.fixture(scope="module")
def untouched(postgres_server, postgres_template):
    """A database that has never had a row."""
    name = f"{OURS}_untouched"
    yield create_database(postgres_server, name, postgres_template)
    drop_database(postgres_server, name)


@pytest_asyncio.fixture
async def store(postgres_database):
    opened = await PostgresStore.open(postgres_database)
    yield opened
    await opened.close()


def run_as_owner(dsn, *statements):
    with psycopg.connect(dsn, autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement)


async def a_queue(dsn):
    return await PostgresJobQueue.open(dsn, concurrency=2, lease_seconds=30, options=PoolOptions())


async def filled(store):
    """One row in every table."""
    admission = an_admission()
    await store.dpm_runs.admit(admission, KEEP_ALL)
    await store.artifacts.keep(an_artifact(admission.run))
    await store.workflow_decisions.decide(a_verdict(admission.run), RULE, KEEP_ALL)
    await store.operations.submit(an_operation())
    await proposed(store)
    await store.proposal_simulations.keep(a_simulation(), kept_since=EARLIEST)
    await store.policy_packs.amend(a_change(await store.policy_packs.find_revision(DEFAULT_TENANT) + 1))
    await store.shadow_differences.record([a_difference()])
    return admission.run


async def proposed(store):
    """A proposal at its third event, an approval."""
    creation = a_creation(key=an_id("key"))
    submission = a_step(creation.proposal, ProposalEventType.SUBMITTED_FOR_RISK_REVIEW)
    approval = an_approval(submission.proposal, ApprovalType.RISK)
    for change in (creation, submission, approval):
        await store.proposals.change(change)
    return approval.proposal


@pytest.fixture
def login(postgres_database):
    """Makes a login with one of our roles; gives back how to reach the database as it."""
    name = f"login_{os.getpid()}_{an_id('of')[-8:]}"
    run_as_owner(postgres_database, ROLES, f"CREATE ROLE {name} LOGIN PASSWORD '{name}'")

    def login_as(role):
        run_as_owner(postgres_database, f"GRANT {role} TO {name}")
        parts = urlsplit(postgres_database)
        _, _, where = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{name}:{name}@{where}"))

    yield login_as
    run_as_owner(postgres_database, f"DROP ROLE {name}")


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "change", ["UPDATE {0} SET tenant_id = 'x'", "DELETE FROM {0}", "TRUNCATE {0} CASCADE"]
)
async def test_not_even_the_owner_changes_what_is_append_only_by_a_slip(
    store, postgres_database, table, change
):
    await filled(store)

    with pytest.raises(psycopg.errors.RestrictViolation):
        run_as_owner(postgres_database, change.format(table))


NEVER_PURGED = [table for table in APPEND_ONLY if table.startswith(("proposal", "dpm_policy_pack"))]


@pytest.mark.parametrize("table", NEVER_PURGED)
async def test_not_even_a_purge_removes_anything_of_a_proposal_or_a_catalog(store, postgres_database, table):
    await filled(store)

    with (
        pytest.raises(psycopg.errors.RestrictViolation, match=f"{table} is append-only"),
        psycopg.connect(postgres_database) as conn,
    ):
        conn.execute("SELECT set_config('dpm.purging', 'on', true)")
        conn.execute(f"DELETE FROM {table}")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE proposals SET revision = revision",
        "UPDATE proposals SET revision = revision + 2",
        "UPDATE proposals SET revision = revision - 1",
        "UPDATE proposals SET revision = revision + 1, version_no = version_no + 2",
        "UPDATE proposals SET revision = revision + 1, version_no = version_no - 1",
        "UPDATE proposals SET revision = revision + 1, title = 'another'",
        "UPDATE proposal_simulations SET result = 'another'",
        "UPDATE proposal_simulations SET idempotency_key = 'another'",
        "TRUNCATE proposal_simulations",
    ],
)
async def test_not_even_the_owner_moves_a_proposal_or_a_simulation_otherwise_by_a_slip(
    store, postgres_database, change
):
    await filled(store)

    with pytest.raises(psycopg.errors.RestrictViolation):
        run_as_owner(postgres_database, change)


async def test_not_even_the_owner_moves_a_proposal_that_has_ended(store, postgres_database):
    standing = await proposed(store)
    await store.proposals.change(a_step(standing, ProposalEventType.CANCELLED))

    with pytest.raises(psycopg.errors.RestrictViolation, match="has ended"):
        run_as_owner(postgres_database, "UPDATE proposals SET revision = revision + 1, state = 'DRAFT'")


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("UPDATE proposals SET revision = revision + 1", "proposals_event_kept"),
        (
            "UPDATE proposals SET revision = revision + 1, version_no = version_no + 1",
            "proposals_version_kept",
        ),
        (
            "INSERT INTO proposal_keys SELECT tenant_id, 'VERSION', proposal_id, 'key', 'hash', proposal_id,"
            " 2, created_at, '{}' FROM proposals",
            "proposal_keys_version_kept",
        ),
    ],
)
async def test_what_a_proposal_and_a_key_stand_for_is_there_when_an_act_ends(
    store, postgres_database, change, constraint
):
    await proposed(store)

    with pytest.raises(psycopg.errors.ForeignKeyViolation, match=constraint):
        run_as_owner(postgres_database, change)


async def run_one_operation(store):
    """Every move of one operation, and the end of another that nobody came for."""
    operation = an_operation(operation_type=OperationType.CREATE_PROPOSAL)
    await store.operations.submit(operation)
    place = (DEFAULT_TENANT, operation.operation_id)
    claim = await store.operations.claim(*place, a_lease(1))
    await store.operations.release(claim, a_lease(1))
    claim = await store.operations.claim(*place, a_lease(1))
    await store.operations.extend(claim, a_lease(2))
    await store.operations.reap(DEFAULT_TENANT, now=after(3 * LONG_SECONDS), attempts_max=3, limit=10)
    claim = await store.operations.claim(*place, a_lease(1))
    await store.operations.stage(claim, [a_staged()], a_lease(2))
    creation = a_creation(key=operation.operation_id, cause_id=operation.operation_id)
    await store.operations.finish(claim, ending_of(succeeded(started(operation)), creation))
    assert await store.proposals.get(DEFAULT_TENANT, creation.proposal.proposal_id) == creation.proposal
    await store.operations.submit(an_operation())
    long_after = after(3 * LONG_SECONDS)
    await store.operations.expire(DEFAULT_TENANT, created_before=long_after, now=long_after, limit=10)


async def test_the_application_role_serves(store, login):
    serving = await PostgresStore.open(login("dpm_application"))
    try:
        await serving.check()
        run = await filled(serving)
        await serving.dpm_runs.admit(an_admission(replay=False, policy=a_policy()), KEEP_ALL)
        operation = an_operation()
        claim = await submit_and_move(serving, started(operation))
        await serving.operations.stage(claim, [a_staged()], a_lease(2))
        await serving.operations.release(claim, a_lease(3))
        claim = await claimed(serving, operation)
        batch = a_batch("a", cause_id=operation.operation_id)
        await serving.operations.finish(claim, ending_of(succeeded(operation), batch))
        for _ in range(2):
            kept = an_answer("dop_once", idempotency_key="act-2")
            await serving.operations.submit_once(an_operation(operation_id="dop_once"), kept, KEEP_ALL)
        await serving.operations.fail(DEFAULT_TENANT, "dop_once", now=after(1), error=CANCELLATION)
        renewed = an_answer("dop_again", idempotency_key="act-2")
        again = an_operation(operation_id="dop_again")
        assert await serving.operations.submit_once(again, renewed, operations_since(5)) is None
        version = a_new_version(await proposed(serving))
        await serving.proposals.change(version)
        replaced = a_simulation(created_at=after(10))
        await serving.proposal_simulations.keep(replaced, kept_since=after(5))
        assert await serving.dpm_runs.get(DEFAULT_TENANT, run.rebalance_run_id, KEEP_ALL) == run
        assert await store.proposals.get(DEFAULT_TENANT, version.proposal.proposal_id) == version.proposal
        assert await store.proposal_simulations.find(DEFAULT_TENANT, "key-1", kept_since=EARLIEST) == replaced
        assert (await serving.supportability.summarise(DEFAULT_TENANT, KEEP_ALL)) == (
            await store.supportability.summarise(DEFAULT_TENANT, KEEP_ALL)
        )
    finally:
        await serving.close()


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "change", ["UPDATE {0} SET tenant_id = 'x'", "DELETE FROM {0}", "TRUNCATE {0} CASCADE"]
)
async def test_the_application_role_changes_nothing_that_is_append_only(store, login, table, change):
    await filled(store)
    dsn = login("dpm_application")

    with pytest.raises(psycopg.errors.InsufficientPrivilege), psycopg.connect(dsn) as conn:
        # Even one that pretends to be a purge.
        conn.execute("SELECT set_config('dpm.purging', 'on', true)")
        conn.execute(change.format(table))


async def test_the_application_role_offers_work_and_takes_none(login):
    dsn = login("dpm_application")
    serving = await PostgresStore.open(dsn)
    queue = await a_queue(dsn)
    try:
        operation = an_operation(is_queued=True)
        await serving.operations.submit(operation)
        assert await queue.count_waiting() == 1
        # What is cancelled leaves the queue; nobody takes it.
        await serving.operations.fail(
            DEFAULT_TENANT, operation.operation_id, now=after(1), error=CANCELLATION
        )
        assert await queue.count_waiting() == 0
    finally:
        await serving.close()
        await queue.close()
    with pytest.raises(psycopg.errors.InsufficientPrivilege), psycopg.connect(dsn) as conn:
        conn.execute("UPDATE queue.pgqueuer SET status = 'picked'")


async def test_the_worker_role_works(postgres_database, login):
    dsn = login("dpm_worker")
    working = await PostgresStore.open(dsn)
    queue = await a_queue(dsn)
    offered, answers = [], [0.1, None]

    async def handle(tenant_id, operation_id):
        offered.append(operation_id)
        return answers.pop(0)

    try:
        operation = an_operation(is_queued=True)
        await working.operations.submit(operation)
        run_as_owner(postgres_database, "DELETE FROM queue.pgqueuer")
        assert await queue.refill(DEFAULT_TENANT, created_before=after(1), silent_seconds=60, limit=10) == 1
        await asyncio.wait_for(queue.work(handle, stop=asyncio.Event(), drain=True), timeout=HANG_SECONDS)
        await filled(working)
        await run_one_operation(working)
    finally:
        await working.close()
        await queue.close()
    assert offered == [operation.operation_id] * 2
    with pytest.raises(psycopg.errors.InsufficientPrivilege), psycopg.connect(dsn) as conn:
        conn.execute("DELETE FROM dpm_operations")


async def test_the_application_role_cannot_purge(store, login):
    await filled(store)
    serving = await PostgresStore.open(login("dpm_application"))
    try:
        with pytest.raises(StoreRefused):
            await serving.retention.remove(
                DeletionBatch(an_id("purge"), DEFAULT_TENANT, BEGAN_AT, LONG_AFTER)
            )
        with pytest.raises(StoreRefused):
            await serving.proposal_simulations.purge(DEFAULT_TENANT, created_before=after(1), limit=10)
    finally:
        await serving.close()
    assert (await store.supportability.summarise(DEFAULT_TENANT, KEEP_ALL)).runs.oldest is not None


async def test_the_retention_role_purges_and_does_nothing_else(store, login):
    run = await filled(store)
    dsn = login("dpm_retention")
    purging = await PostgresStore.open(dsn)
    try:
        await purging.supportability.compact()
        removed = await purging.retention.remove(
            DeletionBatch(an_id("purge"), DEFAULT_TENANT, BEGAN_AT, LONG_AFTER)
        )
        forgotten = await purging.proposal_simulations.purge(
            DEFAULT_TENANT, created_before=after(1), limit=10
        )
        with pytest.raises(StoreRefused):
            await purging.dpm_runs.admit(an_admission(), KEEP_ALL)
        with pytest.raises(StoreRefused):
            await purging.proposals.change(a_creation())
    finally:
        await purging.close()

    assert (removed.runs, forgotten) == (1, 1)
    assert (await store.retention.list_records(DEFAULT_TENANT, limit=1))[0].removed == removed
    with pytest.raises(psycopg.errors.InsufficientPrivilege), psycopg.connect(dsn) as conn:
        conn.execute(
            "UPDATE dpm_runs SET status = 'READY' WHERE rebalance_run_id = %s", [run.rebalance_run_id]
        )
    for table in NEVER_PURGED:
        with pytest.raises(psycopg.errors.InsufficientPrivilege), psycopg.connect(dsn) as conn:
            conn.execute(f"DELETE FROM {table}")


async def test_the_reader_role_only_reads(store, login):
    await filled(store)
    dsn = login("dpm_reader")

    with psycopg.connect(dsn) as conn:
        assert conn.execute("SELECT count(*) FROM dpm_runs").fetchone() == (1,)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), psycopg.connect(dsn) as conn:
        conn.execute("INSERT INTO dpm_tally_changes VALUES ('default', 'RUN_STATUS', 'READY', 1)")


def test_the_roles_file_names_every_table_and_can_be_run_again(own_database):
    run_as_owner(own_database, ROLES, ROLES)

    with psycopg.connect(own_database) as conn:
        tables = {
            name
            for (name,) in conn.execute(
                "SELECT relname FROM pg_class WHERE relkind = 'r'"
                " AND relnamespace IN ('public'::regnamespace, 'queue'::regnamespace)"
            )
            if not name.startswith(("_yoyo_log", "_yoyo_version", "yoyo_"))
        }
    assert {name for name in tables if not re.search(rf"\b{name}\b", ROLES)} == set()


async def test_without_an_address_everything_is_refused_with_the_code_for_that():
    store = await PostgresStore.open("")

    with pytest.raises(PostgresDsnRequired):
        await store.check()
    with pytest.raises(PostgresDsnRequired):
        await store.dpm_runs.admit(an_admission(), KEEP_ALL)
    await store.close()


@pytest.mark.parametrize("dsn", ["postgresql://nobody@127.0.0.1:{port}/nowhere", "not an address"])
async def test_a_server_that_is_not_there_is_unavailable_at_once(dsn):
    # At once, and not when as long has been waited for a connection.
    options = PoolOptions(acquire_seconds_max=3600, wait_seconds_max=3600)
    store = await PostgresStore.open(dsn.format(port=free_port()), options=options)

    with pytest.raises(PostgresUnavailable):
        await asyncio.wait_for(store.check(), timeout=HANG_SECONDS)
    await store.close()


async def test_a_pool_that_is_used_up_refuses_in_time(postgres_database):
    options = PoolOptions(connections_max=1, wait_seconds_max=0.2)
    store = await PostgresStore.open(postgres_database, options=options)
    try:
        async with store.database.look():
            with pytest.raises(PostgresUnavailable):
                await store.check()
        await store.check()
    finally:
        await store.close()


async def test_a_pool_that_others_keep_busy_says_so_and_not_that_the_server_is_away(postgres_database):
    options = PoolOptions(connections_max=1, wait_seconds_max=0.4)
    store = await PostgresStore.open(postgres_database, options=options)
    try:
        await store.check()
        async with store.database.look():
            # As if others were done all the while, and after that as if nobody got on.
            store.database.used_at = math.inf
            with pytest.raises(StoreBusy):
                await store.check()
            store.database.used_at = -math.inf
            with pytest.raises(PostgresUnavailable):
                await store.check()
    finally:
        await store.close()


async def test_a_pool_lets_only_so_many_wait_and_refuses_the_others_at_once(postgres_database):
    options = PoolOptions(connections_max=1, waiters_max=2)
    store = await PostgresStore.open(postgres_database, options=options)
    try:
        await store.check()
        async with store.database.look():
            waiting = [asyncio.create_task(store.check()) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(StoreBusy):
                await store.check()
            assert not any(one.done() for one in waiting)
        await asyncio.gather(*waiting)
    finally:
        await store.close()


@pytest.mark.parametrize("midst", ["in the act", "in the commit"])
async def test_a_cancelled_act_is_kept_or_taken_back_and_leaves_nothing_behind(postgres_database, midst):
    store = await PostgresStore.open(postgres_database, options=PoolOptions(connections_max=1))
    kept = 0
    try:
        for number in range(20):
            begun = asyncio.Event()
            operation = an_operation(operation_id=f"dop_cancelled_{number}")

            async def act(begun=begun, operation=operation):
                async with store.database.act() as conn:
                    await perform(conn, acts.submit, operation, digest_of(operation.request), None)
                    if midst == "in the act":
                        begun.set()
                        await conn.execute("SELECT pg_sleep(3600)")
                    begun.set()

            acting = asyncio.create_task(act())
            await begun.wait()
            if midst == "in the commit":
                # Its word is on the way to the server, which has not answered.
                await asyncio.sleep(0)
            acting.cancel()
            with suppress(asyncio.CancelledError):
                await acting

            # The one connection there is has been given back, and no lock is left.
            try:
                await asyncio.wait_for(
                    store.operations.get(DEFAULT_TENANT, operation.operation_id, KEEP_ALL), HANG_SECONDS
                )
                kept += 1
            except OperationNotFound:
                await asyncio.wait_for(store.operations.submit(operation), timeout=HANG_SECONDS)
        assert midst == "in the commit" or kept == 0
    finally:
        await store.close()


@pytest.mark.parametrize("midst", ["between statements", "in a statement"])
async def test_an_act_that_does_not_come_to_its_end_lets_go_of_its_locks(store, postgres_database, midst):
    operation = an_operation()
    await store.operations.submit(operation)
    options = PoolOptions(act_seconds_max=1.0)
    frozen = await PostgresStore.open(postgres_database, options=options)
    claimed, taken_over = asyncio.Event(), asyncio.Event()

    async def freeze():
        async with frozen.database.act() as conn:
            await perform(conn, acts.claim, DEFAULT_TENANT, operation.operation_id, a_lease(1))
            claimed.set()
            if midst == "in a statement":
                await conn.execute("SELECT pg_sleep(3600)")
            await taken_over.wait()

    freezing = asyncio.create_task(freeze())
    try:
        await claimed.wait()
        claim = await asyncio.wait_for(
            store.operations.claim(DEFAULT_TENANT, operation.operation_id, a_lease(2)), HANG_SECONDS
        )
        # Whoever goes on after that is told.
        taken_over.set()
        with pytest.raises(PostgresUnavailable):
            await freezing
    finally:
        await frozen.close()
    assert (claim.fence, claim.operation.attempt) == (1, 1)


class Undone(Exception):
    pass


@pytest.mark.parametrize("end", ["kept", "undone"])
async def test_who_comes_while_another_is_at_a_key_waits_for_how_that_ends(store, end):
    first, second = a_creation(key="key-1"), a_creation(key="key-1")
    with suppress(Undone):
        async with store.database.act() as conn:
            await perform(conn, keep_change, first)
            waiting = asyncio.create_task(store.proposals.change(second))
            await quiet()
            assert not waiting.done()
            if end == "undone":
                raise Undone

    replayed = await asyncio.wait_for(waiting, timeout=HANG_SECONDS)

    kept = first if end == "kept" else second
    assert replayed == (first.key if end == "kept" else None)
    page = await store.proposals.list(DEFAULT_TENANT, ProposalFilter(), limit=10, cursor=None)
    assert page.items == (kept.proposal,)


async def test_no_lock_is_held_while_the_answer_of_a_key_is_read(store, monkeypatch):
    creation = a_creation(key="key-1")
    await store.proposals.change(creation)
    operation = an_operation(operation_type=OperationType.CREATE_PROPOSAL)
    await store.operations.submit(operation)
    claim = await claimed(store, operation)
    ending = ending_of(succeeded(started(operation)), a_creation(key="key-1"))
    found, find_key = [], proposals.find_key

    async def find_beside_another(*place):
        # It would wait for whoever holds the operation locked.
        await asyncio.wait_for(store.operations.extend(claim, a_lease(2)), timeout=HANG_SECONDS)
        found.append(await find_key(*place))
        return found[-1]

    monkeypatch.setattr(proposals, "find_key", find_beside_another)

    assert await store.operations.finish(claim, ending) == creation.key
    assert found == [creation.key]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM _yoyo_migration WHERE migration_id LIKE '0002%'",
        "UPDATE _yoyo_migration SET migration_id = '9999.later' WHERE migration_id LIKE '0001%'",
        "UPDATE schema_checksums SET sha256 = 'edited'",
        "DROP TABLE schema_checksums",
    ],
    ids=["behind", "ahead", "edited", "without digests"],
)
async def test_a_database_of_another_build_is_not_ready(own_database, statement):
    store = await PostgresStore.open(own_database)
    try:
        await store.check()

        run_as_owner(own_database, statement)

        with pytest.raises(StoreUnavailable):
            await store.check()
    finally:
        await store.close()


async def test_behind_a_transaction_pooler_no_statement_is_kept(postgres_database):
    options = PoolOptions(statement_cache_size=0, session_settings=False)
    store = await PostgresStore.open(postgres_database, options=options)
    try:
        await filled(store)
        async with store.database.look() as conn:
            kept = await conn.fetch("SELECT name FROM pg_prepared_statements")
        assert kept == []
    finally:
        await store.close()


@pytest_asyncio.fixture(scope="module")
async def seeded(postgres_template, postgres_server):
    name = f"seeded_{os.getpid()}"
    dsn = create_database(postgres_server, name, postgres_template)
    await seed_runs(dsn, RUNS_SEEDED)
    run_as_owner(dsn, OPERATIONS_SEEDED, SCENARIOS_SEEDED, JOBS_SEEDED, JOB_LOG_SEEDED, PROPOSALS_SEEDED)
    run_as_owner(dsn, POLICY_PACKS_SEEDED, DIFFERENCES_SEEDED, ANSWERS_SEEDED)
    await settle(dsn)
    conn = await asyncpg.connect(dsn)
    yield conn
    await conn.close()
    drop_database(postgres_server, name)


# What stands for each parameter by the type the server gives it.
VALUES = {
    "text": "x",
    "timestamptz": BEGAN_AT,
    "int8": 50,
    "int4": 3,
    "float8": 2.0,
    "bool": True,
    "json": "[]",
    "jsonb": '["x"]',
    "bytea": b"",
    "text[]": ["x"],
}


async def plan_of(conn, query, *, generic=False):
    """The plan for given values, or the one for whatever they are."""
    await conn.execute(f"SET plan_cache_mode = force_{'generic' if generic else 'custom'}_plan")
    prepared = await conn.prepare(query.text)
    values = [
        '["x"]' if name.endswith("_ids") else VALUES[parameter.name]
        for name, parameter in zip(query.params, prepared.get_parameters(), strict=True)
    ]
    return "\n".join(line for (line,) in await conn.fetch(f"EXPLAIN {query.text}", *values))


NOUNS = sorted({file.stem for file in (SQL_DIR / "postgres").glob("*.sql")} - {"catalog", "migrations"})
READING = [
    pytest.param(query, id=query.name)
    for noun in NOUNS
    for query in load("postgres", noun).values()
    if re.match(r"SELECT|WITH|\(|DELETE|UPDATE", query.text)
]


@pytest.mark.parametrize("query", READING)
async def test_no_query_reads_a_large_table_from_end_to_end(seeded, query):
    plan = await plan_of(seeded, query)

    assert set(re.findall(r"Seq Scan on (\w+)", plan)) <= SMALL, plan


PAGES = [
    pytest.param(query, id=query.name)
    for noun in ("dpm_runs", "operations", "proposals")
    for query in load("postgres", noun).values()
    if re.match(r"list_(runs|operations|proposals)(?!_by_cause)", query.name)
]


@pytest.mark.parametrize("generic", [False, True], ids=["of these values", "of any values"])
@pytest.mark.parametrize("query", PAGES)
async def test_a_page_is_read_in_the_order_of_an_index(seeded, query, generic):
    plan = await plan_of(seeded, query, generic=generic)

    assert "Index Scan Backward" in plan
    assert "Sort" not in plan


@pytest.mark.parametrize("generic", [False, True], ids=["of these values", "of any values"])
@pytest.mark.parametrize("name", ["list_ended_leases", "list_unexecuted", "list_not_enqueued"])
async def test_what_waits_or_runs_is_found_by_its_status(seeded, name, generic):
    plan = await plan_of(seeded, load("postgres", "operations")[name], generic=generic)

    assert "dpm_operations_by_status" in plan
    assert "Sort" not in plan


@pytest.mark.parametrize(
    ("table", "key", "asked"),
    [
        ("dpm_runs", "dpm_runs_key", "tenant_id = $1 AND rebalance_run_id = $2"),
        ("dpm_run_requests", "dpm_run_requests_key", "tenant_id = $1 AND request_id = $2"),
        ("proposals", "proposals_key", "tenant_id = $1 AND proposal_id = $2"),
        (
            "proposal_versions",
            "proposal_versions_key",
            "tenant_id = $1 AND proposal_id = $2 AND version_no = $3",
        ),
        ("proposal_events", "proposal_events_key", "tenant_id = $1 AND proposal_id = $2 AND event_no = $3"),
    ],
)
def test_a_foreign_key_is_checked_by_primary_key_before_there_are_statistics(untouched, table, key, asked):
    # As the server itself asks, and plans once for the life of a connection.
    question = f"SELECT 1 FROM ONLY {table} AS x WHERE {asked} FOR KEY SHARE OF x"

    with psycopg.connect(untouched) as conn:
        plan = [line for (line,) in conn.execute(f"EXPLAIN (GENERIC_PLAN) {question}")]

    assert any(f"using {key} on" in line for line in plan), plan


@pytest.mark.parametrize(
    ("noun", "name", "key"),
    [
        ("dpm_runs", "find_run", "dpm_runs_key"),
        ("dpm_runs", "find_run_head", "dpm_runs_key"),
        ("dpm_runs", "find_sealed_run", "dpm_runs_key"),
        ("policy_packs", "find_revision", "dpm_policy_pack_changes_key"),
        ("proposals", "find_proposal", "proposals_key"),
        ("proposals", "advance_proposal", "proposals_key"),
        ("proposals", "find_version", "proposal_versions_key"),
        ("proposals", "list_events", "proposal_events_key"),
        ("proposals", "list_approvals", "proposal_approvals_key"),
        ("proposals", "find_key", "proposal_keys_key"),
        ("proposal_simulations", "find_simulation", "proposal_simulations_key"),
        ("proposal_simulations", "replace_simulation", "proposal_simulations_key"),
    ],
)
def test_what_is_looked_up_is_found_by_primary_key_before_there_are_statistics(untouched, noun, name, key):
    with psycopg.connect(untouched) as conn:
        plan = [
            line for (line,) in conn.execute(f"EXPLAIN (GENERIC_PLAN) {load('postgres', noun)[name].text}")
        ]

    assert any(re.search(rf"(using|Index Scan on) {key}\b", line) for line in plan), plan


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("INSERT INTO dpm_runs DEFAULT VALUES", StoreRefused),
        ("SELECT 1 FROM nowhere", StoreRefused),
        ("SELECT 1 / 0", StoreRefused),
        ("SELECT repeat('x', 1100000000)", StoreRefused),
        ("DO $$ BEGIN RAISE EXCEPTION 'no'; END $$", StoreRefused),
        ("DO $$ BEGIN RAISE unique_violation; END $$", StoreRefused),
        ("DO $$ BEGIN RAISE serialization_failure; END $$", StoreBusy),
        ("DO $$ BEGIN RAISE deadlock_detected; END $$", StoreBusy),
        ("DO $$ BEGIN RAISE lock_not_available; END $$", StoreBusy),
        ("DO $$ BEGIN RAISE query_canceled; END $$", StoreBusy),
        ("DO $$ BEGIN RAISE disk_full; END $$", StoreCause.DISK_FULL),
        ("DO $$ BEGIN RAISE too_many_connections; END $$", StoreCause.EXHAUSTED),
        ("DO $$ BEGIN RAISE out_of_memory; END $$", StoreCause.EXHAUSTED),
        ("DO $$ BEGIN RAISE admin_shutdown; END $$", StoreCause.CONNECTION),
        ("DO $$ BEGIN RAISE io_error; END $$", StoreCause.DISK_FAILED),
        ("DO $$ BEGIN RAISE data_corrupted; END $$", StoreCause.DAMAGED),
        ("DO $$ BEGIN RAISE read_only_sql_transaction; END $$", StoreCause.READ_ONLY),
        ("SELECT pg_terminate_backend(pg_backend_pid())", StoreCause.CONNECTION),
    ],
)
async def test_what_the_server_refuses_is_not_what_is_away(store, statement, error):
    with pytest.raises((StoreRefused, StoreUnavailable)) as raised:
        async with store.database.act() as conn:
            await conn.execute(statement)

    if isinstance(error, StoreCause):
        assert type(raised.value) is PostgresUnavailable
        assert raised.value.cause is error
    else:
        assert type(raised.value) is error
    assert raised.value.__cause__ is not None
    await store.check_writable()


async def test_a_value_that_the_driver_cannot_send_is_refused(store):
    with pytest.raises(StoreRefused):
        async with store.database.act() as conn:
            await conn.execute("SELECT $1::bigint", 2**70)

    await store.check_writable()


async def test_a_server_that_takes_no_writes_is_not_ready_and_is_ready_at_once_when_it_does(
    own_database,
):
    store = await PostgresStore.open(own_database)
    name = urlsplit(own_database).path[1:]
    try:
        await asyncio.gather(*(store.check() for _ in range(4)))
        told(own_database, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        # The sessions that are open still write; what is read-only is found on a new one.
        await store.database.reconnect()
        with pytest.raises(PostgresUnavailable) as not_ready:
            await store.check_writable()
        await store.check()
        with pytest.raises(PostgresUnavailable) as not_kept:
            await store.dpm_runs.admit(an_admission(), KEEP_ALL)
        told(
            own_database,
            "SET default_transaction_read_only = off",
            f'ALTER DATABASE "{name}" RESET default_transaction_read_only',
        )

        await store.dpm_runs.admit(an_admission(), KEEP_ALL)
        await store.check_writable()
    finally:
        await store.close()
    assert not_ready.value.cause is not_kept.value.cause is StoreCause.READ_ONLY


async def test_a_refused_write_has_every_connection_made_anew(store):
    async with store.database.look() as conn:
        before = await conn.fetch("SELECT pg_backend_pid() AS pid")
    with pytest.raises(PostgresUnavailable):
        async with store.database.snapshot() as conn:
            await conn.execute("CREATE TABLE nowhere (id int)")
    async with store.database.look() as conn:
        after_all = await conn.fetch("SELECT pg_backend_pid() AS pid")

    assert before[0]["pid"] != after_all[0]["pid"]


def told(dsn, *statements):
    with psycopg.connect(dsn, autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement)


@pytest.mark.parametrize(
    ("dsn", "wanted"),
    [
        ("postgresql://u@one:1,two:2/db", "postgresql://u@one:1,two:2/db?target_session_attrs=read-write"),
        ("postgresql://one,two/db?a=b", "postgresql://one,two/db?a=b&target_session_attrs=read-write"),
        ("postgresql:///db?host=one,two", "postgresql:///db?host=one,two&target_session_attrs=read-write"),
        ("postgresql://one,two/db?", "postgresql://one,two/db?target_session_attrs=read-write"),
        ("postgresql://one/db", None),
        ("postgresql://one/a,b", None),
        ("postgresql://one,two/db?target_session_attrs=any", None),
        ("", None),
    ],
)
def test_of_several_servers_the_one_that_takes_writes_is_asked_for(monkeypatch, dsn, wanted):
    monkeypatch.delenv("PGTARGETSESSIONATTRS", raising=False)

    assert writable(dsn) == (wanted or dsn)


async def test_a_standby_that_comes_first_in_the_address_is_passed_over(monkeypatch):
    asked = []

    def create_pool(dsn, **options):
        asked.append(dsn)
        return made(dsn, **options)

    made = asyncpg.create_pool
    monkeypatch.setattr(asyncpg, "create_pool", create_pool)
    store = await PostgresStore.open("postgresql://one:1,two:2/db")
    await store.close()

    assert asked == ["postgresql://one:1,two:2/db?target_session_attrs=read-write"]
