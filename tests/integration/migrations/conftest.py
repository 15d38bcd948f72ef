"""Small folders of migrations, and databases of both dialects to apply them to."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.harness import postgres
from service.admin.migrations import migrate
from service.admin.migrations.databases import Target
from tests.conftest import DATABASES, OURS

# Takes the name of a state and what brings an empty database to it; gives a database of the test's own.
Begin = Callable[[str, Callable[[Target], object]], Target]

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


@pytest.fixture(scope="session")
def sqlite_states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where files are kept that tests begin with copies of."""
    return tmp_path_factory.mktemp("states")


@pytest.fixture(scope="session")
def postgres_states(postgres_server: str) -> Iterator[set[str]]:
    """The names of databases that tests begin with copies of."""
    kept: set[str] = set()
    yield kept
    for name in kept:
        postgres.drop_database(postgres_server, name)


@pytest.fixture
def begin_in_file(sqlite_states: Path, path: Path) -> Begin:
    def begin(state: str, bring: Callable[[Target], object]) -> Target:
        kept = sqlite_states / f"{state}.db"
        if not kept.exists():
            making = sqlite_states / f"{state}.new"
            bring(making)
            making.rename(kept)
        path.parent.mkdir(exist_ok=True)
        return Path(shutil.copyfile(kept, path.with_name(kept.name)))

    return begin


@pytest.fixture
def begin_in_postgres(postgres_server: str, postgres_states: set[str]) -> Iterator[Begin]:
    made: list[str] = []

    def begin(state: str, bring: Callable[[Target], object]) -> Target:
        kept = f"{OURS}_{state}"
        if kept not in postgres_states:
            postgres.drop_database(postgres_server, kept)
            bring(postgres.create_database(postgres_server, kept))
            postgres_states.add(kept)
        made.append(f"{OURS}_{next(DATABASES)}")
        return postgres.create_database(postgres_server, made[-1], kept)

    yield begin
    for name in made:
        postgres.drop_database(postgres_server, name)


@pytest.fixture
def begin(dialect: str, request: pytest.FixtureRequest) -> Begin:
    """Copies a database that was brought to a state once; that is quicker than to bring another to it."""
    chosen: Begin = request.getfixturevalue(
        {"sqlite": "begin_in_file", "postgres": "begin_in_postgres"}[dialect]
    )
    return chosen


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
