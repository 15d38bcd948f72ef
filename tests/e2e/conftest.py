"""Real servers on every backend, and a PostgreSQL that survives what is done to it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, TypeVar

import pytest

from scripts.harness import postgres
from scripts.harness.postgres import Postgres
from scripts.harness.servers import ROOT, Launch, Server, Service, Worker
from service.admin.migrations import migrate
from tests.e2e.databases import Database, PostgresDatabase, SqliteFile
from tests.e2e.preloaded import end_preloaded, preloaded

DEMO = ROOT / "scripts" / "demo" / "multi_currency.json"
TEMPLATE = "template_of_tests"

DATABASES = count(1)
LINES_SHOWN = 200

Started = TypeVar("Started", bound=Service)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what belongs to the full form alone."""
    if config.getoption("--faults") == "full":
        return
    left_out = [item for item in items if item.get_closest_marker("one_store") and not on_postgres(item)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def on_postgres(item: pytest.Item) -> bool:
    return "POSTGRES" in item.name


@pytest.fixture(params=["IN_MEMORY", "SQL", "POSTGRES"])
def variables(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    chosen = {"DPM_SUPPORTABILITY_STORE_BACKEND": request.param, "DPM_LOG_LEVEL": "INFO"}
    if request.param == "SQL":
        template: Path = request.getfixturevalue("sqlite_template")
        chosen["DPM_SUPPORTABILITY_SQL_PATH"] = str(shutil.copyfile(template, tmp_path / "store.db"))
    if request.param == "POSTGRES":
        chosen["DPM_SUPPORTABILITY_POSTGRES_DSN"] = request.getfixturevalue("postgres_database")
    return chosen


@pytest.fixture(scope="session", autouse=True)
def preloaded_process() -> Iterator[None]:
    """Ends it, if it was started."""
    yield
    end_preloaded()


@pytest.fixture
def launch(request: pytest.FixtureRequest, faults_in_full: bool) -> Launch | None:
    """How servers and workers are started: by forking, unless it is starting that is looked at.

    In the full form of fault tests each is started by itself.
    """
    by_itself = faults_in_full or request.node.get_closest_marker("by_itself") is not None
    return None if by_itself else preloaded().launch


@pytest.fixture
def serve(launch: Launch | None) -> Iterator[Callable[..., Server]]:
    """Starts servers that the test need not stop."""
    with starting(Server, launch) as begin:
        yield begin


@pytest.fixture
def hire(launch: Launch | None) -> Iterator[Callable[..., Worker]]:
    """Starts workers that the test need not stop."""
    with starting(Worker, launch) as begin:
        yield begin


@contextmanager
def starting(kind: type[Started], launch: Launch | None) -> Iterator[Callable[..., Started]]:
    started: list[Started] = []

    def begin(variables: Mapping[str, str], **more: Any) -> Started:
        started.append(kind(variables, launch=launch, **more))
        return started[-1]

    with ExitStack() as stopping:
        yield begin
        for process in started:
            # Shown when the test fails.
            told = [line.decode() for line in process.lines if b'"event":"request"' not in line]
            print(*told[-LINES_SHOWN:])
            stopping.callback(process.stop)


@pytest.fixture
def start(variables: dict[str, str], serve: Callable[..., Server]) -> Callable[..., Server]:
    """Starts servers on the one backend of the test."""
    return lambda **more: serve(variables | more)


@pytest.fixture(scope="session")
def durable_postgres() -> Iterator[Postgres]:
    """A PostgreSQL that tests may end at any moment, if they start it again; it is never skipped."""
    with Postgres.start(durable=True, port=0) as server:
        migrate.apply(postgres.create_database(server.dsn(), TEMPLATE))
        yield server


@pytest.fixture
def new_durable_database(durable_postgres: Postgres) -> Callable[[], PostgresDatabase]:
    """Makes databases that have every migration; they go with their server."""

    def make() -> PostgresDatabase:
        name = f"dpm_{next(DATABASES)}"
        postgres.create_database(durable_postgres.dsn(), name, TEMPLATE)
        return PostgresDatabase(durable_postgres.tcp_dsn(name))

    return make


@pytest.fixture
def durable_database(new_durable_database: Callable[[], PostgresDatabase]) -> PostgresDatabase:
    return new_durable_database()


@pytest.fixture(params=["SQL", "POSTGRES"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Database]:
    """Makes databases in which nothing is recorded yet."""
    if request.param == "SQL":
        template: Path = request.getfixturevalue("sqlite_template")
        return lambda: SqliteFile(Path(shutil.copyfile(template, tmp_path / f"{next(DATABASES)}.db")))
    make: Callable[[], Database] = request.getfixturevalue("new_durable_database")
    return make


@pytest.fixture
def chance() -> Random:
    """Shown when a test fails, so that its moments can be drawn again."""
    seed = SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    return Random(seed)


@pytest.fixture
def demo_body() -> bytes:
    return DEMO.read_bytes()
