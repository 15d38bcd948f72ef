"""What is particular about a SQLite file: it may be missing, in use, or no database at all."""

from __future__ import annotations

import fcntl
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from service.admin.migrations import migrate
from service.storage.schema import SchemaRefused

ACTS = pytest.mark.parametrize("act", [migrate.apply, migrate.plan, migrate.check])


def files_below(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def applied_file(path: Path, sqlite_folder: Path) -> Path:
    migrate.apply(path, folder=sqlite_folder)
    return path


def test_a_refused_folder_leaves_no_database_behind(path, sqlite_folder):
    (sqlite_folder / "notes.txt").write_text("SELECT 1;\n")

    with pytest.raises(SchemaRefused):
        migrate.apply(path, folder=sqlite_folder)

    assert not path.parent.exists()


def test_a_refused_database_is_left_as_it_was(applied_file, sqlite_folder):
    (sqlite_folder / "0001.first.sql").write_text("CREATE TABLE other (id text);\n")
    (sqlite_folder / "0003.third.sql").write_text("CREATE TABLE third (id text);\n")
    before = applied_file.read_bytes()

    with pytest.raises(SchemaRefused):
        migrate.apply(applied_file, folder=sqlite_folder)

    assert applied_file.read_bytes() == before


@ACTS
def test_a_file_that_is_no_database_is_refused(path, sqlite_folder, act):
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 100)

    with pytest.raises(SchemaRefused, match=r"cannot be used: file is not a database$"):
        act(path, folder=sqlite_folder)

    assert path.read_bytes() == b"not a database" * 100


def test_a_place_that_cannot_be_made_is_refused(tmp_path, sqlite_folder):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(SchemaRefused, match="cannot be used: "):
        migrate.apply(tmp_path / "file" / "store.db", folder=sqlite_folder)


def test_a_runner_does_not_wait_for_another_without_end(applied_file, sqlite_folder):
    with applied_file.with_name(applied_file.name + ".migrate.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        with pytest.raises(SchemaRefused, match=r"another migration runner holds .*\.migrate\.lock$"):
            migrate.apply(applied_file, folder=sqlite_folder, lock_seconds_max=0.1)

    assert migrate.apply(applied_file, folder=sqlite_folder) == []


@pytest.mark.parametrize("look", [migrate.plan, migrate.check])
def test_looking_at_a_missing_file_makes_nothing(path, sqlite_folder, look):
    pending = look(path, folder=sqlite_folder)

    assert len(pending) == 2
    assert not path.parent.exists()


@pytest.mark.parametrize("look", [migrate.plan, migrate.check])
def test_looking_at_a_file_writes_nothing(path, sqlite_folder, look):
    migrate.apply(path, folder=sqlite_folder)
    (sqlite_folder / "0003.third.sql").write_text("CREATE TABLE third (id text);\n")
    before = files_below(path.parent)

    pending = look(path, folder=sqlite_folder)

    assert len(pending) == 1
    assert files_below(path.parent) == before


def test_a_file_in_use_can_be_migrated(applied_file, sqlite_folder):
    (sqlite_folder / "0003.third.sql").write_text("CREATE TABLE third (id text);\n")
    with closing(sqlite3.connect(applied_file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM second").fetchone() == (0,)

        assert migrate.apply(applied_file, folder=sqlite_folder) == ["0003.third"]

        reader.execute("COMMIT")
        reader.execute("INSERT INTO third VALUES ('later')")
