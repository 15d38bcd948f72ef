"""The walks of docs/run, run as they are written: on a fresh folder, and on a fresh PostgreSQL."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest

from scripts.harness.postgres import Postgres, bin_dir, free_port
from scripts.harness.servers import OURS, ROOT
from tests.waiting import HANG_SECONDS

# A walk starts some twenty processes in turn.
WALK_SECONDS_MAX = 5 * HANG_SECONDS
DOCUMENTS = ROOT / "docs" / "run"
DEMO = ROOT / "scripts" / "demo" / "multi_currency.json"
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
SIMULATE = f"""
curl -fsS "http://127.0.0.1:$LOTUS_PORT/rebalance/simulate" --data @{DEMO} --output simulated.json \\
    -H 'Content-Type: application/json' -H 'Idempotency-Key: walk-1'
"""

pytestmark = [pytest.mark.slow, pytest.mark.by_itself]


def blocks_of(page: str, section: str = "") -> list[str]:
    """The shell blocks of a page, or of one section of it, in their order."""
    text = (DOCUMENTS / page).read_text(encoding="utf-8")
    if section:
        text = re.split(r"^## ", text.partition(f"\n## {section}\n")[2], flags=re.MULTILINE)[0]
    return BLOCK.findall(text)


def commands_in(folder: Path) -> str:
    """A PATH on which the service and the programs of PostgreSQL are found as where they are installed."""
    programs = folder / "bin"
    programs.mkdir()
    for name, command in (("lotus-manage", "-m service"), ("python3", "")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} {command} "$@"\n')
        program.chmod(0o755)
    return os.pathsep.join([str(programs), str(bin_dir()), os.environ["PATH"]])


def walk(blocks: Iterable[str], folder: Path, given: Mapping[str, str] | None = None) -> str:
    """Runs blocks in one shell that ends at the first failure; what they print."""
    inherited = {
        name: text for name, text in os.environ.items() if not name.startswith((*OURS, "PG", "LOTUS_"))
    }
    ports = {name: str(free_port()) for name in ("LOTUS_PORT", "LOTUS_METRICS_PORT", "LOTUS_WORKER_PORT")}
    environment = inherited | ports | dict(given or {}) | {"PATH": commands_in(folder)}
    script = "\n".join(["set -euo pipefail", *blocks])
    shell = subprocess.Popen(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = shell.communicate(timeout=WALK_SECONDS_MAX)
    finally:
        # Whatever a block left in the background.
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
    logs = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.log")))
    assert shell.returncode == 0, printed + logs
    return printed


@pytest.fixture
def fresh_postgres() -> Iterator[Postgres]:
    with Postgres.start(port=0) as server:
        yield server


def test_a_server_is_installed_on_sqlite_and_backed_up(tmp_path):
    *start, stop = blocks_of("install.md")

    printed = walk([*start, SIMULATE, *blocks_of("backup.md", "SQLite"), stop], tmp_path)

    assert "applied" in printed
    with closing(sqlite3.connect(tmp_path / "runs.backup.db")) as copied:
        assert copied.execute("SELECT count(*) FROM dpm_runs").fetchone() == (1,)


def test_a_fleet_goes_live_and_is_restored_from_its_backup(tmp_path, fresh_postgres):
    *steps, stop = blocks_of("go-live.md")
    administrator = {"PGHOST": "127.0.0.1", "PGPORT": str(fresh_postgres.port), "PGUSER": "postgres"}

    printed = walk([*steps, SIMULATE, *blocks_of("backup.md", "PostgreSQL"), stop], tmp_path, administrator)

    assert len(steps) == 9
    assert "lotus_http_connections_max" in printed
    assert "lotus_job_queue_depth" in printed
    for database in ("lotus", "lotus_restored"):
        with psycopg.connect(fresh_postgres.dsn(database)) as connection:
            assert connection.execute("SELECT count(*) FROM dpm_runs").fetchone() == (1,)
            owners = connection.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE tablename ~ '^dpm_'")
            assert owners.fetchall() == [("lotus_migrator",)]


def test_a_walk_that_fails_is_seen(tmp_path):
    with pytest.raises(AssertionError, match="first"):
        walk(["echo first\nfalse", "echo second"], tmp_path)
