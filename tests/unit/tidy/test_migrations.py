"""Migrations go forward only, alike on both sides, and never change once released."""

import re

import pytest
from pgqueuer.adapters.persistence.schema_ddl import render_install

from service.storage.postgres.jobs.engine import NAMES
from service.storage.queries import MIGRATIONS_DIR
from service.storage.schema import FILE_NAME, digest_of_text
from tests.conftest import ROOT

DIALECTS = ("postgres", "sqlite")
RELEASED = MIGRATIONS_DIR / "RELEASED.sha256"
FILES = sorted(path for dialect in DIALECTS for path in (MIGRATIONS_DIR / dialect).iterdir())
EACH_FILE = pytest.mark.parametrize(
    "path", FILES, ids=lambda path: path.relative_to(MIGRATIONS_DIR).as_posix()
)

# Its indexes are spoken for where the engine of the queue is.
JOB_QUEUE = MIGRATIONS_DIR / "postgres" / "0006.job_queue.sql"
INDEX = re.compile(r"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\b", re.IGNORECASE)


def names_in(dialect):
    return [path.name for path in FILES if path.parent.name == dialect]


@EACH_FILE
def test_a_migration_is_named_like_one_and_has_no_way_back(path):
    assert FILE_NAME.fullmatch(path.name)
    assert "rollback" not in path.name


def test_nothing_else_lies_among_the_migrations():
    beside = {RELEASED.name, "roles.sql"}
    assert {path.name for path in MIGRATIONS_DIR.iterdir()} == {*DIALECTS, *beside}


def test_numbers_have_no_gap_and_both_sides_have_the_same_list():
    names = names_in("postgres")

    assert names_in("sqlite") == names
    assert [name[:4] for name in names] == [f"{number:04d}" for number in range(1, len(names) + 1)]


@EACH_FILE
def test_a_migration_begins_with_what_it_is_for(path):
    assert re.match(r"-- [A-Z]", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "path", [path for path in FILES if path != JOB_QUEUE], ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_each_index_has_its_sentence(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if INDEX.match(line):
            assert re.match(r"-- .*\.$", lines[number - 1]), f"line {number + 1} has no sentence above it"


def test_the_tables_of_the_queue_are_those_its_engine_makes():
    # A later engine that makes them otherwise needs a later file, which `pgq upgrade --plan` writes.
    heading, mark, text = JOB_QUEUE.read_text(encoding="utf-8").partition("-- pgqueuer ")

    assert mark + text.rstrip("\n") == render_install(NAMES, create_schema=True).rstrip("\n")
    assert all(line.startswith(("--", "SET LOCAL ")) for line in heading.splitlines() if line)


def test_what_was_released_never_changes():
    # A new file adds its line: run sha256sum */*.sql in the folder of the migrations.
    lines = RELEASED.read_text(encoding="utf-8").splitlines()
    released = [tuple(line.split("  ")) for line in lines]

    assert released == [
        (digest_of_text(path.read_bytes()), path.relative_to(MIGRATIONS_DIR).as_posix()) for path in FILES
    ]


def test_the_migrations_are_those_of_this_checkout():
    assert MIGRATIONS_DIR == ROOT / "migrations"
