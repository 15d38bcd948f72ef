"""Folders of small migrations."""

from __future__ import annotations

from pathlib import Path

import pytest

FIRST = "CREATE TABLE first (id text NOT NULL PRIMARY KEY) STRICT;\nINSERT INTO first VALUES ('kept');\n"
SECOND = "CREATE TABLE second (id text NOT NULL PRIMARY KEY) STRICT;\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two migrations that can be applied."""
    made = tmp_path / "sqlite"
    made.mkdir()
    (made / "0001.first.sql").write_text(FIRST)
    (made / "0002.second.sql").write_text(SECOND)
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database may be made."""
    return tmp_path / "data" / "store.db"
