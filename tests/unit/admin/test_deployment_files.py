"""The files of a deployment, written out."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from service.admin.deployment.files import FilesExist, write_files
from service.cli.commands import main
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
SHIPPED = {path.relative_to(DEPLOY).as_posix(): path for path in DEPLOY.rglob("*") if path.is_file()}
PAGES = {
    f"docs/{path.relative_to(ROOT / 'docs').as_posix()}": path
    for folder in ("docs", "docs/run")
    for path in (ROOT / folder).glob("*.md")
    if path.name not in ("architecture.md", "development.md")
}
EXPECTED = SHIPPED | PAGES | {"postgres/roles.sql": ROOT / "migrations" / "roles.sql"}
LINK = re.compile(r"\]\(([^)#\s]+)")


def in_order(names):
    return sorted(names, key=lambda name: Path(name))


def contents_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_every_file_is_written_as_it_is(tmp_path):
    written = write_files(tmp_path / "new" / "deploy")

    assert contents_of(tmp_path / "new" / "deploy") == {
        name: path.read_bytes() for name, path in EXPECTED.items()
    }
    assert [path.relative_to(tmp_path / "new" / "deploy").as_posix() for path in written] == in_order(
        EXPECTED
    )


def test_the_handbook_links_to_nothing_that_is_left_out(tmp_path):
    write_files(tmp_path)

    for page in (tmp_path / "docs").rglob("*.md"):
        links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
        assert not [link for link in links if not (page.parent / link).exists()], page.name


def test_a_second_time_changes_nothing(tmp_path):
    assert write_files(tmp_path) == write_files(tmp_path)


def test_an_edited_file_is_kept_and_nothing_is_written(tmp_path):
    write_files(tmp_path)
    (tmp_path / "postgres" / "logins.sql").write_text("-- ours\n")
    (tmp_path / "postgres" / "duties.sql").unlink()

    with pytest.raises(FilesExist, match=r"logins\.sql"):
        write_files(tmp_path)

    assert (tmp_path / "postgres" / "logins.sql").read_text() == "-- ours\n"
    assert not (tmp_path / "postgres" / "duties.sql").exists()


def test_an_edited_file_is_replaced_where_that_is_asked_for(tmp_path):
    write_files(tmp_path)
    (tmp_path / "postgres" / "logins.sql").write_text("-- ours\n")

    write_files(tmp_path, overwrite=True)

    assert contents_of(tmp_path)["postgres/logins.sql"] == SHIPPED["postgres/logins.sql"].read_bytes()


def test_the_command_names_each_file_and_refuses_with_1(tmp_path):
    done = CliRunner().invoke(main, ["deploy-files", str(tmp_path)])
    (tmp_path / "postgres" / "roles.sql").write_text("")
    refused = CliRunner().invoke(main, ["deploy-files", str(tmp_path)])
    replaced = CliRunner().invoke(main, ["deploy-files", "--overwrite", str(tmp_path)])

    assert (done.exit_code, refused.exit_code, replaced.exit_code) == (0, 1, 0)
    assert done.output.split() == [str(tmp_path / name) for name in in_order(EXPECTED)]
    assert "roles.sql" in refused.output


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")

    done = CliRunner().invoke(main, ["deploy-files", str(tmp_path / "file" / "below")])

    assert done.exit_code == 1
    assert "file" in done.output
