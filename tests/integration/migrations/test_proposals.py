"""The edges and operations of the builds before there were proposals."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import psycopg
import pytest

from service.admin.migrations import migrate
from tests.integration.migrations.schema_reading import apply_first, ask, tables_in
from tests.integration.migrations.test_operations import FINISHED_AT, STARTED_AT
from tests.integration.migrations.test_seeded import AT, BLOB, DIGEST

BEFORE_PROPOSALS = 8
REFUSED = (sqlite3.IntegrityError, psycopg.IntegrityError)
TABLES = {
    "dpm_lineage_edges": (
        "tenant_id, source_entity_id, edge_type, target_entity_id, created_at, metadata, lives_with"
    ),
    "dpm_operations": (
        "tenant_id, operation_id, operation_type, status, correlation_id, created_at, started_at,"
        " finished_at, error_code, error_message, is_queued, attempt, fence, lease_until, scenarios_total,"
        " scenarios_done, request_sha256, request, result"
    ),
    "dpm_operation_scenarios": "tenant_id, operation_id, scenario, status, failure, metric, result",
}
# By state: when it was started and finished, its error, whether it is queued, attempts, fence, lease, counts.
STATES = {
    "PENDING": "NULL, NULL, NULL, NULL, {no}, 1, 2, NULL, 3, 1, '{digest}', {blob}, NULL",
    "RUNNING": (
        f"'{STARTED_AT}', NULL, NULL, NULL, {{no}}, 1, 1, '{FINISHED_AT}', 3, 1, '{{digest}}', {{blob}}, NULL"
    ),
    "SUCCEEDED": (
        f"'{STARTED_AT}', '{FINISHED_AT}', NULL, NULL, {{no}}, 2, 2, NULL, 3, 3,"
        " '{digest}', {blob}, {blob}"
    ),
    "FAILED": (
        f"'{STARTED_AT}', '{FINISHED_AT}', 'E', 'e', {{no}}, 3, 4, NULL, 3, 2, '{{digest}}', {{blob}}, NULL"
    ),
}
EDGES = [
    ("corr", "CORRELATION_TO_RUN", "rr_1", "RUN"),
    ("rr_1", "CAUSED_BY", "dop_RUNNING", "RUN"),
    ("pa_1", "DERIVED_FROM", "rr_1", "RUN"),
    ("dop_RUNNING", "OPERATION_TO_CORRELATION", "corr", "OPERATION"),
]
COUNTED = (
    "SELECT subject, value, CAST(sum(n) AS integer) FROM ("
    "SELECT subject, value, total AS n FROM dpm_tallies UNION ALL "
    "SELECT subject, value, change FROM dpm_tally_changes) AS counts"
    " GROUP BY subject, value HAVING sum(n) <> 0 ORDER BY subject, value"
)
# What counts and removes operations is about analyses only, and one of them has another name since.
NARROWED = {
    "dpm_operations_tally_inserted": "dpm_operations_tally_inserted",
    "dpm_operations_tally_deleted": "dpm_operations_tally_deleted",
    "dpm_operations_tally_moved": "dpm_operations_tally_moved",
    "dpm_operations_by_end": "dpm_operations_expiring",
}
NO = {"sqlite": "0", "postgres": "false"}


@pytest.fixture
def seeded(begin, dialect):
    """A database of the last build before: an operation of each state, two of them half done, and edges."""
    return begin("before_proposals", lambda target: seed_before(target, dialect))


@pytest.fixture
def migrated(begin, dialect):
    """That database once this build has migrated it."""

    def bring(target):
        seed_before(target, dialect)
        migrate.apply(target)

    return begin("after_proposals", bring)


def seed_before(target, dialect):
    apply_first(target, BEFORE_PROPOSALS)
    for status, rest in STATES.items():
        values = rest.format(digest=DIGEST, blob=BLOB[dialect], no=NO[dialect])
        insert(
            target,
            "dpm_operations",
            f"'default', 'dop_{status}', 'ANALYZE_SCENARIOS', '{status}', 'corr', '{AT}', {values}",
        )
    for status in ("PENDING", "RUNNING"):
        insert(target, "dpm_operation_scenarios", f"'default', 'dop_{status}', 'a', NULL, 'why', NULL, NULL")
    for source, kind, end, lives_with in EDGES:
        insert(target, "dpm_lineage_edges", edge_of(source, kind, end, lives_with))


def edge_of(source, kind, end, lives_with):
    return f"'default', '{source}', '{kind}', '{end}', '{AT}', '{{}}', '{lives_with}'"


def insert(target, table, values):
    ask(target, f"INSERT INTO {table} ({TABLES[table]}) VALUES ({values})")


def rows_of(target):
    return {
        table: sorted(ask(target, f"SELECT {columns} FROM {table}"), key=repr)
        for table, columns in TABLES.items()
    }


def test_edges_operations_and_what_was_staged_are_kept_as_they_were_and_counted_as_before(seeded):
    before, counted = rows_of(seeded), ask(seeded, COUNTED)

    migrate.apply(seeded)

    assert rows_of(seeded) == before
    assert [len(rows) for rows in before.values()] == [4, 4, 2]
    assert ask(seeded, COUNTED) == counted
    assert sum(count for *_, count in counted) == 8


def test_operations_and_edges_go_on_being_counted(migrated):
    ask(
        migrated,
        f"UPDATE dpm_operations SET status = 'RUNNING', started_at = '{AT}', lease_until = '{AT}',"
        " fence = fence + 1, attempt = attempt + 1 WHERE operation_id = 'dop_PENDING'",
    )
    ask(migrated, "DELETE FROM dpm_operations WHERE status = 'FAILED'")
    insert(migrated, "dpm_lineage_edges", edge_of("ppv_1", "DERIVED_FROM", "ppv_0", "PROPOSAL"))

    assert ask(migrated, COUNTED) == [
        ("LINEAGE_EDGE_TYPE", "CAUSED_BY", 1),
        ("LINEAGE_EDGE_TYPE", "CORRELATION_TO_RUN", 1),
        ("LINEAGE_EDGE_TYPE", "DERIVED_FROM", 2),
        ("LINEAGE_EDGE_TYPE", "OPERATION_TO_CORRELATION", 1),
        ("OPERATION_STATUS", "RUNNING", 2),
        ("OPERATION_STATUS", "SUCCEEDED", 1),
    ]


@pytest.mark.parametrize("operation_type", ["CREATE_PROPOSAL", "CREATE_PROPOSAL_VERSION"])
def test_operations_come_to_know_proposals_and_nothing_else(seeded, migrated, dialect, operation_type):
    rest = STATES["PENDING"].format(digest=DIGEST, blob=BLOB[dialect], no=NO[dialect])
    values = f"'default', 'dop_new', '{{}}', 'PENDING', 'corr', '{AT}', {rest}"
    with pytest.raises(REFUSED):
        insert(seeded, "dpm_operations", values.format(operation_type))

    with pytest.raises(REFUSED):
        insert(migrated, "dpm_operations", values.format("UNHEARD_OF"))
    insert(migrated, "dpm_operations", values.format(operation_type))


def test_edges_come_to_know_proposals_and_nothing_else(seeded, migrated):
    with pytest.raises(REFUSED):
        insert(seeded, "dpm_lineage_edges", edge_of("a", "CAUSED_BY", "b", "PROPOSAL"))

    with pytest.raises(REFUSED):
        insert(migrated, "dpm_lineage_edges", edge_of("a", "CAUSED_BY", "b", "UNHEARD_OF"))
    with pytest.raises(REFUSED):
        insert(migrated, "dpm_lineage_edges", edge_of("a", "UNHEARD_OF", "b", "PROPOSAL"))
    insert(migrated, "dpm_lineage_edges", edge_of("a", "CAUSED_BY", "b", "PROPOSAL"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE dpm_lineage_edges SET metadata = metadata",
        "DELETE FROM dpm_lineage_edges",
        "UPDATE dpm_operations SET correlation_id = 'other' WHERE status = 'PENDING'",
        "UPDATE dpm_operations SET attempt = attempt WHERE status = 'SUCCEEDED'",
        "UPDATE dpm_operation_scenarios SET failure = 'other'",
    ],
)
def test_what_was_refused_before_is_refused_still(migrated, statement):
    before = rows_of(migrated)

    with pytest.raises(REFUSED):
        ask(migrated, statement)

    assert rows_of(migrated) == before


def test_there_are_no_proposals_yet(migrated):
    tables = {table for table in tables_in(migrated) if table.startswith("proposal")}
    assert tables == {
        "proposals",
        "proposal_versions",
        "proposal_events",
        "proposal_approvals",
        "proposal_keys",
        "proposal_simulations",
    }
    assert all(ask(migrated, f"SELECT count(*) FROM {table}") == [(0,)] for table in tables)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize("table", ["dpm_lineage_edges", "dpm_operations"])
def test_a_file_has_the_same_indexes_and_triggers_as_before(target, table):
    listed = f"SELECT name, sql FROM sqlite_schema WHERE tbl_name = '{table}' AND type <> 'table'"
    apply_first(target, BEFORE_PROPOSALS)
    before = dict(ask(target, listed))

    migrate.apply(target)

    now = dict(ask(target, listed))
    assert len(before) >= 7
    for name, later in NARROWED.items():
        if before.pop(name, None) is not None:
            assert "operation_type = 'ANALYZE_SCENARIOS'" in now.pop(later)
    # That of the deadlines came later.
    now.pop("dpm_operations_by_first_start", None)
    assert now == before


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_what_was_staged_in_a_file_still_belongs_to_its_operation(migrated):
    assert ask(migrated, "PRAGMA foreign_key_check") == []
    assert ask(migrated, "PRAGMA integrity_check") == [("ok",)]
    with closing(sqlite3.connect(migrated, isolation_level=None)) as conn:
        conn.execute("PRAGMA foreign_keys=ON")
        for statement in (
            "DELETE FROM dpm_operations WHERE operation_id = 'dop_RUNNING'",
            f"INSERT INTO dpm_operation_scenarios ({TABLES['dpm_operation_scenarios']})"
            " VALUES ('default', 'nowhere', 'a', NULL, 'why', NULL, NULL)",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
                conn.execute(statement)
