"""What the commands print, and what they exit with."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest
from click.testing import CliRunner

from service.cli.migrate import migrate as command
from service.storage.schema import shipped_for
from tests.conftest import ROOT

OPTION = {"sqlite": "--sqlite-path", "postgres": "--postgres-dsn"}
NAMES = pytest.mark.parametrize("name", ["plan", "apply", "check"])
PASSWORD = "open-sesame"


def run(*arguments, **variables):
    cleared = {name: None for name in os.environ if name.startswith("DPM_")}
    return CliRunner(env=cleared | variables).invoke(command, [str(argument) for argument in arguments])


@pytest.fixture
def shown(target, dialect):
    """What messages call the database."""
    if dialect == "sqlite":
        return str(target)
    with psycopg.connect(target) as conn:
        return f"database {conn.info.dbname} on {conn.info.host}:{conn.info.port}"


def test_the_commands_say_in_one_line_and_by_their_exit_code_where_a_database_stands(target, dialect, shown):
    shipped = [migration.migration_id for migration in shipped_for(dialect)]
    missing = run("check", OPTION[dialect], target)
    planned = run("plan", OPTION[dialect], target)
    applied = run("apply", OPTION[dialect], target)
    again = run("apply", OPTION[dialect], target)
    nothing = run("plan", OPTION[dialect], target)
    checked = run("check", OPTION[dialect], target)

    assert (missing.exit_code, missing.stdout) == (3, "")
    assert missing.stderr == f"{shown}: to be applied: {', '.join(shipped)}\n"
    assert planned.exit_code == 0
    assert "CREATE TABLE dpm_runs" in planned.stdout
    assert applied.exit_code == 0
    assert applied.stdout == "".join(f"{shown}: applied {one}\n" for one in shipped)
    assert (again.exit_code, again.stdout) == (0, f"{shown}: nothing to apply\n")
    assert (nothing.exit_code, nothing.stdout) == (0, f"{shown}: nothing to apply\n")
    assert (checked.exit_code, checked.stdout) == (0, f"{shown}: up to date\n")


def test_a_plan_for_postgres_says_what_each_statement_locks(dsn):
    planned = run("plan", "--postgres-dsn", dsn).stdout

    for migration in shipped_for("postgres"):
        assert f"-- {migration.migration_id} ({migration.path.name})\n" in planned
    assert "-- locks no existing table\nCREATE TABLE dpm_run_requests (" in planned
    assert "-- one by one, in no transaction\n" in planned
    assert "(assumed)" not in planned


@NAMES
def test_a_file_that_is_no_database_is_refused_in_one_line_and_exit_code_1(path, name):
    path.parent.mkdir()
    path.write_bytes(b"not a database, and long enough to have a header of its own" * 20)

    refused = run(name, "--sqlite-path", path)

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == f"Error: {path} cannot be used: file is not a database\n"


@NAMES
def test_a_server_that_is_not_there_is_refused_in_one_line_and_exit_code_1(tmp_path, name):
    refused = run(name, "--postgres-dsn", f"postgresql://dpm:{PASSWORD}@/dpm?host={tmp_path}")

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"Error: database dpm on {tmp_path} cannot be used: connection ")
    assert refused.stderr.count("\n") == 1
    assert PASSWORD not in refused.stderr


@NAMES
@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://dpm:open/{PASSWORD}@db.invalid/dpm",
        f"postgresql://dpm:open@{PASSWORD}/x@db.invalid/dpm",
        f"host=db.invalid password={PASSWORD} '{PASSWORD}",
        f"postgresql://dpm@db.invalid/dpm?{PASSWORD}",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_without_a_word_of_it(dsn, name):
    refused = run(name, "--postgres-dsn", dsn)

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Error: the address of the PostgreSQL database cannot be read")
    assert PASSWORD not in refused.stderr


def test_the_help_does_not_show_an_address():
    helped = run("apply", "--help", DPM_SUPPORTABILITY_POSTGRES_DSN=f"postgresql://dpm:{PASSWORD}@db/dpm")

    assert helped.exit_code == 0
    assert PASSWORD not in helped.stdout


def test_the_database_is_the_one_the_service_would_use(path, dsn):
    variables = {"DPM_SUPPORTABILITY_SQL_PATH": str(path), "DPM_SUPPORTABILITY_POSTGRES_DSN": dsn}

    by_default = run("check", **variables)
    serving_sqlite = run("check", DPM_SUPPORTABILITY_STORE_BACKEND="SQL", **variables)
    serving_postgres = run("check", DPM_SUPPORTABILITY_STORE_BACKEND="postgres", **variables)

    assert by_default.stderr.startswith(f"{path}: to be applied: ")
    assert serving_sqlite.stderr == by_default.stderr
    assert serving_postgres.stderr.startswith("database dpm_test_")


def test_what_the_command_line_names_comes_before_what_the_service_would_use(path, dsn):
    as_sqlite = {
        "DPM_SUPPORTABILITY_STORE_BACKEND": "SQL",
        "DPM_SUPPORTABILITY_SQL_PATH": str(path),
    }
    as_postgres = {
        "DPM_SUPPORTABILITY_STORE_BACKEND": "POSTGRES",
        "DPM_SUPPORTABILITY_POSTGRES_DSN": dsn,
    }

    assert run("check", "--postgres-dsn", dsn, **as_sqlite).stderr.startswith("database dpm_test_")
    assert run("check", "--sqlite-path", path, **as_postgres).stderr.startswith(f"{path}: ")


@NAMES
def test_two_databases_or_none_are_a_wrong_command_line(path, dsn, name):
    both = run(name, "--sqlite-path", path, "--postgres-dsn", dsn)
    none = run(name, DPM_SUPPORTABILITY_STORE_BACKEND="POSTGRES")
    blank = run(name, "--postgres-dsn", " ")

    assert [both.exit_code, none.exit_code, blank.exit_code] == [2, 2, 2]
    assert "name two databases; give one" in both.stderr
    assert "give --postgres-dsn or set DPM_SUPPORTABILITY_POSTGRES_DSN" in none.stderr
    assert "give --postgres-dsn or set DPM_SUPPORTABILITY_POSTGRES_DSN" in blank.stderr
    assert not path.parent.exists()


@pytest.mark.slow
def test_a_process_exits_with_what_its_command_says(tmp_path):
    def exited(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "service", "migrate", *map(str, arguments)],
            cwd=ROOT,
            env={key: value for key, value in os.environ.items() if not key.startswith("DPM_")},
            capture_output=True,
            text=True,
            timeout=60,
        )

    pending = exited("check", "--sqlite-path", tmp_path / "store.db")
    wrong = exited("apply", "--sqlite-path", tmp_path)

    assert (pending.returncode, pending.stdout) == (3, "")
    assert wrong.returncode == 2
    assert "is a directory" in wrong.stderr
    assert "Traceback" not in wrong.stderr
