"""A store that moves from SQLite to PostgreSQL: all of it, once, whatever happens on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql

from service.admin.comparison.backends import place_of
from service.admin.comparison.report import Report
from service.admin.comparison.sides import opened_sides
from service.admin.comparison.stored_state import compare_kept, compare_look_ups, compare_rows
from service.admin.copy.table_catalog import (
    LEFT_OUT,
    SCHEMAS_LEFT_OUT,
    Column,
    Reference,
    Table,
    TablesRefused,
    groups_of,
    told_apart,
)
from service.admin.copy.table_catalog_postgres import PostgresTables
from service.admin.copy.table_catalog_sqlite import SqliteTables
from service.admin.migrations import migrate
from service.cli.commands import main
from service.settings import process as settings
from tests.conftest import ROOT
from tests.waiting import HANG_SECONDS, wait_for

REQUESTS = 150
BATCH = 7
# What no request leaves: an operation under way with a staged scenario, a purge, a finding of a shadow.
LEFT_BY_OTHERS = """
INSERT INTO dpm_operations (
    tenant_id, operation_id, operation_type, status, correlation_id, created_at, started_at, attempt, fence,
    lease_until, scenarios_total, scenarios_done, request_sha256, request
) VALUES (
    'default', 'dop_under_way', 'ANALYZE_SCENARIOS', 'RUNNING', 'corr-x', '2026-03-02T09:30:00.000000+00:00',
    '2026-03-02T09:30:00.000001+00:00', 1, 1, '2026-03-02T09:31:00.000000+00:00', 2, 1, 'sha256:0', x'00ff'
);
INSERT INTO dpm_operation_scenarios (tenant_id, operation_id, scenario, failure)
VALUES ('default', 'dop_under_way', 'as-is', 'INVALID_OPTIONS');
INSERT INTO dpm_purges VALUES (
    'default', 'purge_1', '2026-03-02T09:30:00.000000+00:00', '0001-01-01T00:00:00.000000+00:00',
    '2026-03-01T09:30:00.000000+00:00', 1, 2, 3, 4, 5, 6, 7, 8
);
INSERT INTO dpm_parity_differences (
    tenant_id, difference_id, kind, act, entity_id, place, primary_text, shadow_text, found_at
) VALUES ('default', 'd_1', 'FAILED', 'admit', 'rr_1', '$', 'a', 'b', '2026-03-02T09:30:00.000000+00:00');
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> Path:
    """A file in which every table has rows."""
    path = tmp_path_factory.mktemp("copy") / "filled.db"
    places = ("--left", "memory:", "--right", f"sqlite:{path}")
    asked = (sys.executable, "-m", "service", "compare-backends", *places, "--generate", str(REQUESTS))
    kept = os.environ | {"DPM_ARTIFACT_STORE_MODE": "PERSISTED"}
    subprocess.run(asked, cwd=ROOT, env=kept, check=True, capture_output=True, timeout=HANG_SECONDS)
    with closing(sqlite3.connect(path)) as conn:
        conn.executescript(LEFT_BY_OTHERS)
    return path


@pytest.fixture
def source(filled, tmp_path) -> Path:
    """A copy of that file, the test's own."""
    with closing(sqlite3.connect(filled)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path(shutil.copyfile(filled, tmp_path / "source.db"))


def copy(source, dsn, *more):
    arguments = ["copy", "--from-sqlite", str(source), "--to-dsn", dsn, "--json", *more]
    return CliRunner(env={name: None for name in os.environ if name.startswith("DPM_")}).invoke(
        main, arguments
    )


def counts_in(dsn) -> dict[str, int]:
    with closing(PostgresTables(dsn, application_name="test")) as opened:
        return {name: opened.count(table) for name, table in opened.tables().items()}


def counts_of(source) -> dict[str, int]:
    with closing(SqliteTables(source)) as opened:
        return {name: opened.count(table) for name, table in opened.tables().items()}


async def test_a_service_on_the_copy_answers_what_one_on_the_file_does(source, postgres_database):
    done = copy(source, postgres_database)

    assert done.exit_code == 0, done.output
    assert all(counts_of(source).values()), counts_of(source)
    assert counts_in(postgres_database) == counts_of(source)
    told = json.loads(done.stdout)
    assert told["equal"] and all(one["source"] == one["target"] for one in told["tables"])
    assert {one["table"]: one["added"] for one in told["tables"]} == counts_of(source)
    report = Report(5)
    places = place_of(f"sqlite:{source}"), place_of(postgres_database)
    async with opened_sides(*places, settings.read()) as sides:
        await compare_look_ups(sides, report)
        await compare_kept(sides, report)
        compare_rows(sides, report)
        # What was counted while the rows came is right, also once it is added up.
        await sides.right.store.supportability.compact()
        await compare_look_ups(sides, report)
    assert not report.first
    assert min(report.compared[what] for what in ("look-up", "kept", "row")) > REQUESTS


def test_a_copy_that_is_there_is_looked_at_and_left_alone(source, postgres_database):
    first, again = copy(source, postgres_database), copy(source, postgres_database, "--batch", "3")

    assert first.exit_code == again.exit_code == 0
    told = json.loads(again.stdout)
    assert not any(one["added"] for one in told["tables"])
    assert [one["target"] for one in told["tables"]] == [
        one["target"] for one in json.loads(first.stdout)["tables"]
    ]


@pytest.mark.faults
@pytest.mark.parametrize(
    ("held", "whole", "absent"),
    [
        # Between two batches: what came before is there, and nothing after.
        ("dpm_workflow_decisions", "dpm_runs", "dpm_workflow_decisions"),
        # Within one: proposals are added before the events they come with.
        ("proposal_events", "dpm_run_requests", "proposals"),
    ],
)
def test_a_copy_that_was_killed_goes_on_where_it_ended(source, postgres_database, held, whole, absent):
    with psycopg.connect(postgres_database) as holder:
        holder.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.Identifier(held)))
        options = ("--from-sqlite", str(source), "--to-dsn", postgres_database, "--batch", str(BATCH))
        process = subprocess.Popen((sys.executable, "-m", "service", "copy", *options), cwd=ROOT)
        try:
            await_blocked(postgres_database)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(HANG_SECONDS)
        holder.rollback()
    left = counts_in_peace(postgres_database)
    expected = counts_of(source)

    assert left[held] == left[absent] == 0
    assert left[whole] == expected[whole] > 0
    assert copy(source, postgres_database, "--batch", str(BATCH)).exit_code == 0
    assert counts_in(postgres_database) == expected


def await_blocked(dsn):
    with psycopg.connect(dsn, autocommit=True) as conn:
        blocked = (
            "SELECT 1 FROM pg_locks WHERE NOT granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        wait_for(lambda: conn.execute(blocked).fetchone(), "somebody to come to the lock")


def counts_in_peace(dsn) -> dict[str, int]:
    """Once the server has seen that the one who was killed is gone."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        copying = (
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'lotus-manage copy'"
            " AND datname = current_database()"
        )
        wait_for(lambda: not conn.execute(copying).fetchone(), "the session of the killed one to end")
    return counts_in(dsn)


def test_a_database_with_something_else_in_it_is_refused_before_anything_is_added(source, postgres_database):
    with psycopg.connect(postgres_database) as conn:
        conn.execute(
            "INSERT INTO dpm_lineage_edges"
            " VALUES ('default', 'a', 'CAUSED_BY', 'b', '2026-03-02T09:30:00Z', '{}', 'RUN')"
        )
    before = counts_in(postgres_database)

    done = copy(source, postgres_database)

    assert done.exit_code == 1
    assert "dpm_lineage_edges" in done.stderr and "is not in the file" in done.stderr
    assert counts_in(postgres_database) == before


def test_a_row_that_is_another_one_in_the_file_is_refused_and_not_overwritten(source, postgres_database):
    assert copy(source, postgres_database).exit_code == 0
    with closing(sqlite3.connect(source)) as conn, conn:
        conn.execute("DROP TRIGGER dpm_workflow_decisions_not_updated")
        conn.execute("UPDATE dpm_workflow_decisions SET comment = 'otherwise', actor_id = 'somebody'")

    done = copy(source, postgres_database)

    assert done.exit_code == 1
    assert "dpm_workflow_decisions" in done.stderr and "has another actor_id, comment there" in done.stderr
    with psycopg.connect(postgres_database) as conn:
        kept = conn.execute("SELECT 1 FROM dpm_workflow_decisions WHERE actor_id = 'somebody'").fetchall()
    assert not kept


def test_a_file_that_is_written_to_meanwhile_is_told_and_copied_on_by_the_next(
    source, postgres_database, monkeypatch
):
    done_with = PostgresTables.set_sequences

    def write_meanwhile(self):
        done_with(self)
        with closing(sqlite3.connect(source)) as conn, conn:
            conn.execute(
                "INSERT INTO dpm_purges SELECT tenant_id, 'purge_2', purged_at, runs_before,"
                " operations_before, 0, 0, 0, 0, 0, 0, 0, 0 FROM dpm_purges"
            )

    monkeypatch.setattr(PostgresTables, "set_sequences", write_meanwhile)
    changed = copy(source, postgres_database)
    monkeypatch.undo()
    again = copy(source, postgres_database)

    assert changed.exit_code == 1
    assert "different: dpm_purges" in changed.stderr
    assert again.exit_code == 0
    assert {one["table"]: one["added"] for one in json.loads(again.stdout)["tables"] if one["added"]} == {
        "dpm_purges": 1
    }


def test_a_database_of_another_schema_is_refused_by_what_it_lacks(source, empty_postgres_database):
    done = copy(source, empty_postgres_database)

    assert done.exit_code == 3
    assert "lacks 0001.dpm_runs" in done.stderr


def test_a_file_of_another_schema_is_refused_by_what_it_lacks(tmp_path, postgres_database):
    path = tmp_path / "empty.db"
    path.touch()

    done = copy(path, postgres_database)

    assert done.exit_code == 3
    assert "lacks 0001.dpm_runs" in done.stderr
    assert path.stat().st_size == 0


def test_a_database_that_cannot_be_reached_is_one_line(source, tmp_path):
    done = copy(source, f"postgresql://nobody@/nowhere?host={tmp_path}")

    assert done.exit_code == 3
    assert len(done.stderr.splitlines()) == 1


def test_every_table_is_copied_or_left_out_for_a_reason(source, postgres_database):
    with (
        closing(SqliteTables(source)) as file,
        closing(PostgresTables(postgres_database, application_name="t")) as base,
    ):
        left, right = file.tables(), base.tables()
    with closing(sqlite3.connect(source)) as conn:
        of_file = {name for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    with psycopg.connect(postgres_database) as conn:
        of_base = {
            name for (name,) in conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        }
        schemas = {
            name
            for (name,) in conn.execute(
                "SELECT DISTINCT schemaname FROM pg_tables"
                " WHERE schemaname NOT IN ('public', 'pg_catalog', 'information_schema')"
            )
        }

    assert told_apart(left, right) is None
    assert left.keys() == {name for name in of_file if not name.startswith("sqlite_")} - LEFT_OUT.keys()
    assert right.keys() == of_base - LEFT_OUT.keys()
    assert LEFT_OUT.keys() <= of_file | of_base
    assert schemas == SCHEMAS_LEFT_OUT.keys()


def test_what_a_row_refers_to_comes_before_it_or_with_it(postgres_database):
    with closing(PostgresTables(postgres_database, application_name="test")) as opened:
        groups = groups_of(opened.tables())
    places = {table.name: at for at, group in enumerate(groups) for table in members(group)}

    for group in groups:
        for table in members(group):
            assert all(places[one.table] <= places[table.name] for one in table.references)
    (proposals,) = [group for group in groups if group.lead.name == "proposals"]
    assert {table.name for table, _ in proposals.followers} == {"proposal_versions", "proposal_events"}


def members(group):
    return [group.lead, *(table for table, _ in group.followers)]


def test_tables_that_refer_to_each_other_without_end_are_refused():
    columns = (Column("id", "text", 1), Column("other", "text", 0))
    tables = {
        name: Table(name, columns, (Reference(("other",), other, ("id",), False),))
        for name, other in (("one", "two"), ("two", "one"))
    }

    with pytest.raises(TablesRefused, match="one, two refer to each other"):
        groups_of(tables)


def test_what_is_numbered_next_comes_after_what_was_copied(tmp_path, postgres_database):
    path = tmp_path / "numbered.db"
    migrate.apply(path)
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("CREATE TABLE notes (note_no integer PRIMARY KEY, body blob, held integer) STRICT")
        conn.executemany("INSERT INTO notes VALUES (?, ?, ?)", [(3, b"\x00\xff", 1), (41, None, 0)])
    with psycopg.connect(postgres_database) as conn:
        conn.execute(
            "CREATE TABLE notes ("
            "note_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea, held boolean)"
        )

    assert copy(path, postgres_database).exit_code == 0

    with psycopg.connect(postgres_database) as conn:
        conn.execute("INSERT INTO notes (body) VALUES ('x')")
        rows = conn.execute("SELECT note_no, body, held FROM notes ORDER BY note_no").fetchall()
    assert rows == [(3, b"\x00\xff", True), (41, None, False), (42, b"x", None)]


def test_a_column_that_only_one_side_has_is_a_refusal(source, postgres_database):
    with psycopg.connect(postgres_database) as conn:
        conn.execute("ALTER TABLE dpm_purges ADD COLUMN more text")

    done = copy(source, postgres_database)

    assert done.exit_code == 3
    assert "column dpm_purges.more is not on both sides" in done.stderr
