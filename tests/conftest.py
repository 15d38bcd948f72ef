"""What every test can ask for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import cache
from itertools import count
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings
from xdist.scheduler import LoadScopeScheduling

from scripts.harness import postgres
from service.admin.migrations import migrate

ROOT = Path(__file__).resolve().parents[1]
CONFORMANCE = ROOT.parent / "shared" / "conformance"

# Several runs may share a server; the number of a process alone may come back while its databases stay.
OURS = f"dpm_test_{os.getpid()}_{SystemRandom().randrange(2**32):08x}"
DATABASES = count(1)
SEED = "hypothesis_seed"
SERVER = "postgres_server"
SHARED = pytest.StashKey[str | None]()
LONGEST_FIRST = ("tests/e2e/", "tests/integration/")

# A failing example is printed as a blob that repeats it; timing is the benchmark's business.
settings.register_profile(
    "quick", max_examples=25, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
# Each run draws others, so that what many runs of the tests have seen grows.
settings.register_profile("full", settings.get_profile("quick"), max_examples=60)
# In test-faults; the seven properties of the engine make 2,800 examples of these.
settings.register_profile("deep", settings.get_profile("quick"), max_examples=400)
settings.load_profile("quick")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # Drawn here and shown in the header, so that any run can be repeated with --hypothesis-seed.
    if config.option.hypothesis_seed is None:
        told = getattr(config, "workerinput", {})
        config.option.hypothesis_seed = told.get(SEED, SystemRandom().randrange(2**32))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells each process that shares in the run the seed of all and their PostgreSQL."""
    node.workerinput[SEED] = node.config.option.hypothesis_seed
    node.workerinput[SERVER] = shared_server(node.config)


def shared_server(config: pytest.Config) -> str | None:
    """The address of one PostgreSQL for all processes of a run, which ends with the run.

    None where there is none; then each process that asks for one says why. None as well without the slow
    tests, of which hardly one asks for it.
    """
    if SHARED not in config.stash:
        config.stash[SHARED] = None
        if "not slow" in config.option.markexpr:
            return None
        with suppress(postgres.PostgresMissing):
            stack = ExitStack()
            config.stash[SHARED] = stack.enter_context(postgres.integration_server())
            config.add_cleanup(stack.close)
    return config.stash[SHARED]


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Gives processes whole files, in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return file_of(nodeid)


def file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


@cache
def rank_of(file: str) -> int:
    """Where a file stands among all: first what takes longest, while the other processes have much to do."""
    if "pytest.mark.faults" in (ROOT / file).read_text(encoding="utf-8"):
        return 0
    return next((rank for rank, folder in enumerate(LONGEST_FIRST, 1) if file.startswith(folder)), 9)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        # What is drawn takes as long as the drawing of many examples.
        if is_hypothesis_test(getattr(item, "function", None)):
            item.add_marker(pytest.mark.slow)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: rank_of(file_of(item.nodeid)))


def pytest_report_header(config: pytest.Config) -> str:
    return f"hypothesis seed: {config.option.hypothesis_seed}"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--faults", choices=("small", "full"), default="small", help="how long the fault tests go on"
    )


@pytest.fixture(scope="session")
def faults_in_full(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--faults") == "full")


@pytest.fixture(scope="session")
def conformance() -> Path:
    """The recorded cases of the reference; they are kept outside this repository."""
    if not CONFORMANCE.is_dir():
        pytest.skip("recorded cases are not beside this checkout (../shared/conformance)")
    return CONFORMANCE


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that has every migration, to be copied; that is quicker than to apply them again."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate.apply(path)
    return path


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """A PostgreSQL for the whole run, by the address of one who may make databases; it is never skipped."""
    if shared := getattr(request.config, "workerinput", {}).get(SERVER):
        yield shared
        return
    with postgres.integration_server() as admin_dsn:
        yield admin_dsn


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[str]:
    """The name of a database that has every migration; nobody may stay connected to it."""
    name = f"{OURS}_template"
    dsn = postgres.create_database(postgres_server, name)
    try:
        migrate.apply(dsn)
        yield name
    finally:
        postgres.drop_database(postgres_server, name)


@pytest.fixture
def postgres_database(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """The address of a database of the test's own, which has every migration."""
    name = f"{OURS}_{next(DATABASES)}"
    try:
        yield postgres.create_database(postgres_server, name, postgres_template)
    finally:
        postgres.drop_database(postgres_server, name)


@pytest.fixture(scope="session")
def emptied_in_turn(postgres_server: str) -> Iterator[str]:
    """The address of a database that tests use in turn; each empties it first."""
    name = f"{OURS}_emptied"
    try:
        yield postgres.create_database(postgres_server, name)
    finally:
        postgres.drop_database(postgres_server, name)


@pytest.fixture
def empty_postgres_database(emptied_in_turn: str) -> str:
    """The address of a database of the test's own, which has nothing.

    Emptying one takes a tenth of the time of making another.
    """
    postgres.empty_database(emptied_in_turn)
    return emptied_in_turn
