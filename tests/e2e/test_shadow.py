"""A real server with a shadow whose database is stopped and started again: its callers notice nothing."""

from __future__ import annotations

import json
import time

import pytest

from tests.e2e.clients import CALLERS, Load, get
from tests.e2e.databases import SqliteFile, away
from tests.e2e.submissions import a_batch, submit
from tests.waiting import wait_for

PARITY = "/rebalance/supportability/parity"
RUNS = "SELECT rebalance_run_id, request_hash, result FROM dpm_runs ORDER BY rebalance_run_id"
# So many of a load suffice to see what becomes of it.
ANSWERS = 50
# Few leave less to be brought to the shadow, and compared.
CALLERS_IN_SMALL = 4
NOTHING_ELSE = {"OUTCOME": 0, "FAILED": 0, "CONSEQUENCE": 0}


def callers_of(in_full):
    return CALLERS if in_full else CALLERS_IN_SMALL


def shadow_of(database, **more):
    return {
        "DPM_SUPPORTABILITY_SHADOW_BACKEND": "POSTGRES",
        "DPM_SUPPORTABILITY_SHADOW_POSTGRES_DSN": database.dsn,
        # Purges are acts too; so what is missed is runs alone.
        "DPM_PURGE_INTERVAL_SECONDS": "3600",
        **more,
    }


def parity_of(server, query=""):
    answer = get(f"{server.base}{PARITY}{query}")
    assert answer.status == 200, answer
    return json.loads(answer.body)


def settled(server):
    """What is known of the shadow once nothing waits for it, and what was noted is kept."""

    def report_of_all():
        report = parity_of(server)
        counts = report["since_start"]
        noted = counts["differed"] + counts["missed"] - counts["unrecorded"]
        return not counts["waiting"] and sum(report["difference_counts"].values()) == noted and report

    return wait_for(report_of_all, "the shadow to settle")


def rows_of(database):
    with database.snapshot() as ask:
        return [tuple(map(as_bytes, row)) for row in ask(RUNS)]


def as_bytes(value):
    return bytes(value) if isinstance(value, memoryview) else value


@pytest.mark.faults
def test_callers_notice_nothing_when_the_shadows_database_goes_and_comes_back(
    durable_postgres, durable_database, serve, demo_body, tmp_path, chance, faults_in_full
):
    primary = SqliteFile(tmp_path / "primary.db")
    server = serve(primary.variables | shadow_of(durable_database))
    # Whoever meets anything but 200 ends the load, and is raised.
    load = Load(server.base, demo_body, "shadow", callers=callers_of(faults_in_full))

    for _ in range(20 if faults_in_full else 1):
        time.sleep(chance.uniform(0.2, 0.8))
        with away(durable_postgres):
            time.sleep(chance.uniform(0.2, 1.0))
        load.require_going()
    load.wait_for_answers(ANSWERS)
    answered = load.stop()
    report = settled(server)

    assert report["shadow_backend"] == "POSTGRES"
    assert report["difference_counts"] | NOTHING_ELSE == report["difference_counts"], report
    assert report["since_start"]["applied"] > 0
    left_out = set(rows_of(primary)) - set(rows_of(durable_database))
    assert len(rows_of(primary)) == len(answered)
    assert len(left_out) == report["since_start"]["missed"]
    assert set(rows_of(durable_database)) <= set(rows_of(primary))
    print(f"{len(answered)} runs, {len(left_out)} of them missed; {report['since_start']}")


@pytest.mark.faults
def test_what_was_missed_is_listed_and_the_shadow_goes_on_by_itself(
    durable_postgres, durable_database, serve, demo_body, tmp_path, faults_in_full
):
    primary = SqliteFile(tmp_path / "primary.db")
    room = {"DPM_SUPPORTABILITY_SHADOW_BACKLOG_MAX": "5"}
    with away(durable_postgres):
        server = serve(primary.variables | shadow_of(durable_database, **room))
        load = Load(server.base, demo_body, "missed", callers=callers_of(faults_in_full))
        while parity_of(server)["since_start"]["missed"] < 10:
            load.wait_for_answers(1)
        load.stop()
    missed = settled(server)["since_start"]["missed"]
    listed = parity_of(server, "?kind=MISSED&limit=200")
    kept = {run_id for run_id, _, _ in rows_of(durable_database)}

    assert {item["kind"] for item in listed["items"]} == {"MISSED"}
    # So many are kept each minute, and the next may have begun.
    assert min(missed, 60) <= len(listed["items"]) <= missed
    assert kept.isdisjoint(item["entity_id"] for item in listed["items"])
    assert {item["entity_id"] for item in listed["items"]} <= {run_id for run_id, _, _ in rows_of(primary)}
    assert len(kept) == len(rows_of(primary)) - missed
    again = Load(server.base, demo_body, "again", callers=callers_of(faults_in_full))
    again.wait_for_answers(ANSWERS)
    later = again.stop()
    report = settled(server)
    assert report["difference_counts"] | NOTHING_ELSE == report["difference_counts"], report
    new = {json.loads(answer.body)["rebalance_run_id"] for answer in later.values()}
    found = {run_id for run_id, _, _ in rows_of(durable_database)}
    assert len(new - found) == report["since_start"]["missed"] - missed


def test_a_server_stops_in_good_time_while_its_shadow_is_away(serve, demo_body, tmp_path):
    primary = SqliteFile(tmp_path / "primary.db")
    nowhere = {
        "DPM_SUPPORTABILITY_SHADOW_BACKEND": "POSTGRES",
        "DPM_SUPPORTABILITY_SHADOW_POSTGRES_DSN": "postgresql://nobody@127.0.0.1:9/none",
    }
    server = serve(primary.variables | nowhere)
    load = Load(server.base, demo_body, "away")
    load.wait_for_answers(ANSWERS)
    answered = load.stop()

    assert server.stop() == 0
    assert len(rows_of(primary)) == len(answered)
    with primary.snapshot() as ask:
        kinds = ask("SELECT kind, count(*) FROM dpm_parity_differences GROUP BY kind")
    ((kind, count),) = kinds
    assert kind == "MISSED"
    assert min(len(answered), 60) <= count <= len(answered)


def test_an_embedded_shadow_is_made_and_kept_beside_the_primary(serve, demo_body, tmp_path):
    primary, shadow = SqliteFile(tmp_path / "primary.db"), SqliteFile(tmp_path / "shadow.db")
    beside = {
        "DPM_SUPPORTABILITY_SHADOW_BACKEND": "SQL",
        "DPM_SUPPORTABILITY_SHADOW_SQL_PATH": str(shadow.path),
    }
    server = serve(primary.variables | beside)
    load = Load(server.base, demo_body, "embedded")
    load.wait_for_answers(ANSWERS)
    answered = load.stop()
    report = settled(server)

    assert report["since_start"] == {
        "applied": report["since_start"]["applied"],
        "differed": 0,
        "missed": 0,
        "waiting": 0,
        "unrecorded": 0,
    }
    assert report["since_start"]["applied"] >= len(answered)
    assert rows_of(shadow) == rows_of(primary)


@pytest.mark.faults
def test_what_a_server_accepts_and_a_worker_does_comes_together_in_one_shadow(
    durable_database, serve, hire, tmp_path, faults_in_full
):
    shadow = SqliteFile(tmp_path / "shadow.db")
    variables = (
        durable_database.variables
        | {
            "DPM_ASYNC_EXECUTION_MODE": "WORKER",
            "DPM_SUPPORTABILITY_POSTGRES_DIRECT_DSN": durable_database.dsn,
        }
        | {"DPM_SUPPORTABILITY_SHADOW_BACKEND": "SQL"}
        | {"DPM_SUPPORTABILITY_SHADOW_SQL_PATH": str(shadow.path)}
    )
    server, body = serve(variables), a_batch(scenarios=3, positions=5, seed=7)
    for _ in range(2):
        hire(variables)
    accepted = [submit(server.base, body) for _ in range(20 if faults_in_full else 8)]

    states = dict.fromkeys(accepted, "SUCCEEDED")
    wait_for(lambda: states_of(shadow) == states, "the shadow to come to the end of every operation")

    assert states_of(durable_database) == states
    assert rows_of(shadow) == rows_of(durable_database)
    assert parity_of(server)["difference_counts"] == NOTHING_ELSE | {"MISSED": 0}


def states_of(database):
    with database.snapshot() as ask:
        rows = ask("SELECT operation_id, status FROM dpm_operations")
    return {as_text(operation_id): as_text(status) for operation_id, status in rows}


def as_text(value):
    return value.decode() if isinstance(value, bytes) else value
