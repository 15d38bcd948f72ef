"""Naming the databases of a migration by what they are for (HTTP contract 7.8)."""

from __future__ import annotations

import os
from itertools import count

import psycopg
import pytest
from click.testing import CliRunner

from scripts.harness import postgres
from service.cli.migrate import migrate as command
from service.storage.schema import shipped_for
from tests.conftest import OURS

RUNS, PROPOSALS, PACKS = (
    "DPM_SUPPORTABILITY_POSTGRES_DSN",
    "PROPOSAL_POSTGRES_DSN",
    "DPM_POLICY_PACK_POSTGRES_DSN",
)
EMPTY = count(1)
SHIPPED = [migration.migration_id for migration in shipped_for("postgres")]


@pytest.fixture
def new_dsn(postgres_server):
    """Makes empty databases."""
    made = []

    def make():
        made.append(f"{OURS}_target_{next(EMPTY)}")
        return postgres.create_database(postgres_server, made[-1])

    yield make
    for name in made:
        postgres.drop_database(postgres_server, name)


def run(*arguments, **variables):
    cleared = {name: None for name in os.environ if name.startswith(("DPM_", "PROPOSAL_"))}
    return CliRunner(env=cleared | variables).invoke(command, [str(argument) for argument in arguments])


def named(dsn):
    with psycopg.connect(dsn) as conn:
        return f"database {conn.info.dbname} on {conn.info.host}:{conn.info.port}"


def run_as_owner(dsn, statement):
    with psycopg.connect(dsn) as conn:
        conn.execute(statement)


def test_all_brings_each_database_up_to_date_from_the_variables(new_dsn):
    places = {RUNS: new_dsn(), PROPOSALS: new_dsn(), PACKS: new_dsn()}

    applied = run("apply", "--target", "all", **places)
    checked = run("check", "--target", "all", **places)

    assert applied.exit_code == 0
    assert applied.stdout.splitlines() == [
        f"{named(dsn)}: applied {one}" for dsn in places.values() for one in SHIPPED
    ]
    assert (checked.exit_code, checked.stderr) == (0, "")
    assert checked.stdout.splitlines() == [f"{named(dsn)}: up to date" for dsn in places.values()]


def test_one_database_for_everything_is_looked_at_once(new_dsn):
    dsn = new_dsn()

    checked = run("check", "--dpm-dsn", dsn, "--proposals-dsn", dsn)

    assert checked.exit_code == 3
    assert checked.stderr == f"{named(dsn)}: to be applied: {', '.join(SHIPPED)}\n"


@pytest.mark.parametrize(
    ("target", "option"),
    [("dpm", "--dpm-dsn"), ("proposals", "--proposals-dsn"), ("policy-packs", "--policy-packs-dsn")],
)
def test_a_target_is_its_own_database_and_no_other(new_dsn, target, option):
    wanted, other = new_dsn(), new_dsn()

    checked = run(
        "check", "--target", target, option, wanted, **dict.fromkeys((RUNS, PROPOSALS, PACKS), other)
    )

    assert checked.stderr == f"{named(wanted)}: to be applied: {', '.join(SHIPPED)}\n"


def test_one_database_that_is_behind_is_enough_for_the_exit_code(postgres_database, new_dsn):
    behind = new_dsn()

    checked = run("check", "--target", "all", **{RUNS: behind, PROPOSALS: postgres_database})

    assert checked.exit_code == 3
    assert checked.stdout == f"{named(postgres_database)}: up to date\n"
    assert checked.stderr == f"{named(behind)}: to be applied: {', '.join(SHIPPED)}\n"


@pytest.mark.parametrize(
    ("target", "namespace", "variable"),
    [("dpm", "dpm", RUNS), ("proposals", "proposals", PROPOSALS), ("policy-packs", "policy_packs", PACKS)],
)
def test_a_target_without_an_address_is_refused_by_its_code(target, namespace, variable):
    refused = run("apply", "--target", target, **{variable: "  "})

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"Error: POSTGRES_MIGRATION_DSN_REQUIRED:{namespace}: give --{target}-dsn or set {variable}\n"
    )


def test_a_file_that_was_edited_is_refused_by_the_code_of_its_target(postgres_database):
    run_as_owner(
        postgres_database, "UPDATE schema_checksums SET sha256 = 'x' WHERE migration_id LIKE '0002.%'"
    )

    refused = run("apply", "--target", "proposals", "--proposals-dsn", postgres_database)

    assert refused.exit_code == 1
    assert refused.stderr.startswith("Error: POSTGRES_MIGRATION_CHECKSUM_MISMATCH:proposals:0002: 0002.")
    assert refused.stderr.endswith(" was edited after it was applied\n")


@pytest.mark.parametrize("place", ["--sqlite-path", "--postgres-dsn"])
def test_a_target_beside_one_named_database_is_a_wrong_command_line(tmp_path, place):
    refused = run("check", place, tmp_path / "store.db", "--target", "all")

    assert refused.exit_code == 2
    assert "give no --target with them" in refused.stderr
