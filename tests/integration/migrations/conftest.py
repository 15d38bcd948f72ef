"""Small folders of migrations, and databases of both dialects to apply them to."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.cli import migrate
from service.cli.databases import Target

FIRST = "CREATE TABLE first (id text NOT NULL PRIMARY KEY);\nINSERT INTO first VALUES ('kept');\n"
SECOND = "CREATE TABLE second (id text NOT NULL PRIMARY KEY);\n"


@pytest.fixture(params=["sqlite", "postgres"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def target(dialect: str, request: pytest.FixtureRequest) -> Target:
    """A database that has nothing: a file that is not there yet, or an address."""
    place: Target = request.getfixturevalue({"sqlite": "path", "postgres": "dsn"}[dialect])
    return place


@pytest.fixture
def folder(tmp_path: Path, dialect: str) -> Path:
    """Two migrations that can be applied, alike in both dialects."""
    return folder_of(tmp_path / dialect)


@pytest.fixture
def applied(target: Target, folder: Path) -> Target:
    """A database that has had both migrations of the folder."""
    migrate.apply(target, folder=folder)
    return target


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a SQLite file may be made."""
    return tmp_path / "data" / "store.db"


@pytest.fixture
def dsn(empty_postgres_database: str) -> str:
    return empty_postgres_database


@pytest.fixture
def sqlite_folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "sqlite")


@pytest.fixture
def postgres_folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "postgres")


def folder_of(made: Path) -> Path:
    made.mkdir()
    (made / "0001.first.sql").write_text(FIRST)
    (made / "0002.second.sql").write_text(SECOND)
    return made
