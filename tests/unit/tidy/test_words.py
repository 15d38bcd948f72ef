"""Names that say nothing, and texts that do not belong in a repository."""

import os
import re
from pathlib import Path

from tests.conftest import ROOT

EMPTY_NAMES = {"utils", "helpers", "common", "misc"}
# A machine's own path, or the address of a package registry.
FOREIGN = re.compile(r"(?<![\w./-])/(?:work|root|home)/|https?://[^\s/]*(?:pypi|pythonhosted|npmjs)")
TEXTS = (".py", ".sql", ".md", ".cfg", ".toml", ".txt", ".json", "Makefile", "Dockerfile")
SKIPPED = {".git", ".venv", ".venv-client", ".venv-lock", ".data", ".hypothesis"}
IS_CACHE = re.compile(r"^\..*_cache$|^__pycache__$")


def files():
    for folder, inner, names in os.walk(ROOT):
        # An environment has tens of thousands of files.
        inner[:] = [name for name in inner if name not in SKIPPED and not IS_CACHE.search(name)]
        yield from (Path(folder, name) for name in names if name not in SKIPPED)


def test_no_module_has_a_name_that_says_nothing():
    assert not [path for path in files() if path.stem in EMPTY_NAMES]


def test_no_file_names_a_machine_or_a_registry():
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files()
        if path.name.endswith(TEXTS) and path.name != "test_words.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if FOREIGN.search(line)
    ]

    assert not found
