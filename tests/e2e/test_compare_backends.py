"""The command that compares two backends: it finds nothing where nothing is, and what is planted."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import psycopg
import pytest
from click.testing import CliRunner

from scripts.harness.servers import ROOT
from service.admin.comparison.backends import place_of, prepare
from service.admin.comparison.report import Report
from service.admin.comparison.run import replay
from service.admin.comparison.sides import opened_sides
from service.admin.comparison.stored_state import compare_kept, compare_look_ups, compare_rows
from service.admin.comparison.workload import Generated
from service.cli.commands import main
from service.settings import process
from tests.e2e.preloaded import preloaded
from tests.waiting import HANG_SECONDS

REQUESTS = 60
# Quietly alters what it is given to keep.
LYING = """
CREATE FUNCTION lie() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.actor_id := 'somebody-else';
    RETURN NEW;
END
$$;
CREATE TRIGGER lies BEFORE INSERT ON dpm_workflow_decisions FOR EACH ROW EXECUTE FUNCTION lie();
"""


def compare(*arguments, **variables):
    """Forked; one that is started by itself is in `test_recorded_requests_are_asked_again`."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("DPM_")} | variables
    return preloaded().run(["-m", "service", "compare-backends", *map(str, arguments)], env)


@pytest.mark.slow
@pytest.mark.parametrize("artifacts", ["DERIVED", "PERSISTED"])
def test_sqlite_and_postgres_do_not_differ(tmp_path, postgres_database, artifacts):
    places = ("--left", f"sqlite:{tmp_path}/left.db", "--right", postgres_database)

    done = compare(*places, "--generate", REQUESTS, "--json", DPM_ARTIFACT_STORE_MODE=artifacts)

    told = json.loads(done.stdout)
    assert (done.returncode, told["differences"], told["first_differences"]) == (0, 0, []), done
    assert told["equal"] and told["compared"]["request"] == REQUESTS
    assert {"200", "202", "404", "409", "422"} <= told["statuses"].keys()
    for table in (
        "dpm_runs",
        "dpm_operations",
        "dpm_workflow_decisions",
        "proposals",
        "proposal_simulations",
    ):
        assert told["rows"][table]["left"] == told["rows"][table]["right"] > 0, table
    assert (told["rows"]["dpm_run_artifacts"]["left"] > 0) == (artifacts == "PERSISTED")


@pytest.mark.slow
def test_memory_and_sqlite_do_not_differ(tmp_path):
    places = ("--left", "memory:", "--right", f"sqlite:{tmp_path}/right.db")

    done = compare(*places, "--generate", REQUESTS, "--seed", 7)

    assert done.returncode == 0, done
    assert done.stdout.endswith(": 0 differences\n")
    assert f"\n{REQUESTS} requests, " in done.stdout


@pytest.mark.slow
def test_a_database_that_alters_what_it_keeps_is_found_out(tmp_path, postgres_database):
    with psycopg.connect(postgres_database) as conn:
        conn.execute(LYING)
    places = ("--left", f"sqlite:{tmp_path}/left.db", "--right", postgres_database)

    done = compare(*places, "--generate", REQUESTS, "--show", 1000, "--json")

    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert not told["equal"] and told["differences"] == len(told["first_differences"])
    kinds = {one["place"].partition(" ")[0] for one in told["first_differences"]}
    assert kinds == {"request", "look-up", "kept", "row"}
    rows = [one for one in told["first_differences"] if one["place"].startswith("row ")]
    assert {one["right"] for one in rows} == {"somebody-else"}
    assert all("dpm_workflow_decisions" in one["place"] and "actor_id" in one["place"] for one in rows)


async def test_a_row_that_was_altered_afterwards_is_named_with_its_column(tmp_path):
    places = [place_of(f"sqlite:{tmp_path}/{name}.db") for name in ("left", "right")]
    for place in places:
        prepare(place)
    report = Report(100)
    async with opened_sides(*places, process.read()) as sides:
        await replay(sides, Generated(40, 3), report)
        assert not report.differences
        with closing(sqlite3.connect(tmp_path / "right.db")) as conn, conn:
            conn.execute("DROP TRIGGER dpm_runs_not_updated")
            (run_id,) = conn.execute("SELECT min(rebalance_run_id) FROM dpm_runs").fetchone()
            conn.execute(
                "UPDATE dpm_runs SET portfolio_id = 'pf_other' WHERE rebalance_run_id = ?", (run_id,)
            )

        compare_rows(sides, report)
        assert [(one.place, one.right) for one in report.first] == [
            (f"row dpm_runs (default, {run_id}): portfolio_id", "pf_other")
        ]
        await compare_kept(sides, report)
        assert f"kept run {run_id}: portfolio_id" in [one.place for one in report.first]
        await compare_look_ups(sides, report)
        assert any(f"GET /rebalance/runs/{run_id}: body $.portfolio_id" in one.place for one in report.first)


async def test_a_row_that_is_gone_from_one_side_is_named(tmp_path):
    places = [place_of(f"sqlite:{tmp_path}/{name}.db") for name in ("left", "right")]
    for place in places:
        prepare(place)
    report = Report(100)
    async with opened_sides(*places, process.read()) as sides:
        await replay(sides, Generated(20, 3), report)
        with closing(sqlite3.connect(tmp_path / "right.db")) as conn, conn:
            conn.execute("DROP TRIGGER dpm_lineage_edges_not_deleted")
            gone = conn.execute("SELECT count(*) FROM dpm_lineage_edges").fetchone()
            conn.execute("DELETE FROM dpm_lineage_edges")
        compare_rows(sides, report)

    assert report.differences == gone[0] > 0
    assert {one.right for one in report.first} == {"(nothing)"}
    assert all(one.place.endswith("is on one side only") for one in report.first)


async def test_an_application_that_answers_otherwise_is_found_out(tmp_path, monkeypatch):
    """Sides are told apart by the stores below them alone; here it is the application that differs."""
    report = Report(100)
    async with opened_sides(place_of("memory:"), place_of("memory:"), process.read()) as sides:
        honest = type(sides.right).ask

        async def lying(self, asked):
            answer = await honest(self, asked)
            if self.name == "right" and asked.path.endswith("/summary"):
                body = answer.body.replace(b'"run_count":', b'"run_count":1')
                return type(answer)(answer.status, answer.headers, body)
            return answer

        monkeypatch.setattr(type(sides.right), "ask", lying)
        await replay(sides, Generated(30, 2), report)
        await compare_look_ups(sides, report)

    assert report.differences
    assert all("/supportability/summary: body $.run_count" in one.place for one in report.first)


def test_a_place_that_holds_something_is_refused_and_left_as_it_is(tmp_path):
    place = f"sqlite:{tmp_path}/used.db"
    assert compare("--left", "memory:", "--right", place, "--generate", 5).returncode == 0
    before = rows_in(tmp_path / "used.db")

    done = refused("--left", "memory:", "--right", place, "--generate", "5")

    assert done.exit_code == 2
    assert "is not empty" in done.stderr and "dpm_" in done.stderr
    assert rows_in(tmp_path / "used.db") == before


def refused(*arguments):
    """In this process: what is refused has not begun."""
    return CliRunner().invoke(main, ["compare-backends", *arguments])


def rows_in(path):
    with closing(sqlite3.connect(path)) as conn:
        return conn.execute("SELECT count(*) FROM dpm_run_requests, dpm_runs").fetchall()


def test_a_place_that_cannot_be_used_is_told_in_a_line(tmp_path, empty_postgres_database):
    (tmp_path / "empty.db").touch()
    for place, told in (
        (empty_postgres_database, "lacks 0001.dpm_runs"),
        (f"sqlite:{tmp_path}/empty.db", "lacks 0001.dpm_runs"),
        ("somewhere", "a place is memory:, sqlite:PATH or postgresql://"),
        ("sqlite:", "a place is memory:, sqlite:PATH or postgresql://"),
        (f"postgresql://nobody@/nowhere?host={tmp_path}", "cannot be used"),
    ):
        done = refused("--left", "memory:", "--right", place)
        assert done.exit_code == 2, place
        assert told in done.stderr and "Traceback" not in done.stderr


def test_recorded_requests_are_asked_again(tmp_path):
    body = json.loads((ROOT / "scripts" / "demo" / "multi_currency.json").read_bytes())
    lines = (
        {"method": "POST", "path": "/rebalance/simulate", "headers": {"Idempotency-Key": "k"}, "body": body}
        | {"answer": {"rebalance_run_id": "rr_of_then"}},
        {"method": "GET", "path": "/rebalance/runs/rr_of_then/artifact"},
        {"method": "GET", "path": "/rebalance/runs/rr_of_nobody"},
    )
    (tmp_path / "requests.jsonl").write_text("\n".join(map(json.dumps, lines)))

    done = subprocess.run(
        [
            *(sys.executable, "-m", "service", "compare-backends", "--json"),
            *("--left", "memory:", "--right", f"sqlite:{tmp_path}/right.db"),
            *("--requests", str(tmp_path / "requests.jsonl")),
        ],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("DPM_")},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )

    assert done.returncode == 0, done
    assert json.loads(done.stdout)["statuses"] == {"200": 2, "404": 1}
