"""Applying migrations: once, whole, by one runner at a time, in both dialects."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from service.admin.migrations import migrate
from service.storage.schema import shipped_for
from tests.conftest import ROOT
from tests.integration.migrations.schema_reading import ask, tables_in

# The command alone, without what the other commands import.
COMMAND = [sys.executable, "-c", "from service.cli.migrate import migrate; migrate()"]
OPTION = {"sqlite": "--sqlite-path", "postgres": "--postgres-dsn"}


def test_a_fresh_database_is_brought_up_to_date_once(target, dialect):
    applied = migrate.apply(target)

    assert applied == [migration.migration_id for migration in shipped_for(dialect)]
    assert migrate.check(target) == ()
    assert migrate.apply(target) == []


def test_only_what_a_file_lacks_is_applied(target, folder):
    second = (folder / "0002.second.sql").read_text()
    (folder / "0002.second.sql").unlink()
    assert migrate.apply(target, folder=folder) == ["0001.first"]
    (folder / "0002.second.sql").write_text(second)

    assert migrate.check(target, folder=folder) == ("0002.second",)
    assert migrate.apply(target, folder=folder) == ["0002.second"]

    assert {"first", "second"} <= tables_in(target)
    assert ask(target, "SELECT count(*) FROM first") == [(1,)]


def test_an_empty_folder_is_up_to_date(target, tmp_path):
    (tmp_path / "none").mkdir()

    assert migrate.apply(target, folder=tmp_path / "none") == []
    assert migrate.check(target, folder=tmp_path / "none") == ()


@pytest.mark.parametrize("position", ["first", "last"])
def test_a_failing_statement_takes_its_whole_file_back_and_nothing_more(target, folder, position):
    bad = folder / "0003.third.sql"
    good, broken = "CREATE TABLE third (id text);\n", "INSERT INTO nowhere VALUES (1);\n"
    bad.write_text(broken + good if position == "first" else good + broken)

    with pytest.raises(migrate.SchemaRefused, match=r"0003\.third could not be applied: .*nowhere"):
        migrate.apply(target, folder=folder)

    assert {"first", "second"} <= tables_in(target)
    assert "third" not in tables_in(target)
    assert migrate.check(target, folder=folder) == ("0003.third",)
    bad.write_text(good)
    assert migrate.apply(target, folder=folder) == ["0003.third"]
    assert "third" in tables_in(target)


def test_a_failing_first_file_leaves_a_database_that_can_go_on(target, folder):
    good = (folder / "0001.first.sql").read_text()
    (folder / "0001.first.sql").write_text(good + "SELECT * FROM nowhere;\n")

    with pytest.raises(migrate.SchemaRefused):
        migrate.apply(target, folder=folder)

    assert "first" not in tables_in(target)
    (folder / "0001.first.sql").write_text(good)
    assert migrate.apply(target, folder=folder) == ["0001.first", "0002.second"]


@pytest.mark.parametrize("ending", [b"\r\n", b"\r"])
def test_line_endings_are_not_an_edit(target, folder, ending):
    migrate.apply(target, folder=folder)
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes().replace(b"\n", ending))

    assert migrate.check(target, folder=folder) == ()
    assert migrate.apply(target, folder=folder) == []


def test_a_checkout_with_other_line_endings_can_be_applied(target, folder):
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))

    assert migrate.apply(target, folder=folder) == ["0001.first", "0002.second"]
    assert {"first", "second"} <= tables_in(target)


def test_a_plan_tells_what_would_be_applied_in_order(target, folder):
    pending = migrate.plan(target, folder=folder)

    assert [migration.path for migration in pending] == [
        folder / "0001.first.sql",
        folder / "0002.second.sql",
    ]


def test_a_query_in_a_file_prints_nothing(target, folder, capsys):
    (folder / "0003.third.sql").write_text("-- Nothing to do here.\nSELECT 1;\n")

    assert migrate.apply(target, folder=folder)[-1] == "0003.third"
    assert capsys.readouterr().out == ""


def test_a_file_that_does_not_say_whether_it_is_a_transaction_is_refused(target, folder):
    (folder / "0003.third.sql").write_text("-- transactional: perhaps\nSELECT 1;\n")

    with pytest.raises(migrate.SchemaRefused, match=r"^0003\.third\.sql says transactional: perhaps"):
        migrate.apply(target, folder=folder)


@pytest.mark.slow
def test_runners_at_once_apply_once_and_all_go_well(target, dialect):
    runners = [
        subprocess.Popen(
            [*COMMAND, "apply", OPTION[dialect], str(target)],
            cwd=ROOT,
            env={key: value for key, value in os.environ.items() if not key.startswith("DPM_")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]

    outputs = [runner.communicate(timeout=60) for runner in runners]

    assert [err for _, err in outputs] == [""] * 4
    assert [runner.returncode for runner in runners] == [0] * 4
    assert sum("applied" in out for out, _ in outputs) == 1
    assert sum("nothing to apply" in out for out, _ in outputs) == 3
    assert migrate.check(target) == ()
