"""A production process, and the check before traffic is switched over, as real processes.

One PostgreSQL is made ready as a deployment makes it: migrations by their own login, roles from the file, and
a login for each duty.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any
from urllib.error import URLError

import psycopg
import pytest
from psycopg import sql

from scripts.harness.postgres import Postgres, free_port
from scripts.harness.sample_requests import a_proposal_body
from scripts.harness.servers import OURS, ROOT, Server
from service.storage.queries import MIGRATIONS_DIR
from service.storage.schema import shipped_for
from tests.e2e.preloaded import preloaded

SECONDS_MAX = 60
PASSWORD = "open-sesame"
RUNS, PROPOSALS, PACKS = (
    "DPM_SUPPORTABILITY_POSTGRES_DSN",
    "PROPOSAL_POSTGRES_DSN",
    "DPM_POLICY_PACK_POSTGRES_DSN",
)
LOGINS = {"lotus_app": "dpm_application", "lotus_purge": "dpm_retention", "lotus_worker": "dpm_worker"}
SHIPPED = shipped_for("postgres")
NUMBER = count(1)

Variables = dict[str, str]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    """A server with the logins of a deployment."""
    with Postgres.start(port=0) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as conn:
            for login in ("lotus_migrator", "lotus_root", *LOGINS):
                conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(login)))
            conn.execute("ALTER ROLE lotus_root SUPERUSER")
        yield server


@pytest.fixture(scope="module")
def template(cluster: Postgres) -> str:
    """The name of a database that is ready, made as a deployment makes it."""
    name = "ready"
    create(cluster, name)
    dsn = address(cluster, name, "lotus_migrator")
    done = command("migrate", "apply", "--target", "all", **{RUNS: dsn, PROPOSALS: dsn})
    assert done.returncode == 0, done.stderr
    with psycopg.connect(cluster.dsn(name), autocommit=True) as conn:
        conn.execute((MIGRATIONS_DIR / "roles.sql").read_text(encoding="utf-8"))
        for login, role in LOGINS.items():
            conn.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(login)))
    return name


@pytest.fixture
def ready(cluster: Postgres, template: str) -> Callable[[], str]:
    """Makes databases that are ready, by their name."""

    def make() -> str:
        name = f"ready_{next(NUMBER)}"
        create(cluster, name, template)
        return name

    return make


@pytest.fixture
def fit(cluster: Postgres, ready: Callable[[], str]) -> Variables:
    """The environment of a production process on a database of its own."""
    return variables_of(cluster, ready())


def create(cluster: Postgres, name: str, template: str = "template1") -> None:
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        make = sql.SQL("CREATE DATABASE {} OWNER lotus_migrator TEMPLATE {}")
        conn.execute(make.format(sql.Identifier(name), sql.Identifier(template)))


def address(cluster: Postgres, database: str, login: str) -> str:
    return cluster.tcp_dsn(database, login).replace("@", f":{PASSWORD}@")


def variables_of(cluster: Postgres, database: str, login: str = "lotus_app") -> Variables:
    serving = address(cluster, database, login)
    return {
        "APP_PERSISTENCE_PROFILE": "PRODUCTION",
        "DPM_SUPPORTABILITY_STORE_BACKEND": "POSTGRES",
        RUNS: serving,
        "DPM_RETENTION_POSTGRES_DSN": address(cluster, database, "lotus_purge"),
        "PROPOSAL_STORE_BACKEND": "POSTGRES",
        PROPOSALS: serving,
        "DPM_POLICY_PACKS_ENABLED": "true",
        "DPM_POLICY_PACK_CATALOG_BACKEND": "POSTGRES",
        PACKS: serving,
    }


def as_owner(cluster: Postgres, variables: Variables, statement: str) -> None:
    name = variables[RUNS].rpartition("/")[2]
    with psycopg.connect(cluster.dsn(name), autocommit=True) as conn:
        conn.execute(statement)


def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command that is started by itself."""
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=ROOT,
        env=inherited() | variables,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


def forked(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The same sooner: one of each command is started by itself, and the others by forking."""
    return preloaded().run(["-m", "service", *arguments], inherited() | variables)


def inherited() -> Variables:
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


def checked(variables: Variables, *options: str) -> tuple[int, list[str]]:
    """The exit status of a cutover check, and the codes of what it says."""
    done = forked("cutover-check", *options, **variables)
    assert (done.stderr, PASSWORD in done.stdout) == ("", False)
    return done.returncode, [line.partition("  ")[0] for line in done.stdout.splitlines()]


def is_listening(port: int) -> bool:
    with (
        suppress(URLError),
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=SECONDS_MAX),
    ):
        return True
    return False


GUARDS: list[tuple[str, str, Variables]] = [
    ("DPM_SUPPORTABILITY_STORE_BACKEND", "PERSISTENCE_PROFILE_REQUIRES_DPM_POSTGRES", {}),
    (RUNS, "PERSISTENCE_PROFILE_REQUIRES_DPM_POSTGRES_DSN", {}),
    ("PROPOSAL_STORE_BACKEND", "PERSISTENCE_PROFILE_REQUIRES_ADVISORY_POSTGRES", {}),
    (PROPOSALS, "PERSISTENCE_PROFILE_REQUIRES_ADVISORY_POSTGRES_DSN", {}),
    ("DPM_POLICY_PACK_CATALOG_BACKEND", "PERSISTENCE_PROFILE_REQUIRES_POLICY_PACK_POSTGRES", {}),
    (PACKS, "PERSISTENCE_PROFILE_REQUIRES_POLICY_PACK_POSTGRES_DSN", {}),
    (
        PACKS,
        "PERSISTENCE_PROFILE_REQUIRES_POLICY_PACK_POSTGRES_DSN",
        {"DPM_POLICY_PACKS_ENABLED": "false", "DPM_POLICY_PACK_ADMIN_APIS_ENABLED": "true"},
    ),
]
# An address nobody is at: a guard comes before anything is dialled.
NOWHERE = f"postgresql://lotus_app:{PASSWORD}@127.0.0.1:1/lotus"
OTHERWISE_FIT = {
    "APP_PERSISTENCE_PROFILE": "production",
    "DPM_SUPPORTABILITY_STORE_BACKEND": "POSTGRES",
    RUNS: NOWHERE,
    "PROPOSAL_STORE_BACKEND": "POSTGRES",
    PROPOSALS: NOWHERE,
    "DPM_POLICY_PACKS_ENABLED": "true",
    "DPM_POLICY_PACK_CATALOG_BACKEND": "POSTGRES",
    PACKS: NOWHERE,
}


def refused_as(done: subprocess.CompletedProcess[str], code: str, variable: str) -> None:
    assert done.returncode == 3
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith(f"{code}: {variable} must ")
    assert PASSWORD not in line


@pytest.mark.slow
@pytest.mark.parametrize(("variable", "code", "more"), GUARDS)
def test_each_guard_stops_a_server_with_one_line_before_it_listens(
    variable: str, code: str, more: Variables
) -> None:
    port = free_port()
    variables = {name: value for name, value in OTHERWISE_FIT.items() if name != variable} | more

    done = forked("serve", "--port", str(port), **variables)

    refused_as(done, code, variable)
    assert not is_listening(port)


@pytest.mark.slow
@pytest.mark.parametrize("process", ["worker", "purge"])
def test_whatever_else_writes_is_guarded_too(process: str) -> None:
    variables = {name: value for name, value in OTHERWISE_FIT.items() if name != PROPOSALS}

    done = command(process, DPM_ASYNC_EXECUTION_MODE="WORKER", **variables)

    refused_as(done, "PERSISTENCE_PROFILE_REQUIRES_ADVISORY_POSTGRES_DSN", PROPOSALS)


@pytest.mark.slow
def test_the_first_of_several_demands_is_the_one_that_is_told() -> None:
    done = command("serve", APP_PERSISTENCE_PROFILE="PRODUCTION", DPM_POLICY_PACKS_ENABLED="on")

    refused_as(done, "PERSISTENCE_PROFILE_REQUIRES_DPM_POSTGRES", "DPM_SUPPORTABILITY_STORE_BACKEND")


@pytest.mark.slow
def test_a_deployment_that_is_ready_is_found_ready_and_serves(
    fit: Variables, serve: Callable[..., Server], demo_body: bytes
) -> None:
    done = command("cutover-check", "--check-migrations", **fit)
    found = command("cutover-check", "--check-migrations", "--json", **fit)

    assert (done.returncode, done.stderr) == (0, "")
    [line] = done.stdout.splitlines()
    assert line.startswith("ready for cutover: ")
    document = json.loads(found.stdout)
    assert (found.returncode, document["ready"], document["profile"]) == (0, True, "PRODUCTION")
    looked_at = {one["namespace"] for one in document["checks"] if one["status"] == "passed"}
    assert looked_at == {"settings", "dpm", "proposals", "policy_packs", "dpm_retention"}
    assert {one["status"] for one in document["checks"]} == {"passed", "skipped"}
    assert PASSWORD not in found.stdout

    server = serve(fit | {"DPM_PURGE_INTERVAL_SECONDS": "1"})
    run = ask(server, "/rebalance/simulate", demo_body, "production-1")
    assert ask(server, f"/rebalance/runs/{run['rebalance_run_id']}")["result"] == run
    creation = {"created_by": "adviser_1", "simulate_request": json.loads(a_proposal_body(3, seed=1))}
    created = ask(server, "/rebalance/proposals", json.dumps(creation).encode(), "production-2")
    proposal_id = created["proposal"]["proposal_id"]
    assert ask(server, f"/rebalance/proposals/{proposal_id}")["proposal"]["current_state"] == "DRAFT"
    assert ask(server, "/rebalance/policies/effective")["enabled"] is True
    purged = command("purge", **fit)
    assert (purged.returncode, purged.stderr) == (0, "")
    assert purged.stdout.startswith("runs: removed ")


@pytest.mark.slow
def test_the_login_of_a_worker_is_ready_too(cluster: Postgres, ready: Callable[[], str]) -> None:
    assert checked(variables_of(cluster, ready(), "lotus_worker"), "--check-migrations")[0] == 0


def ask(server: Server, path: str, body: bytes | None = None, key: str = "") -> Any:
    headers = {"Content-Type": "application/json", "Idempotency-Key": key} if body is not None else {}
    request = urllib.request.Request(server.base + path, data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=SECONDS_MAX) as answer:
        return json.loads(answer.read())


SERVING = ("dpm", "proposals", "policy_packs")


@pytest.mark.slow
def test_an_environment_that_says_nothing_fails_by_its_settings_only() -> None:
    status, codes = checked({}, "--check-migrations")

    assert status == 1
    assert codes == ["CUTOVER_PROFILE_NOT_PRODUCTION", *dict.fromkeys(code for _, code, _ in GUARDS[:4])]


@pytest.mark.slow
def test_settings_that_cannot_be_read_are_told_by_name() -> None:
    variables = {"APP_PERSISTENCE_PROFILE": "PRODUCTION", RUNS: f"mysql://{PASSWORD}@db"}

    done = forked("cutover-check", "--json", **variables)

    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "ready": False,
        "profile": None,
        "checks": [
            {
                "code": "CUTOVER_SETTINGS_INVALID",
                "namespace": "settings",
                "status": "failed",
                "text": f"invalid settings: {RUNS}",
            }
        ],
    }


@pytest.mark.slow
def test_a_database_that_nobody_migrated_fails_for_each_that_it_serves(cluster: Postgres) -> None:
    name = f"empty_{next(NUMBER)}"
    create(cluster, name)
    with psycopg.connect(cluster.dsn(name), autocommit=True) as conn:
        for login in LOGINS:
            conn.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(sql.Identifier(login)))

    status, codes = checked(variables_of(cluster, name), "--check-migrations")

    assert status == 1
    assert codes.count("CUTOVER_SCHEMA_MIGRATIONS_TABLE_MISSING") == len(SERVING)
    assert {f"CUTOVER_ROLE_PRIVILEGES:{one}:ABSENT" for one in (*SERVING, "dpm_retention")} <= set(codes)


@pytest.mark.slow
def test_a_database_that_is_behind_or_was_tampered_with_is_told_by_version(
    cluster: Postgres, fit: Variables
) -> None:
    last = SHIPPED[-1]
    as_owner(cluster, fit, "UPDATE schema_checksums SET sha256 = 'x' WHERE migration_id LIKE '0003.%'")
    as_owner(cluster, fit, f"DELETE FROM _yoyo_migration WHERE migration_id = '{last.migration_id}'")
    as_owner(
        cluster,
        fit,
        "UPDATE _yoyo_migration SET migration_id = '9999.of_tomorrow' WHERE migration_id LIKE '0002.%'",
    )

    status, codes = checked(fit, "--check-migrations")

    assert status == 1
    assert codes == [
        code
        for name in SERVING
        for code in (
            f"CUTOVER_MIGRATION_MISSING:{name}:0002",
            f"CUTOVER_MIGRATION_CHECKSUM_MISMATCH:{name}:0003",
            f"CUTOVER_MIGRATION_UNKNOWN:{name}:9999.of_tomorrow",
        )
    ]
    assert checked(fit)[0] == 0, "nobody asked about migrations"


@pytest.mark.slow
@pytest.mark.parametrize(("login", "kind"), [("lotus_root", "SUPERUSER"), ("lotus_migrator", "OWNER")])
def test_a_login_that_nothing_is_refused_to_does_not_serve(
    cluster: Postgres, ready: Callable[[], str], login: str, kind: str
) -> None:
    variables = variables_of(cluster, ready(), login)

    assert checked(variables) == (1, [f"CUTOVER_ROLE_PRIVILEGES:{name}:{kind}" for name in SERVING])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        ("GRANT DELETE ON dpm_runs TO lotus_app", "EXCESS", "DELETE on dpm_runs"),
        ("GRANT UPDATE ON proposal_events TO lotus_app", "EXCESS", "UPDATE on proposal_events"),
        ("GRANT UPDATE (result) ON dpm_runs TO lotus_app", "EXCESS", "UPDATE (result) on dpm_runs"),
        (
            "GRANT UPDATE (portfolio_id) ON proposals TO PUBLIC",
            "EXCESS",
            "UPDATE (portfolio_id) on proposals",
        ),
        ("REVOKE INSERT ON dpm_runs FROM dpm_application", "MISSING", "INSERT on dpm_runs"),
        ("REVOKE SELECT ON proposals FROM dpm_application", "MISSING", "SELECT on proposals"),
        (
            "REVOKE UPDATE (state) ON proposals FROM dpm_application",
            "MISSING",
            "UPDATE (state) on proposals",
        ),
    ],
)
def test_a_login_that_may_do_more_or_less_than_it_must_is_told_what(
    cluster: Postgres, fit: Variables, change: str, kind: str, told: str
) -> None:
    as_owner(cluster, fit, change)

    done = forked("cutover-check", **fit)

    lines = [line for line in done.stdout.splitlines() if line.startswith("CUTOVER_ROLE_PRIVILEGES:dpm:")]
    assert done.returncode == 1
    [line] = lines
    assert line.startswith(f"CUTOVER_ROLE_PRIVILEGES:dpm:{kind}  ")
    assert line.endswith(f": {told}")


@pytest.mark.slow
def test_nobody_may_remove_where_the_address_of_retention_is_left_out(fit: Variables) -> None:
    del fit["DPM_RETENTION_POSTGRES_DSN"]

    status, codes = checked(fit)

    assert status == 1
    assert {"CUTOVER_ROLE_PRIVILEGES:dpm_retention:MISSING"} <= set(codes)
    assert all(code.startswith("CUTOVER_ROLE_PRIVILEGES:dpm_retention:") for code in codes)


@pytest.mark.slow
def test_clocks_that_are_not_less_apart_than_the_bound_fail(fit: Variables) -> None:
    assert checked(fit, "--skew-seconds-max", "0") == (1, [f"CUTOVER_CLOCK_SKEW:{name}" for name in SERVING])
    assert checked(fit, "--skew-seconds-max", "1")[0] == 0


@pytest.mark.slow
def test_everything_that_fails_is_told_at_once_and_in_order(
    cluster: Postgres, fit: Variables, ready: Callable[[], str]
) -> None:
    fit |= {"APP_PERSISTENCE_PROFILE": "LOCAL", "DPM_POLICY_PACK_CATALOG_BACKEND": "ENV_JSON"}
    fit[PROPOSALS] = address(cluster, "there_is_none", "lotus_app")
    fit["PROPOSAL_RETENTION_POSTGRES_DSN"] = NOWHERE
    fit[PACKS] = address(cluster, ready(), "lotus_root")
    as_owner(cluster, fit, "UPDATE schema_checksums SET sha256 = 'x' WHERE migration_id LIKE '0001.%'")

    status, codes = checked(fit, "--check-migrations")

    assert status == 1
    assert codes == [
        "CUTOVER_PROFILE_NOT_PRODUCTION",
        "PERSISTENCE_PROFILE_REQUIRES_POLICY_PACK_POSTGRES",
        "CUTOVER_MIGRATION_CHECKSUM_MISMATCH:dpm:0001",
        "CUTOVER_CONNECTION_FAILED:proposals",
        "CUTOVER_ROLE_PRIVILEGES:policy_packs:SUPERUSER",
        "CUTOVER_CONNECTION_FAILED:proposals_retention",
    ]
