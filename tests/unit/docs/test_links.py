"""Every path that a document names is there, and every link leads somewhere."""

import re

import pytest

from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
TICKED = re.compile(r"`([^`\n]+)`")
# A path of the repository: its first folder is one of ours.
FOLDERS = ("service", "tests", "scripts", "docs", "sql", "migrations", "deploy")
PATH = re.compile(rf"(?:{'|'.join(FOLDERS)})/[\w./-]*")
# Written out by `deploy-files`; in the repository it stands elsewhere.
WRITTEN = {"deploy/postgres/roles.sql": "migrations/roles.sql"}
README_LINES_MAX = 120


def id_of(path):
    return str(path.relative_to(ROOT))


def paths_in(text):
    """The paths of the repository between backticks; a placeholder or a pattern is none."""
    return [
        word
        for ticked in TICKED.findall(text)
        for word in ticked.split()
        if PATH.fullmatch(word) and not word.endswith("/NNNN")
    ]


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_every_path_it_names_is_there(page):
    missing = [
        path
        for path in paths_in(page.read_text(encoding="utf-8"))
        if not (ROOT / WRITTEN.get(path, path)).exists()
    ]

    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_every_link_leads_somewhere(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if not link.startswith(("http://", "https://")):
            assert (page.parent / link.partition("#")[0]).exists(), link


def test_every_page_is_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        for link in LINK.findall(page.read_text(encoding="utf-8")):
            found = (page.parent / link.partition("#")[0]).resolve()
            if found.suffix == ".md" and found not in reached:
                waiting.append(found)

    assert set(PAGES) <= reached


def test_the_readme_is_one_look():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES_MAX


def test_a_path_that_is_not_there_would_be_found():
    assert paths_in("see `service/nowhere.py` and `make docs`") == ["service/nowhere.py"]
