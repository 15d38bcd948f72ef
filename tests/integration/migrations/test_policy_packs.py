"""The runs and keys of the builds before there were policy packs."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg
import pytest

from service.admin.migrations import migrate
from service.domains.callers import DEFAULT_TENANT
from service.domains.idempotency import KeyScope
from service.domains.retention.cutoffs import KEEP_ALL
from service.storage.postgres.store import PostgresStore
from service.storage.sqlite.store import SqliteStore
from tests.integration.migrations.schema_reading import apply_first, ask, tables_in
from tests.integration.migrations.test_seeded import (
    AT,
    BLOB,
    DIGEST,
    ROWS,
    STATUSES,
    rows_of,
    seed,
)

BEFORE_POLICY_PACKS = 11
REFUSED = (sqlite3.IntegrityError, psycopg.IntegrityError)
POLICY = (
    "policy_pack_id",
    "policy_pack_version",
    "policy_pack_source",
    "policy_pack_sha256",
    "effective_options",
)
CONSTRAINTS = {
    "dpm_runs_policy_whole",
    "dpm_runs_policy_pack_source_known",
    "dpm_runs_policy_pack_sha256_form",
    "dpm_run_idempotency_policy_pack_sha256_form",
}


@pytest.fixture
def seeded(begin, dialect):
    """A database of the last build before, with some runs under keys of theirs."""
    return begin("before_policy_packs", lambda target: seed_before(target, dialect))


@pytest.fixture
def migrated(begin, dialect):
    """That database once this build has migrated it."""

    def bring(target):
        seed_before(target, dialect)
        migrate.apply(target)

    return begin("after_policy_packs", bring)


def seed_before(target, dialect):
    apply_first(target, BEFORE_POLICY_PACKS)
    seed(target, dialect)


async def opened(target):
    if isinstance(target, Path):
        return await SqliteStore.open(target)
    return await PostgresStore.open(target)


def a_run_row(dialect, policy):
    """A statement that writes such a run as this build does."""
    columns, values = a_run_before(dialect)
    return f"INSERT INTO dpm_runs ({columns}, {', '.join(POLICY)}) VALUES ({values}, {', '.join(policy)})"


def a_run_before(dialect):
    """The columns and values of one more run for a request that is there, as the build before writes it."""
    columns, values = ROWS["dpm_runs"]
    spelled = values % {"n": 9, "status": "READY", "blob": BLOB[dialect]}
    return columns, spelled.replace("'rq_9'", "'rq_0'")


def a_policy(dialect):
    return ["'pack'", "'1'", "'TENANT_DEFAULT'", f"'{DIGEST}'", BLOB[dialect]]


def test_runs_and_keys_are_kept_as_they_were_and_have_no_policy(seeded):
    before = rows_of(seeded)

    migrate.apply(seeded)

    assert rows_of(seeded) == before
    assert ask(seeded, f"SELECT DISTINCT {', '.join(POLICY)} FROM dpm_runs") == [(None,) * 5]
    assert ask(seeded, "SELECT DISTINCT policy_pack_sha256 FROM dpm_run_idempotency") == [(None,)]
    assert "dpm_policy_pack_changes" in tables_in(seeded)
    assert ask(seeded, "SELECT count(*) FROM dpm_policy_pack_changes") == [(0,)]


async def test_what_was_there_is_read_as_computed_without_a_policy(migrated):
    store = await opened(migrated)
    try:
        for number in range(len(STATUSES)):
            run = await store.dpm_runs.get(DEFAULT_TENANT, f"rr_{number}", KEEP_ALL)
            key = await store.idempotency.find(
                DEFAULT_TENANT, KeyScope.DPM_SIMULATE, f"key_{number}", KEEP_ALL
            )
            assert run.policy is None
            assert key.matches("hash", None)
            assert not key.matches("hash", DIGEST)
    finally:
        await store.close()


def test_the_build_before_still_writes(migrated, dialect):
    columns, values = a_run_before(dialect)
    ask(migrated, f"INSERT INTO dpm_runs ({columns}) VALUES ({values})")
    ask(migrated, "UPDATE dpm_run_idempotency SET rebalance_run_id = 'rr_9' WHERE rebalance_run_id = 'rr_0'")

    assert ask(migrated, "SELECT policy_pack_id FROM dpm_runs WHERE rebalance_run_id = 'rr_9'") == [(None,)]


@pytest.mark.parametrize("left_out", range(5), ids=POLICY)
def test_a_run_comes_to_have_a_whole_policy_or_none(migrated, dialect, left_out):
    half = a_policy(dialect)
    half[left_out] = "NULL"

    with pytest.raises(REFUSED):
        ask(migrated, a_run_row(dialect, half))

    ask(migrated, a_run_row(dialect, a_policy(dialect)))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE dpm_runs SET policy_pack_id = 'pack'",
        "UPDATE dpm_runs SET effective_options = NULL",
        "DELETE FROM dpm_runs",
    ],
)
def test_what_was_refused_before_is_refused_still(migrated, statement):
    before = rows_of(migrated)

    with pytest.raises(REFUSED):
        ask(migrated, statement)

    assert rows_of(migrated) == before


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize("table", ["dpm_runs", "dpm_run_idempotency"])
def test_a_file_has_the_same_indexes_and_triggers_as_before(seeded, table):
    # The index of the list of runs by policy pack came later.
    listed = (
        f"SELECT name, sql FROM sqlite_schema WHERE tbl_name = '{table}' AND type <> 'table' "
        "AND name <> 'dpm_runs_by_policy_pack'"
    )
    before = ask(seeded, listed)

    migrate.apply(seeded)

    assert ask(seeded, listed) == before
    assert before
    assert ask(seeded, "PRAGMA foreign_key_check") == []
    assert ask(seeded, "PRAGMA integrity_check") == [("ok",)]


VALIDATED = "SELECT conname, convalidated FROM pg_constraint WHERE conname LIKE '%policy%' AND contype = 'c'"


@pytest.mark.parametrize("dialect", ["postgres"], indirect=True)
def test_rules_hold_for_what_comes_at_once_and_are_checked_on_what_was_there_later(seeded, dialect):
    apply_first(seeded, BEFORE_POLICY_PACKS + 1)
    at_once = dict(ask(seeded, VALIDATED))
    with pytest.raises(REFUSED):
        ask(seeded, a_run_row(dialect, [*a_policy(dialect)[:4], "NULL"]))

    migrate.apply(seeded)

    assert {name for name, validated in at_once.items() if not validated} == CONSTRAINTS
    assert all(validated for _, validated in ask(seeded, VALIDATED))


@pytest.mark.parametrize("dialect", ["postgres"], indirect=True)
def test_no_row_is_written_anew_while_others_wait(seeded):
    places = "SELECT ctid::text, xmin::text FROM dpm_runs ORDER BY rebalance_run_id"
    files = "SELECT pg_relation_filenode('dpm_runs'), pg_relation_filenode('dpm_run_idempotency')"
    before = ask(seeded, places), ask(seeded, files)

    migrate.apply(seeded)

    assert (ask(seeded, places), ask(seeded, files)) == before
    assert ask(seeded, f"SELECT count(*) FROM dpm_runs WHERE created_at = '{AT}'") == [(len(STATUSES),)]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_the_runs_of_a_file_stay_where_they_are(seeded):
    places = "SELECT name, rootpage FROM sqlite_schema WHERE name IN ('dpm_runs', 'dpm_run_idempotency')"
    before = ask(seeded, places)

    migrate.apply(seeded)

    assert len(before) == 2
    assert ask(seeded, places) == before
