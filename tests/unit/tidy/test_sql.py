"""Both dialects say the same, in files of SQL and nowhere else."""

import ast
import re
import sqlite3
from contextlib import closing
from functools import cache

import pytest

from service.storage.queries import HEADER, MIGRATIONS_DIR, SQL_DIR, load
from tests.conftest import ROOT
from tests.unit.tidy.sources import MODULES, nodes_of

DIALECTS = ("postgres", "sqlite")
FILES = sorted(path.stem for path in (SQL_DIR / "sqlite").iterdir())
EACH_FILE = [(dialect, path.stem) for dialect in DIALECTS for path in sorted((SQL_DIR / dialect).iterdir())]

# A sentence may go on over several comment lines.
SENTENCE = re.compile(r"-- [A-Z][^\n]*(?:\n-- [^\n]+)*\.(?=\n[^-])")
EVERY_COLUMN = re.compile(
    r"\b(?:select|returning|distinct|all)\s+(?:\w+\.)?\*|,\s*(?:\w+\.)?\*", re.IGNORECASE
)
QUERY = re.compile(
    r"\s*(?:select\s|insert\s+(?:or\s+\w+\s+)?into\s|replace\s+into\s|update\s+\S+\s+set\s|delete\s+from\s"
    r"|with\s+(?:recursive\s+)?\w+\s.*\bas\s*\(|with\s+\w+\s+as\s*\("
    r"|(?:create|alter|drop)\s+(?:\w+\s+)?(?:table|index|view|trigger|function|type)\s)",
    re.IGNORECASE | re.DOTALL,
)
QUERY_ALLOWED = {
    "service/admin/migrations/lock_plan.py": "tells statements by their first words, and runs none",
    "service/admin/copy/table_catalog_postgres.py": "tables and columns are those that the catalog names",
    "service/admin/copy/table_catalog_sqlite.py": "tables and columns are those that the catalog names",
}
# What only the runner of one dialect needs; each is one that the other has no word for.
OF_ONE_DIALECT = {
    ("postgres", "catalog"): {
        "list_references": "asked where rows are added, and nothing is added to a file",
        "list_sequences": "a file numbers by what is there",
    },
    ("postgres", "migrations"): {
        "try_lock": "a file is locked by its file system",
        "list_invalid_indexes": "SQLite builds an index whole or not at all",
        "reset_session": "SQLite has no settings of a session that a file may set",
        "get_clock": "a file has no clock of its own",
        "get_login": "a file has no logins",
        "list_rights": "a file has no logins",
        "get_write_state": "a file has no standby",
    },
    ("postgres", "dpm_runs"): {
        "admit_run": "one trip to the server instead of five; a file is no trip away",
    },
    ("postgres", "proposals"): {
        "create_proposal": "one trip to the server instead of five; a file is no trip away",
    },
    ("postgres", "operations"): {
        "list_not_enqueued": "only PostgreSQL has a queue of jobs",
        "revive_jobs": "SQLite has no queue",
        "delete_job": "SQLite has no queue",
        "count_waiting": "only PostgreSQL has a queue of jobs",
    },
    ("postgres", "retention"): {
        "delete_job_log": "only PostgreSQL has a queue of jobs",
        "delete_job_statistics": "only PostgreSQL has a queue of jobs",
    },
}
CONTROL = re.compile(r"\s*(?:PRAGMA|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)\b")
CONTROL_ALLOWED = {
    "service/admin/migrations/databases.py": "looks at a file without being able to change it",
    "service/admin/copy/table_catalog_sqlite.py": "reads a file at one instant, and cannot change it",
    "service/admin/migrations/runner_sqlite.py": "runs a migration and its mark in one transaction",
    "service/storage/sqlite/connection.py": "sets up connections and is where transactions begin and end",
    "service/storage/sqlite/database.py": "looks whether the pages of a file fit together",
    "service/storage/sqlite/probing.py": "writes the number that nobody reads",
}


def text_of(dialect, file):
    return (SQL_DIR / dialect / f"{file}.sql").read_text(encoding="utf-8")


@cache
def texts_in_code(path):
    """Every string of a module that is not a docstring, with its line."""
    docstrings = {
        id(node.body[0].value)
        for node in nodes_of(path)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        (node.lineno, node.value)
        for node in nodes_of(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]


def found_in_code(pattern, allowed=()):
    return [
        f"{name}:{line}"
        for path in MODULES
        if (name := path.relative_to(ROOT).as_posix()) not in allowed
        for line, text in texts_in_code(path)
        if pattern.match(text)
    ]


def test_dialects_hold_the_same_files():
    assert sorted(path.stem for path in (SQL_DIR / "postgres").iterdir()) == FILES
    assert {path.suffix for path in SQL_DIR.glob("*/*")} == {".sql"}


@pytest.mark.parametrize("file", FILES)
def test_dialects_agree_on_names_and_parameters(file):
    of_postgres, of_sqlite = (
        {
            name: set(query.params)
            for name, query in load(dialect, file).items()
            if name not in OF_ONE_DIALECT.get((dialect, file), ())
        }
        for dialect in DIALECTS
    )

    assert of_postgres == of_sqlite


def test_what_one_dialect_has_alone_is_there():
    for (dialect, file), names in OF_ONE_DIALECT.items():
        assert names.keys() <= load(dialect, file).keys()


@pytest.mark.parametrize(("dialect", "file"), EACH_FILE)
def test_each_query_has_its_sentence(dialect, file):
    _, *parts = HEADER.split(text_of(dialect, file))

    assert parts
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        assert SENTENCE.match(body.lstrip("\n")), f"{name} has no sentence"


@pytest.mark.parametrize(("dialect", "file"), EACH_FILE)
def test_each_query_names_its_columns(dialect, file):
    assert not EVERY_COLUMN.search(text_of(dialect, file))


def test_no_list_of_runs_reads_a_column_that_lies_behind_the_result_in_a_row_of_sqlite():
    """For SQLite goes through all pages of a result to come to such a column."""
    with closing(sqlite3.connect(":memory:")) as conn:
        for path in sorted((MIGRATIONS_DIR / "sqlite").iterdir()):
            conn.executescript(path.read_text(encoding="utf-8"))
        columns = [row[1] for row in conn.execute("PRAGMA table_info(dpm_runs)")]
    behind = {*columns[columns.index("result") :]}

    assert "policy_pack_id" in behind
    for name, query in load("sqlite", "dpm_runs").items():
        if name.startswith("list_"):
            read = {*re.findall(r"\w+", query.text.partition("FROM")[0])}
            assert "rebalance_run_id" in read, name
            assert not read & behind, name


def test_no_query_is_written_in_code():
    assert not found_in_code(QUERY, QUERY_ALLOWED)
    assert all((ROOT / name).is_file() for name in QUERY_ALLOWED)


def test_transactions_and_pragmas_are_spelled_in_named_places():
    assert not found_in_code(CONTROL, CONTROL_ALLOWED)
    assert all((ROOT / name).is_file() for name in CONTROL_ALLOWED)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "insert or ignore into runs VALUES (1)",
        "UPDATE runs SET a = 1",
        "\n  DELETE FROM runs",
        "WITH newest AS (SELECT 1) SELECT 2",
        "WITH RECURSIVE trail (id) AS (SELECT 1) SELECT 2",
        "CREATE UNIQUE INDEX a ON b (c)",
    ],
)
def test_a_query_in_code_would_be_seen(text):
    assert QUERY.match(text)


@pytest.mark.parametrize("text", ["SELECT *", "SELECT DISTINCT *", "RETURNING *", "SELECT a, run.*"])
def test_a_star_would_be_seen(text):
    assert EVERY_COLUMN.search(text)
