"""Applying migrations: once, whole, by one runner at a time, and again after a sudden death."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from service.cli import migrate
from service.storage.queries import ROOT
from service.storage.sqlite.store import SqliteStore
from tests.integration.contract.builders import an_admission

SHIPPED = [file.stem for file in sorted((ROOT / "migrations" / "sqlite").glob("*.sql"))]

# Kills a runner before its first statement, before its second, and so on until one lives; after each death
# the file must be one that the next runner can bring up to date.
KILL_AT_EVERY_STATEMENT = """
import os, signal, sqlite3, sys
from pathlib import Path
from service.cli import forward_only, migrate

folder, data = Path(sys.argv[1]), Path(sys.argv[2])
connect = forward_only.ForwardOnlySqlite.connect

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def run_and_die(path, statement):
    left = iter(range(statement))
    def traced(self, address):
        conn = connect(self, address)
        conn.set_trace_callback(lambda _: die() if next(left, None) is None else None)
        return conn
    forward_only.ForwardOnlySqlite.connect = traced
    migrate.apply(path, folder=folder)

for statement in range(1000):
    path = data / f"{statement}.db"
    child = os.fork()
    if child == 0:
        run_and_die(path, statement)
        os._exit(0)
    died = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    pending = migrate.check(path, folder=folder)
    assert migrate.apply(path, folder=folder) == list(pending), (statement, pending)
    assert migrate.check(path, folder=folder) == (), statement
    with sqlite3.connect(path) as conn:
        assert conn.execute("SELECT count(*) FROM first").fetchone() == (1,), statement
        assert conn.execute("SELECT count(*) FROM second").fetchone() == (0,), statement
    conn.close()
    if not died:
        break
print(statement)
"""


def tables_in(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as conn:
        return {name for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def files_below(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def command(*arguments: str, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service", "migrate", *arguments, "--sqlite-path", str(path)],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if not key.startswith("DPM_")},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_fresh_file_is_brought_up_to_date_once(path):
    applied = migrate.apply(path)

    assert applied == SHIPPED
    assert migrate.check(path) == ()
    assert migrate.apply(path) == []


def test_only_what_a_file_lacks_is_applied(path, folder):
    second = (folder / "0002.second.sql").read_text()
    (folder / "0002.second.sql").unlink()
    assert migrate.apply(path, folder=folder) == ["0001.first"]
    (folder / "0002.second.sql").write_text(second)

    assert migrate.check(path, folder=folder) == ("0002.second",)
    assert migrate.apply(path, folder=folder) == ["0002.second"]

    assert {"first", "second"} <= tables_in(path)
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("SELECT count(*) FROM first").fetchone() == (1,)


def test_an_empty_folder_is_up_to_date(path, tmp_path):
    (tmp_path / "none").mkdir()

    assert migrate.apply(path, folder=tmp_path / "none") == []
    assert migrate.check(path, folder=tmp_path / "none") == ()


@pytest.mark.parametrize("position", ["first", "last"])
def test_a_failing_statement_takes_its_whole_file_back_and_nothing_more(path, folder, position):
    bad = folder / "0003.third.sql"
    good, broken = "CREATE TABLE third (id text) STRICT;\n", "INSERT INTO nowhere VALUES (1);\n"
    bad.write_text(broken + good if position == "first" else good + broken)

    with pytest.raises(migrate.SchemaRefused, match=r"0003\.third could not be applied: .*nowhere"):
        migrate.apply(path, folder=folder)

    assert {"first", "second"} <= tables_in(path)
    assert "third" not in tables_in(path)
    assert migrate.check(path, folder=folder) == ("0003.third",)
    bad.write_text(good)
    assert migrate.apply(path, folder=folder) == ["0003.third"]
    assert "third" in tables_in(path)


def test_a_failing_first_file_leaves_a_database_that_can_go_on(path, folder):
    good = (folder / "0001.first.sql").read_text()
    (folder / "0001.first.sql").write_text(good + "SELECT * FROM nowhere;\n")

    with pytest.raises(migrate.SchemaRefused):
        migrate.apply(path, folder=folder)

    assert "first" not in tables_in(path)
    (folder / "0001.first.sql").write_text(good)
    assert migrate.apply(path, folder=folder) == ["0001.first", "0002.second"]


@pytest.mark.parametrize("ending", [b"\r\n", b"\r"])
def test_line_endings_are_not_an_edit(path, folder, ending):
    migrate.apply(path, folder=folder)
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes().replace(b"\n", ending))

    assert migrate.check(path, folder=folder) == ()
    assert migrate.apply(path, folder=folder) == []


def test_a_checkout_with_other_line_endings_can_be_applied(path, folder):
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))

    assert migrate.apply(path, folder=folder) == ["0001.first", "0002.second"]
    assert {"first", "second"} <= tables_in(path)


@pytest.mark.parametrize("look", [migrate.plan, migrate.check])
def test_looking_at_a_missing_file_makes_nothing(path, folder, look):
    pending = look(path, folder=folder)

    assert len(pending) == 2
    assert not path.parent.exists()


@pytest.mark.parametrize("look", [migrate.plan, migrate.check])
def test_looking_at_a_file_writes_nothing(path, folder, look):
    migrate.apply(path, folder=folder)
    (folder / "0003.third.sql").write_text("CREATE TABLE third (id text) STRICT;\n")
    before = files_below(path.parent)

    pending = look(path, folder=folder)

    assert len(pending) == 1
    assert files_below(path.parent) == before


def test_a_plan_tells_what_would_be_applied_in_order(path, folder):
    pending = migrate.plan(path, folder=folder)

    assert [migration.path for migration in pending] == [
        folder / "0001.first.sql",
        folder / "0002.second.sql",
    ]


@pytest.mark.slow
def test_runners_at_once_apply_once_and_all_go_well(path):
    runners = [
        subprocess.Popen(
            [sys.executable, "-m", "service", "migrate", "apply", "--sqlite-path", str(path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]

    outputs = [runner.communicate(timeout=60) for runner in runners]

    assert [runner.returncode for runner in runners] == [0] * 4
    assert [err for _, err in outputs] == [""] * 4
    assert sum("applied" in out for out, _ in outputs) == 1
    assert sum("nothing to apply" in out for out, _ in outputs) == 3


def test_a_runner_killed_before_any_statement_can_be_run_again(folder, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILL_AT_EVERY_STATEMENT, str(folder), str(tmp_path / "data")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert 20 < int(done.stdout) < 1000


async def test_a_file_in_use_can_be_migrated(path):
    migrate.apply(path)
    store = await SqliteStore.open(path)
    try:
        await store.dpm_runs.admit(an_admission())
        assert await asyncio.to_thread(migrate.apply, path) == []
        await store.dpm_runs.admit(an_admission(idempotency_key="key-2"))
        await store.check()
    finally:
        await store.close()


@pytest.mark.slow
def test_the_commands_say_in_one_line_and_by_their_exit_code_where_a_file_stands(path):
    missing = command("check", path=path)
    planned = command("plan", path=path)
    applied = command("apply", path=path)
    again = command("apply", path=path)
    checked = command("check", path=path)

    assert (missing.returncode, missing.stdout) == (3, "")
    assert missing.stderr == f"{path}: to be applied: {', '.join(SHIPPED)}\n"
    assert planned.returncode == 0
    assert "CREATE TABLE dpm_runs" in planned.stdout
    assert applied.returncode == 0
    assert applied.stdout == "".join(f"{path}: applied {one}\n" for one in SHIPPED)
    assert (again.returncode, again.stdout) == (0, f"{path}: nothing to apply\n")
    assert (checked.returncode, checked.stdout) == (0, f"{path}: up to date\n")


@pytest.mark.parametrize("name", ["plan", "apply", "check"])
def test_a_refusal_is_one_line_and_exit_code_1(path, name):
    path.parent.mkdir()
    path.write_bytes(b"not a database, and long enough to have a header of its own" * 20)

    refused = command(name, path=path)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == f"Error: {path} cannot be used: file is not a database\n"


def test_a_wrong_command_line_is_exit_code_2(tmp_path):
    refused = command("apply", path=tmp_path)

    assert refused.returncode == 2
    assert "is a directory" in refused.stderr
    assert "Traceback" not in refused.stderr
