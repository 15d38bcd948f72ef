"""Decisions: one file each, numbered without gaps, linked from their index and to each other."""

import re

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "docs" / "decisions"
NAME = re.compile(r"(\d{4})-[a-z0-9-]+\.md")
FILES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
LINK = re.compile(r"\[(\d{4})\]\(([^)]+)\)")
STATUS = re.compile(r"accepted(, amended by .+)?|superseded by .+")


def head_of(path):
    """The facts above the text of a decision."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.removeprefix("- ").split(": ", 1) for line in lines if re.match(r"- [A-Z]\w+: ", line))


def linked(path):
    return {number: name for number, name in LINK.findall(path.read_text(encoding="utf-8"))}


def test_numbers_have_no_gaps():
    numbers = [int(NAME.fullmatch(path.name)[1]) for path in FILES]

    assert numbers == list(range(1, len(FILES) + 1))


def test_the_index_links_each_decision_once_with_its_title():
    listed = re.findall(r"^- \[(\d{4})\]\(([^)]+)\) (.+)$", (FOLDER / "README.md").read_text("utf-8"), re.M)

    assert sorted(name for _, name, _ in listed) == [path.name for path in FILES]
    for number, name, title in listed:
        assert (FOLDER / name).read_text("utf-8").startswith(f"# {number} {title}\n"), name


def test_the_index_has_each_decision_under_its_subject():
    for part in (FOLDER / "README.md").read_text("utf-8").split("\n## ")[1:]:
        subject, _, listed = part.partition("\n")
        names = [name for _, name in LINK.findall(listed)]
        assert names
        assert {head_of(FOLDER / name)["Subject"].lower() for name in names} == {subject.lower()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name[:4])
def test_a_decision_says_its_status_and_what_it_supersedes(path):
    head = head_of(path)

    assert STATUS.fullmatch(head["Status"]) and head["Supersedes"]
    assert re.match(r"\d{4}-\d\d-\d\d", head["Date"])
    assert "\n## Decision\n\n" in path.read_text("utf-8")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name[:4])
def test_a_link_between_decisions_names_the_number_of_its_file(path):
    for number, name in linked(path).items():
        assert name.startswith(f"{number}-") and (FOLDER / name).is_file()


def test_amendments_are_named_on_both_sides():
    for path in FILES:
        for _, name in LINK.findall(head_of(path)["Status"]):
            later = head_of(FOLDER / name)
            assert f"({path.name})" in later.get("Amends", "") + later["Supersedes"], (path.name, name)
