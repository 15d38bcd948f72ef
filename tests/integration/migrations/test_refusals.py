"""States that a runner, a plan and a check all refuse to go on from."""

from __future__ import annotations

import fcntl
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from service.cli import migrate
from service.storage.schema import SchemaRefused, digest_of_text, list_shipped, pending_of

ACTS = pytest.mark.parametrize("act", [migrate.apply, migrate.plan, migrate.check])


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute(statement)


@pytest.fixture
def applied(path: Path, folder: Path) -> Path:
    """A database that has had both migrations of the folder."""
    migrate.apply(path, folder=folder)
    return path


@ACTS
def test_a_file_edited_after_it_was_applied_is_refused(applied, folder, act):
    with (folder / "0001.first.sql").open("a") as file:
        file.write("-- One more word.\n")

    with pytest.raises(SchemaRefused, match=r"^0001\.first was edited after it was applied$"):
        act(applied, folder=folder)


@ACTS
def test_a_database_ahead_of_this_build_is_refused(applied, folder, act):
    (folder / "0002.second.sql").unlink()

    with pytest.raises(SchemaRefused, match=r"ahead of this build: it has 0002\.second$"):
        act(applied, folder=folder)


@ACTS
def test_a_renamed_file_is_refused(applied, folder, act):
    (folder / "0002.second.sql").rename(folder / "0002.other.sql")

    with pytest.raises(SchemaRefused, match=r"ahead of this build: it has 0002\.second$"):
        act(applied, folder=folder)


@ACTS
def test_a_file_that_comes_before_an_applied_one_is_refused(applied, folder, act):
    change(applied, "DELETE FROM _yoyo_migration WHERE migration_id = '0001.first'")

    with pytest.raises(SchemaRefused, match=r"^0001\.first comes before 0002, which was applied already$"):
        act(applied, folder=folder)


@ACTS
def test_a_file_put_between_applied_ones_is_refused(applied, folder, act):
    (folder / "0002.second.sql").rename(folder / "0003.second.sql")
    (folder / "0002.between.sql").write_text("CREATE TABLE between_them (id text) STRICT;\n")

    with pytest.raises(SchemaRefused, match=r"ahead of this build: it has 0002\.second$"):
        act(applied, folder=folder)


@ACTS
def test_a_migration_applied_by_another_tool_is_refused(applied, folder, act):
    change(applied, "DELETE FROM schema_checksums WHERE migration_id = '0002.second'")

    with pytest.raises(
        SchemaRefused, match=r"^0002\.second was applied without its digest, by another tool$"
    ):
        act(applied, folder=folder)


@ACTS
def test_a_number_used_twice_is_refused(path, folder, act):
    (folder / "0002.also.sql").write_text("SELECT 1;\n")

    with pytest.raises(SchemaRefused, match=r"^migration number 0002 is used twice in sqlite/$"):
        act(path, folder=folder)


@ACTS
@pytest.mark.parametrize(("removed", "number"), [("0001.first.sql", "0001"), ("0002.second.sql", "0002")])
def test_a_missing_number_is_refused(path, folder, removed, number, act):
    (folder / "0003.third.sql").write_text("SELECT 1;\n")
    (folder / removed).unlink()

    with pytest.raises(SchemaRefused, match=rf"^migration number {number} is missing from sqlite/$"):
        act(path, folder=folder)


@ACTS
@pytest.mark.parametrize(
    "name",
    [
        "0000.zero.sql",
        "0003.Third.sql",
        "0003.third.py",
        "0003.third.rollback.sql",
        "0003-third.sql",
        "0003.sql",
        "3.third.sql",
        "00003.third.sql",
        "0003.third.sql~",
        "٠٠٠٣.third.sql",
        "notes.txt",
    ],
)
def test_a_stray_name_is_refused(path, folder, name, act):
    (folder / name).write_text("SELECT 1;\n")

    with pytest.raises(
        SchemaRefused, match=r"is not named like a migration \(0001\.words\.sql\)$"
    ) as refused:
        act(path, folder=folder)

    assert str(refused.value).startswith(f"sqlite/{name} ")


def test_a_refused_folder_leaves_no_database_behind(path, folder):
    (folder / "notes.txt").write_text("SELECT 1;\n")

    with pytest.raises(SchemaRefused):
        migrate.apply(path, folder=folder)

    assert not path.parent.exists()


def test_a_refused_database_is_left_as_it_was(applied, folder):
    (folder / "0001.first.sql").write_text("CREATE TABLE other (id text) STRICT;\n")
    (folder / "0003.third.sql").write_text("CREATE TABLE third (id text) STRICT;\n")
    before = applied.read_bytes()

    with pytest.raises(SchemaRefused):
        migrate.apply(applied, folder=folder)

    assert applied.read_bytes() == before


@ACTS
def test_a_file_that_is_no_database_is_refused(path, folder, act):
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 100)

    with pytest.raises(SchemaRefused, match=r"cannot be used: file is not a database$"):
        act(path, folder=folder)

    assert path.read_bytes() == b"not a database" * 100


def test_a_place_that_cannot_be_made_is_refused(tmp_path, folder):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(SchemaRefused, match="cannot be used: "):
        migrate.apply(tmp_path / "file" / "store.db", folder=folder)


def test_a_runner_does_not_wait_for_another_without_end(applied, folder):
    with applied.with_name(applied.name + ".migrate.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        with pytest.raises(SchemaRefused, match=r"another migration runner holds .*\.migrate\.lock$"):
            migrate.apply(applied, folder=folder, lock_seconds_max=0.1)

    assert migrate.apply(applied, folder=folder) == []


def test_nothing_is_pending_once_all_is_applied(folder):
    shipped = list_shipped(folder)

    assert pending_of(shipped, {migration.migration_id: migration.sha256 for migration in shipped}) == ()
    assert pending_of(shipped, {}) == shipped


@pytest.mark.parametrize("text", [b"a\r\nb\r\n", b"a\rb\r", b"a\r\nb\n"])
def test_a_digest_does_not_know_line_endings(text):
    assert digest_of_text(text) == digest_of_text(b"a\nb\n")


def test_a_digest_knows_every_other_byte():
    assert len({digest_of_text(text) for text in (b"a\nb\n", b"a\nb", b"a\n\nb\n", b"a \nb\n")}) == 4
