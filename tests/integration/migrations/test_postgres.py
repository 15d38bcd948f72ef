"""What is particular about PostgreSQL: its lock, its settings, and indexes built while others write."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing

import psycopg
import pytest

from service.admin.migrations import migrate
from service.storage.queries import load
from service.storage.schema import SchemaRefused
from tests.conftest import ROOT
from tests.integration.migrations.schema_reading import ask
from tests.waiting import wait_for

RUN = """
import sys
from pathlib import Path
from service.admin.migrations import migrate
migrate.apply(sys.argv[2], folder=Path(sys.argv[1]))
"""
QUERIES = load("postgres", "migrations")
ALONE = "-- transactional: false\nSET lock_timeout = '100ms';\nSET statement_timeout = '0';\n"
BY_ID = "CREATE INDEX CONCURRENTLY IF NOT EXISTS first_by_id ON first (id);\n"


def with_setting(dsn, setting):
    return f"{dsn}{'&' if '?' in dsn else '?'}options=-c{setting.replace('=', '%3D')}"


def indexes_in(dsn):
    return dict(
        ask(
            dsn,
            "SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indrelid = 'first'::regclass",
        )
    )


@pytest.fixture
def database(dsn, postgres_folder):
    """A database that has had both migrations of the folder."""
    migrate.apply(dsn, folder=postgres_folder)
    return dsn


@pytest.fixture
def with_index(postgres_folder):
    """The folder with a third file, which builds an index while others write."""
    (postgres_folder / "0003.third.sql").write_text(ALONE + BY_ID)
    return postgres_folder


@pytest.fixture
def writer(database):
    """Somebody who holds up whoever builds an index, until the connection ends."""
    with closing(psycopg.connect(database)) as conn:
        conn.execute("INSERT INTO first VALUES ('not yet committed')")
        yield conn


def test_a_runner_does_not_wait_for_another_without_end(database, postgres_folder):
    with closing(psycopg.connect(database, autocommit=True)) as other:
        assert other.execute(QUERIES["try_lock"].text).fetchone() == (True,)

        with pytest.raises(
            SchemaRefused, match=r"^another migration runner holds the lock of database dpm_test_"
        ):
            migrate.apply(database, folder=postgres_folder, lock_seconds_max=0.1)

    assert migrate.apply(database, folder=postgres_folder) == []


def test_looking_needs_no_lock_and_no_right_to_write(database, postgres_folder):
    with closing(psycopg.connect(database, autocommit=True)) as other:
        assert other.execute(QUERIES["try_lock"].text).fetchone() == (True,)
        reading = with_setting(database, "default_transaction_read_only=on")

        assert migrate.check(reading, folder=postgres_folder) == ()
        assert migrate.plan(reading, folder=postgres_folder) == ()


def test_a_file_that_is_no_transaction_is_applied(database, with_index):
    assert migrate.apply(database, folder=with_index) == ["0003.third"]

    assert indexes_in(database) == {"first_pkey": True, "first_by_id": True}
    assert migrate.check(database, folder=with_index) == ()


def test_what_a_file_sets_for_its_session_does_not_outlive_it(database, with_index):
    (with_index / "0004.fourth.sql").write_text(
        "INSERT INTO second VALUES (current_setting('lock_timeout'));\n"
    )

    migrate.apply(database, folder=with_index)

    assert ask(database, "SELECT id FROM second") == [("0",)]


def test_what_the_address_sets_holds_for_every_file(database, with_index):
    (with_index / "0004.fourth.sql").write_text(
        "INSERT INTO second VALUES (current_setting('lock_timeout'));\n"
    )

    migrate.apply(with_setting(database, "lock_timeout=7s"), folder=with_index)

    assert ask(database, "SELECT id FROM second") == [("7s",)]


def test_an_index_that_a_writer_held_up_is_repaired_the_next_time(database, with_index, writer):
    with pytest.raises(SchemaRefused, match=r"^0003\.third could not be applied: .*lock timeout$"):
        migrate.apply(database, folder=with_index)

    assert indexes_in(database)["first_by_id"] is False
    with pytest.raises(SchemaRefused, match=r"^index first_by_id is invalid; apply repairs it$"):
        migrate.check(database, folder=with_index)
    assert [pending.migration_id for pending in migrate.plan(database, folder=with_index)] == ["0003.third"]
    writer.close()
    assert migrate.apply(database, folder=with_index) == ["0003.third"]
    assert indexes_in(database) == {"first_pkey": True, "first_by_id": True}
    assert migrate.check(database, folder=with_index) == ()


def test_what_a_broken_rebuild_left_over_is_dropped(database, postgres_folder, writer):
    with closing(psycopg.connect(database, autocommit=True)) as conn:
        conn.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            conn.execute("REINDEX INDEX CONCURRENTLY first_pkey")
    writer.close()
    assert indexes_in(database) == {"first_pkey": True, "first_pkey_ccnew": False}

    with pytest.raises(SchemaRefused, match=r"^index first_pkey_ccnew is invalid; apply repairs it$"):
        migrate.check(database, folder=postgres_folder)
    assert migrate.apply(database, folder=postgres_folder) == []
    assert indexes_in(database) == {"first_pkey": True}


def test_an_index_that_cannot_be_repaired_is_refused(database, postgres_folder):
    ask(database, "INSERT INTO second VALUES ('A'), ('a')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        ask(database, "CREATE UNIQUE INDEX CONCURRENTLY second_folded ON second (lower(id))")
    (postgres_folder / "0003.third.sql").write_text("CREATE TABLE third (id text);\n")

    with pytest.raises(
        SchemaRefused, match=r"^index second_folded is invalid and could not be repaired: could not create"
    ):
        migrate.apply(database, folder=postgres_folder)

    assert ask(database, "SELECT to_regclass('third')") == [(None,)]
    ask(database, "DELETE FROM second WHERE id = 'a'")
    assert migrate.apply(database, folder=postgres_folder) == ["0003.third"]
    assert migrate.check(database, folder=postgres_folder) == ()


def test_a_file_that_breaks_off_is_applied_from_its_start(database, with_index):
    broken = with_index / "0003.third.sql"
    good = broken.read_text()
    broken.write_text(good + "CREATE INDEX CONCURRENTLY IF NOT EXISTS nowhere_by_id ON nowhere (id);\n")
    with pytest.raises(
        SchemaRefused, match=r'^0003\.third could not be applied: .*"nowhere" does not exist$'
    ):
        migrate.apply(database, folder=with_index)
    assert indexes_in(database)["first_by_id"] is True

    broken.write_text(good)

    assert migrate.apply(database, folder=with_index) == ["0003.third"]


def test_a_runner_killed_while_it_builds_an_index_can_be_run_again(database, with_index, writer):
    (with_index / "0003.third.sql").write_text("-- transactional: false\n" + BY_ID)
    runner = subprocess.Popen([sys.executable, "-c", RUN, str(with_index), database], cwd=ROOT)

    def has_begun() -> bool:
        assert runner.poll() is None
        return indexes_in(database).get("first_by_id") is not None

    wait_for(has_begun, "the index to be begun")
    runner.kill()
    runner.wait()

    # The server has not noticed yet: it still builds, and keeps the next runner out.
    with pytest.raises(SchemaRefused, match=r"^another migration runner holds"):
        migrate.apply(database, folder=with_index, lock_seconds_max=0)
    writer.close()

    assert migrate.apply(database, folder=with_index) == ["0003.third"]
    assert indexes_in(database) == {"first_pkey": True, "first_by_id": True}
    assert migrate.check(database, folder=with_index) == ()


@pytest.mark.parametrize("alone", ["", ALONE])
def test_a_connection_that_breaks_is_refused_by_what_broke_it(database, postgres_folder, alone):
    (postgres_folder / "0003.third.sql").write_text(
        alone + "SELECT pg_terminate_backend(pg_backend_pid());\n"
    )

    with pytest.raises(SchemaRefused, match=r"^0003\.third could not be applied: terminating connection"):
        migrate.apply(database, folder=postgres_folder)

    assert migrate.check(database, folder=postgres_folder) == ("0003.third",)


def test_an_index_of_another_schema_is_left_alone(database, postgres_folder):
    ask(database, "CREATE SCHEMA other")
    ask(database, "CREATE TABLE other.third AS SELECT 1 AS id UNION ALL SELECT 1")
    with pytest.raises(psycopg.errors.UniqueViolation):
        ask(database, "CREATE UNIQUE INDEX CONCURRENTLY third_by_id ON other.third (id)")

    assert migrate.check(database, folder=postgres_folder) == ()
    assert migrate.apply(database, folder=postgres_folder) == []


def test_a_database_is_its_schema(dsn, postgres_folder):
    ask(dsn, "CREATE SCHEMA other")
    elsewhere = with_setting(dsn, "search_path=other")

    assert migrate.apply(elsewhere, folder=postgres_folder) == ["0001.first", "0002.second"]

    assert migrate.check(elsewhere, folder=postgres_folder) == ()
    assert migrate.check(dsn, folder=postgres_folder) == ("0001.first", "0002.second")
