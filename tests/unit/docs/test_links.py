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
WRITTEN = {"deploy/postgres/roles.sql": "migrations/roles.sql", "deploy/docs": "docs"}
# "`overlay` in `service/engines/policy/overlay.py`"
PLACED = re.compile(rf"`(\w+)` in `((?:{'|'.join(FOLDERS)})/[\w./-]+\.\w+)`")
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


def test_every_room_is_described():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = [path.name for path in (ROOT / "service").iterdir() if (path / "__init__.py").is_file()]

    assert not [room for room in rooms if f"| `service/{room}` |" not in text]


@pytest.mark.parametrize("page", PAGES, ids=id_of)
def test_a_name_that_is_said_to_be_in_a_file_is_in_it(page):
    for name, path in PLACED.findall(page.read_text(encoding="utf-8")):
        assert name.removesuffix("_total") in (ROOT / path).read_text(encoding="utf-8"), (name, path)


def test_a_path_that_is_not_there_would_be_found():
    assert paths_in("see `service/nowhere.py` and `make docs`") == ["service/nowhere.py"]
