"""A runner killed between any two statements leaves a database that the next runner brings up to date."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT

# Kills a runner before its first statement, before its second, and so on until one lives.
KILL_AT_EVERY_STATEMENT = """
import os, signal, sqlite3, sys
from pathlib import Path
import psycopg
from service.admin.migrations import runner_postgres, runner_sqlite, migrate

dialect, folder, place = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
runner_postgres.LOCK_POLL_SECONDS = 0.01

def count_down(statement):
    left = iter(range(statement))
    def before_each():
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
    return before_each

def watch_sqlite(before_each):
    connect = runner_sqlite.SqliteMigrationRunner.connect
    def watched(self, address):
        conn = connect(self, address)
        conn.set_trace_callback(lambda _: before_each())
        return conn
    runner_sqlite.SqliteMigrationRunner.connect = watched

def watch_postgres(before_each):
    class Watched(psycopg.Cursor):
        def execute(self, *arguments, **options):
            before_each()
            return super().execute(*arguments, **options)
    connect = runner_postgres.PostgresMigrationRunner.connect
    def watched(self, address):
        conn = connect(self, address)
        conn.cursor_factory = Watched
        return conn
    runner_postgres.PostgresMigrationRunner.connect = watched

def fresh(statement):
    if dialect == "sqlite":
        return Path(place) / f"{statement}.db"
    with psycopg.connect(place, autocommit=True) as conn:
        conn.execute("DROP SCHEMA public CASCADE")
        conn.execute("CREATE SCHEMA public")
    return place

def ask(target, statement):
    opened = sqlite3.connect(target) if dialect == "sqlite" else psycopg.connect(target)
    try:
        return opened.execute(statement).fetchall()
    finally:
        opened.close()

for statement in range(1000):
    target = fresh(statement)
    child = os.fork()
    if child == 0:
        {"sqlite": watch_sqlite, "postgres": watch_postgres}[dialect](count_down(statement))
        migrate.apply(target, folder=folder)
        os._exit(0)
    died = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    pending = migrate.check(target, folder=folder)
    assert migrate.apply(target, folder=folder) == list(pending), (statement, pending)
    assert migrate.check(target, folder=folder) == (), statement
    assert ask(target, "SELECT id FROM first") == [("kept",)], statement
    assert ask(target, "SELECT id FROM second") == [], statement
    books = ask(target, "SELECT migration_id FROM _yoyo_migration ORDER BY migration_id")
    assert [name for (name,) in books] == sorted(path.stem for path in folder.iterdir()), statement
    if not died:
        break
print(statement)
"""
INDEXES = """-- transactional: false
SET lock_timeout = '3s';
CREATE INDEX CONCURRENTLY IF NOT EXISTS first_by_id ON first (id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS first_by_id_too ON first (id);
DROP INDEX CONCURRENTLY IF EXISTS first_by_id;
"""


@pytest.mark.slow
def test_a_runner_killed_before_any_statement_can_be_run_again(dialect, folder, target, tmp_path):
    if dialect == "postgres":
        (folder / "0003.indexes.sql").write_text(INDEXES)
    else:
        (folder / "0003.indexes.sql").write_text("CREATE INDEX first_by_id_too ON first (id);\n")
    place = target if dialect == "postgres" else tmp_path / "data"

    done = subprocess.run(
        [sys.executable, "-c", KILL_AT_EVERY_STATEMENT, dialect, str(folder), str(place)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert 20 < int(done.stdout) < 1000
