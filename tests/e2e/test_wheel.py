"""What is installed from a wheel, far from any checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts import build_wheel
from scripts.harness.servers import ROOT, Server
from tests.e2e.test_server import fetch, simulate

SECONDS_MAX = 120.0

# One wheel is built and installed for all of them.
pytestmark = pytest.mark.slow


class Installed:
    """A Python that finds the wheel in its own folder, and what it needs in that of the tests."""

    def __init__(self, home: Path, wheel: Path) -> None:
        run([sys.executable, "-m", "venv", "--without-pip", str(home / "venv")], cwd=home)
        self.python = home / "venv" / "bin" / "python"
        self.packages = Path(self.ask("import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home))
        (self.packages / "needs.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
        offline = ["--quiet", "--no-deps", "--no-index", "--ignore-installed"]
        pip = [sys.executable, "-m", "pip", "--python", str(self.python)]
        run([*pip, "install", *offline, str(wheel)], cwd=home)

    def ask(self, code: str, *, cwd: Path) -> str:
        return run([str(self.python), "-c", code], cwd=cwd).strip()


class InstalledServer(Server):
    """A server of an installed wheel, in a folder that holds nothing."""

    def __init__(
        self, installed: Installed, folder: Path, variables: Mapping[str, str], **more: object
    ) -> None:
        self.interpreter = str(installed.python)
        self.folder = folder
        super().__init__(variables, **more)


def run(command: list[str], *, cwd: Path) -> str:
    """What a process says that ends well; it is told nothing of this checkout."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DPM_"))}
    done = subprocess.run(
        command, cwd=cwd, env=inherited, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel.build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"), wheel)


@pytest.fixture(autouse=True)
def no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)


def files_under(folder: Path) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_a_wheel_holds_the_package_and_its_sql_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as opened:
        held = {name for name in opened.namelist() if ".dist-info/" not in name}

    folders = ("sql", "migrations", "deploy", "docs")
    beside = {name for folder in folders for name in files_under(ROOT / folder)}
    beside -= files_under(ROOT / "docs" / "decisions")
    assert held == files_under(ROOT / "service") | {f"service/{name}" for name in beside}


def test_a_wheel_says_what_it_needs_and_how_it_is_called(wheel):
    with zipfile.ZipFile(wheel) as opened:
        described = {
            Path(name).name: opened.read(name).decode() for name in opened.namelist() if "info/" in name
        }

    assert "lotus-manage = service.__main__:main" in described["entry_points.txt"]
    assert "Requires-Python: >=3.11" in described["METADATA"]
    assert "Provides-Extra: otel" in described["METADATA"]


def test_what_is_installed_is_found_in_its_own_folder(installed, tmp_path):
    found = installed.ask("import service; print(service.__file__)", cwd=tmp_path)
    sql = installed.ask("from service.storage.queries import SQL_DIR; print(SQL_DIR)", cwd=tmp_path)

    assert Path(found) == installed.packages / "service" / "__init__.py"
    assert Path(sql) == installed.packages / "service" / "sql"


def test_a_wheel_alone_writes_out_what_a_deployment_needs(installed, tmp_path):
    told = run([str(installed.python), "-m", "service", "deploy-files", "deploy"], cwd=tmp_path)

    written = {path.relative_to(tmp_path).as_posix() for path in (tmp_path / "deploy").rglob("*.*")}
    assert set(told.split()) == written
    assert written >= files_under(ROOT / "deploy") | {
        "deploy/postgres/roles.sql",
        "deploy/docs/run/go-live.md",
    }


def test_an_installed_server_keeps_a_run_that_the_next_one_finds(installed, tmp_path, demo_body):
    database, folder = tmp_path / "kept" / "runs.db", tmp_path / "empty"
    folder.mkdir()
    told = run(
        [str(installed.python), "-m", "service", "migrate", "apply", "--sqlite-path", str(database)],
        cwd=folder,
    )
    variables = {"DPM_SUPPORTABILITY_STORE_BACKEND": "SQL", "DPM_SUPPORTABILITY_SQL_PATH": str(database)}

    with InstalledServer(installed, folder, variables) as first:
        answered = simulate(first.base, demo_body, "installed-1")
        assert first.stop() == 0
    command = [str(installed.python.parent / "lotus-manage"), "serve", "--port", "0"]
    with InstalledServer(installed, folder, variables, command=command) as second:
        found = fetch(f"{second.base}/rebalance/runs/{json.loads(answered)['rebalance_run_id']}")[1]
        replayed = simulate(second.base, demo_body, "installed-1")

    assert all(path.stem in told for path in (ROOT / "migrations" / "sqlite").iterdir())
    assert answered in found
    assert replayed == answered
    assert not list(folder.iterdir())
