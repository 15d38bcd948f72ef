"""Every command that a page names is one there is: of the service, with its options, and of make."""

import re

import click
import pytest

from service.cli.commands import main
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"(?:lotus-manage|python -m service) ([a-z][a-z-]+)((?: +(?:--?[a-z-]+|[a-z]+))*)")
MAKE = re.compile(r"(?:^|`)make ([a-z][a-z-]*)", re.MULTILINE)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


CODE = re.compile(r"```.*?```|`[^`]+`", re.DOTALL)


def text_of(page):
    """What a page has in code, with each command on one line."""
    return "\n".join(CODE.findall(page.read_text(encoding="utf-8").replace("\\\n", " ")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_of_the_service_is_there_and_shown_by_help(page):
    for name, rest in COMMAND.findall(text_of(page)):
        command = main.commands[name]
        assert not command.hidden, name
        for word in rest.split():
            if isinstance(command, click.Group) and not word.startswith("-"):
                command = command.commands[word]
            elif word.startswith("--"):
                assert word in [option for part in command.params for option in part.opts], (name, word)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_target_of_make_is_there(page):
    assert set(MAKE.findall(text_of(page))) <= TARGETS


def test_there_are_commands_to_look_at():
    found = [name for page in PAGES for name, _ in COMMAND.findall(text_of(page))]

    assert {"serve", "worker", "migrate", "copy", "deploy-files"} <= set(found)
