"""States that a runner, a plan and a check all refuse to go on from."""

from __future__ import annotations

import pytest

from service.admin.migrations import migrate
from service.storage.schema import SchemaRefused, digest_of_text, list_shipped, pending_of
from tests.integration.migrations.schema_reading import ask, tables_in

ACTS = pytest.mark.parametrize("act", [migrate.apply, migrate.plan, migrate.check])


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
    ask(applied, "DELETE FROM _yoyo_migration WHERE migration_id = '0001.first'")

    with pytest.raises(SchemaRefused, match=r"^0001\.first comes before 0002, which was applied already$"):
        act(applied, folder=folder)


@ACTS
def test_a_file_put_between_applied_ones_is_refused(applied, folder, act):
    (folder / "0002.second.sql").rename(folder / "0003.second.sql")
    (folder / "0002.between.sql").write_text("CREATE TABLE between_them (id text);\n")

    with pytest.raises(SchemaRefused, match=r"ahead of this build: it has 0002\.second$"):
        act(applied, folder=folder)


@ACTS
def test_a_migration_applied_by_another_tool_is_refused(applied, folder, act):
    ask(applied, "DELETE FROM schema_checksums WHERE migration_id = '0002.second'")

    with pytest.raises(
        SchemaRefused, match=r"^0002\.second was applied without its digest, by another tool$"
    ):
        act(applied, folder=folder)


@ACTS
def test_a_database_of_another_tool_is_refused(applied, folder, act):
    ask(applied, "DROP TABLE schema_checksums")

    with pytest.raises(SchemaRefused, match=r"^0001\.first was applied without its digest, by another tool$"):
        act(applied, folder=folder)

    assert "schema_checksums" not in tables_in(applied)


@ACTS
def test_a_database_another_tool_has_other_migrations_in_is_refused(applied, folder, act):
    ask(applied, "DROP TABLE schema_checksums")
    ask(applied, "UPDATE _yoyo_migration SET migration_id = 'begin' WHERE migration_id = '0001.first'")

    with pytest.raises(SchemaRefused, match=r"was applied without its digest, by another tool$"):
        act(applied, folder=folder)


def test_empty_books_of_another_tool_are_taken_over(applied, folder):
    for statement in (
        "DELETE FROM _yoyo_migration",
        "DROP TABLE schema_checksums",
        "DROP TABLE first",
        "DROP TABLE second",
    ):
        ask(applied, statement)

    assert migrate.check(applied, folder=folder) == ("0001.first", "0002.second")
    assert migrate.apply(applied, folder=folder) == ["0001.first", "0002.second"]


@ACTS
def test_a_number_used_twice_is_refused(path, sqlite_folder, act):
    (sqlite_folder / "0002.also.sql").write_text("SELECT 1;\n")

    with pytest.raises(SchemaRefused, match=r"^migration number 0002 is used twice in sqlite/$"):
        act(path, folder=sqlite_folder)


@ACTS
@pytest.mark.parametrize(("removed", "number"), [("0001.first.sql", "0001"), ("0002.second.sql", "0002")])
def test_a_missing_number_is_refused(path, sqlite_folder, removed, number, act):
    (sqlite_folder / "0003.third.sql").write_text("SELECT 1;\n")
    (sqlite_folder / removed).unlink()

    with pytest.raises(SchemaRefused, match=rf"^migration number {number} is missing from sqlite/$"):
        act(path, folder=sqlite_folder)


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
def test_a_stray_name_is_refused(path, sqlite_folder, name, act):
    (sqlite_folder / name).write_text("SELECT 1;\n")

    with pytest.raises(
        SchemaRefused, match=r"is not named like a migration \(0001\.words\.sql\)$"
    ) as refused:
        act(path, folder=sqlite_folder)

    assert str(refused.value).startswith(f"sqlite/{name} ")


def test_nothing_is_pending_once_all_is_applied(sqlite_folder):
    shipped = list_shipped(sqlite_folder)

    assert pending_of(shipped, {migration.migration_id: migration.sha256 for migration in shipped}) == ()
    assert pending_of(shipped, {}) == shipped


@pytest.mark.parametrize("text", [b"a\r\nb\r\n", b"a\rb\r", b"a\r\nb\n"])
def test_a_digest_does_not_know_line_endings(text):
    assert digest_of_text(text) == digest_of_text(b"a\nb\n")


def test_a_digest_knows_every_other_byte():
    assert len({digest_of_text(text) for text in (b"a\nb\n", b"a\nb", b"a\n\nb\n", b"a \nb\n")}) == 4
