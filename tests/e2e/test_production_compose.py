"""A fresh database made ready, and served from, by what docker-compose.production.yml says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from scripts.harness.postgres import Postgres, bin_dir
from scripts.harness.servers import OURS, ROOT, Server, Service, Worker
from tests.composing import BASE, PRODUCTION, composed, environment_of
from tests.e2e.clients import wait_until_ready
from tests.e2e.test_server import fetch, simulate

SERVICES = composed(BASE, PRODUCTION)["services"]
GIVEN = {
    f"LOTUS_{who}_PASSWORD": f"{who.lower()}4711"
    for who in ("POSTGRES", "MIGRATOR", "APPLICATION", "WORKER", "RETENTION")
}
LOGINS = {"lotus_application", "lotus_migrator", "lotus_retention", "lotus_worker"}
MOUNTS = {"/sql/roles.sql": ROOT / "migrations" / "roles.sql", "/sql/deploy": ROOT / "deploy" / "postgres"}
SECONDS_MAX = 60

pytestmark = [pytest.mark.slow, pytest.mark.by_itself]


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    """The service `postgres`: a server with an empty database of the deployment's name."""
    with Postgres.start(port=0) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as conn:
            conn.execute("CREATE DATABASE lotus")
        yield server


@pytest.fixture(scope="module")
def prepared(database: Postgres) -> Postgres:
    """That database after every preparing service; all of them twice, as after an upgrade."""
    for name in ("logins", "migrate", "roles") * 2:
        if name == "migrate":
            command = [Service.interpreter, "-m", "service", *SERVICES[name]["command"]]
        else:
            command = [local(word) for word in SERVICES[name]["command"]]
        run(command, environment(name, database))
    return database


def environment(name: str, database: Postgres) -> dict[str, str]:
    """What a service is told, with the database where it is here."""
    here = {
        variable: text.replace("@postgres:5432/", f"@127.0.0.1:{database.port}/")
        for variable, text in environment_of(SERVICES[name], GIVEN).items()
    }
    return here | {"PGHOST": "127.0.0.1", "PGPORT": str(database.port)} if "PGHOST" in here else here


def local(word: str) -> str:
    """A word of a command in a container, as it is here."""
    if word == "psql":
        return str(bin_dir() / "psql")
    for inside, here in MOUNTS.items():
        word = word.replace(inside, str(here))
    return word


def run(command: list[str], variables: dict[str, str]) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith((*OURS, "PG"))}
    done = subprocess.run(
        command, cwd=ROOT, env=inherited | variables, capture_output=True, text=True, timeout=SECONDS_MAX
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_duty_has_a_login_with_a_password_and_what_its_role_may(prepared):
    with psycopg.connect(prepared.dsn("lotus")) as conn:
        logins = conn.execute(
            "SELECT rolname FROM pg_authid WHERE rolcanlogin AND rolpassword IS NOT NULL AND NOT rolsuper"
        ).fetchall()
        owners = conn.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE tablename ~ '^(dpm|proposal)'")
        may_remove = conn.execute(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'lotus%'"
            " AND has_table_privilege(rolname, 'dpm_runs', 'DELETE')"
        ).fetchall()

        assert {name for (name,) in logins} == LOGINS
        assert owners.fetchall() == [("lotus_migrator",)]
        assert {name for (name,) in may_remove} == {"lotus_migrator", "lotus_retention"}


def test_what_is_prepared_passes_the_check_before_traffic_is_switched(prepared):
    variables = environment("fleet-server", prepared)

    run([Service.interpreter, "-m", "service", "cutover-check", "--check-migrations"], variables)


def test_a_server_and_a_worker_do_their_work_with_the_logins_they_are_given(
    prepared: Postgres, serve: Callable[..., Server], hire: Callable[..., Worker], demo_body: bytes
):
    server = serve(environment("fleet-server", prepared))
    worker = hire(environment("worker", prepared))

    simulate(server.base, demo_body, "composed-1")

    assert fetch(f"{server.base}/rebalance/runs/idempotency/composed-1")[0] == 200
    for process in (server, worker):
        wait_until_ready(process.base)
    assert [worker.stop(), server.stop()] == [0, 0]


def test_what_is_mounted_is_what_is_run_here():
    for name in ("logins", "roles"):
        mounts = [mount.removesuffix(":ro").split(":") for mount in SERVICES[name]["volumes"]]
        assert {inside: ROOT / Path(here) for here, inside in mounts} == MOUNTS
