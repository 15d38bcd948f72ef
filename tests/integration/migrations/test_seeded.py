"""The shipped files over data written by the builds before them."""

from __future__ import annotations

import pytest

from service.admin.migrations import migrate
from service.storage.schema import shipped_for
from tests.integration.migrations.schema_reading import apply_first, ask

AT = "2026-03-02T09:30:00.000001+00:00"
DIGEST = "sha256:" + "0" * 64
BLOB = {"sqlite": "X'7B7D'", "postgres": r"'\x7B7D'::bytea"}
# As the first build wrote them: each table with its columns and, for run number %(n)s, the values.
ROWS = {
    "dpm_run_requests": (
        "tenant_id, request_id, request_hash, created_at, body_sha256, body",
        f"'default', 'rq_%(n)s', 'hash', '{AT}', '{DIGEST}', %(blob)s",
    ),
    "dpm_runs": (
        "tenant_id, rebalance_run_id, request_id, correlation_id, idempotency_key, request_hash, "
        "portfolio_id, status, engine_version, scenario, created_at, result_sha256, result",
        "'default', 'rr_%(n)s', 'rq_%(n)s', 'corr', 'key_%(n)s', 'hash', 'pf', "
        f"'%(status)s', '1', NULL, '{AT}', '{DIGEST}', %(blob)s",
    ),
    "dpm_run_idempotency": (
        "tenant_id, family, idempotency_key, request_hash, rebalance_run_id, created_at",
        f"'default', 'DPM_SIMULATE', 'key_%(n)s', 'hash', 'rr_%(n)s', '{AT}'",
    ),
    "dpm_run_idempotency_history": (
        "tenant_id, family, idempotency_key, rebalance_run_id, correlation_id, request_hash, created_at",
        f"'default', 'DPM_SIMULATE', 'key_%(n)s', 'rr_%(n)s', 'corr', 'hash', '{AT}'",
    ),
    "dpm_lineage_edges": (
        "tenant_id, source_entity_id, edge_type, target_entity_id, created_at, metadata",
        f"'default', 'corr', 'CORRELATION_TO_RUN', 'rr_%(n)s', '{AT}', '{{}}'",
    ),
}
STATUSES = ("READY", "READY", "PENDING_REVIEW", "BLOCKED")


def seed(target, dialect):
    for number, status in enumerate(STATUSES):
        for table, (columns, values) in ROWS.items():
            spelled = values % {"n": number, "status": status, "blob": BLOB[dialect]}
            ask(target, f"INSERT INTO {table} ({columns}) VALUES ({spelled})")


def rows_of(target):
    return {
        table: ask(target, f"SELECT {columns} FROM {table} ORDER BY {columns}")
        for table, (columns, _) in ROWS.items()
    }


@pytest.fixture
def seeded(begin, dialect):
    """A database of the first build, with some runs."""

    def bring(target):
        apply_first(target, 1)
        seed(target, dialect)

    return begin("first_build", bring)


def test_every_later_file_keeps_what_was_there(seeded, dialect):
    before = rows_of(seeded)

    applied = migrate.apply(seeded)

    assert applied == [migration.migration_id for migration in shipped_for(dialect)[1:]]
    assert rows_of(seeded) == before
    assert all(len(rows) == len(STATUSES) for rows in before.values())
    assert migrate.check(seeded) == ()


def test_what_was_there_is_counted(seeded):
    migrate.apply(seeded)
    counted = (
        "SELECT subject, value, CAST(sum(n) AS integer) FROM ("
        "SELECT subject, value, total AS n FROM dpm_tallies UNION ALL "
        "SELECT subject, value, change FROM dpm_tally_changes) AS counts GROUP BY subject, value"
    )

    assert {(subject, value): n for subject, value, n in ask(seeded, counted)} == {
        ("RUN_STATUS", "READY"): 2,
        ("RUN_STATUS", "PENDING_REVIEW"): 1,
        ("RUN_STATUS", "BLOCKED"): 1,
        ("LINEAGE_EDGE_TYPE", "CORRELATION_TO_RUN"): 4,
    }
