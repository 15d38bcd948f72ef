"""The operations of the builds before there were leases, in every state."""

from __future__ import annotations

import pytest

from service.admin.migrations import migrate
from tests.integration.migrations.schema_reading import apply_first, ask
from tests.integration.migrations.test_seeded import AT, BLOB, DIGEST

BEFORE_LEASES, WITH_LEASES = 4, 8
COLUMNS = (
    "tenant_id, operation_id, operation_type, status, correlation_id, created_at, started_at, finished_at,"
    " error_code, error_message, request_sha256, request, result"
)
STARTED_AT, FINISHED_AT = AT.replace("30:00", "31:00"), AT.replace("30:00", "32:00")
# By state: when it was started and finished, its error and its result.
STATES = {
    "PENDING": "NULL, NULL, NULL, NULL, '{digest}', {blob}, NULL",
    "RUNNING": f"'{STARTED_AT}', NULL, NULL, NULL, '{{digest}}', {{blob}}, NULL",
    "SUCCEEDED": f"'{STARTED_AT}', '{FINISHED_AT}', NULL, NULL, '{{digest}}', {{blob}}, {{blob}}",
    "FAILED": f"'{STARTED_AT}', '{FINISHED_AT}', 'E', 'e', '{{digest}}', {{blob}}, NULL",
}
COUNTED = (
    "SELECT value, CAST(sum(n) AS integer) FROM ("
    "SELECT subject, value, total AS n FROM dpm_tallies UNION ALL "
    "SELECT subject, value, change FROM dpm_tally_changes) AS counts"
    " WHERE subject = 'OPERATION_STATUS' GROUP BY value HAVING sum(n) <> 0 ORDER BY value"
)
ALL = f"SELECT {COLUMNS} FROM dpm_operations ORDER BY operation_id"


@pytest.fixture
def seeded(begin, dialect):
    """A database of the last build before, with two operations of each state."""
    return begin("before_leases", lambda target: seed_before(target, dialect))


@pytest.fixture
def migrated(begin, dialect):
    """That database once this build has migrated it."""

    def bring(target):
        seed_before(target, dialect)
        migrate.apply(target)

    return begin("after_leases", bring)


def seed_before(target, dialect):
    apply_first(target, BEFORE_LEASES)
    for number in range(2):
        for status, rest in STATES.items():
            values = rest.format(digest=DIGEST, blob=BLOB[dialect])
            ask(
                target,
                f"INSERT INTO dpm_operations ({COLUMNS}) VALUES ('default', 'dop_{status}_{number}',"
                f" 'ANALYZE_SCENARIOS', '{status}', 'corr', '{AT}', {values})",
            )


def test_operations_are_kept_as_they_were_and_counted_as_before(seeded):
    before, counted = ask(seeded, ALL), ask(seeded, COUNTED)

    migrate.apply(seeded)

    assert ask(seeded, ALL) == before
    assert len(before) == 2 * len(STATES)
    assert ask(seeded, COUNTED) == counted == [(status, 2) for status in sorted(STATES)]


def test_what_was_running_is_held_by_nobody_and_nothing_else_is_held(migrated):
    assert ask(
        migrated, "SELECT operation_id FROM dpm_operations WHERE lease_until = started_at ORDER BY 1"
    ) == [
        ("dop_RUNNING_0",),
        ("dop_RUNNING_1",),
    ]
    held = "SELECT count(*) FROM dpm_operations WHERE lease_until IS NOT NULL"
    assert ask(migrated, held) == [(2,)]
    fresh = (
        "SELECT DISTINCT CAST(is_queued AS integer), attempt, fence, scenarios_total, scenarios_done"
        " FROM dpm_operations"
    )
    assert ask(migrated, fresh) == [(0, 0, 0, 0, 0)]


def test_operations_go_on_being_counted(migrated):
    ask(
        migrated,
        f"UPDATE dpm_operations SET status = 'RUNNING', started_at = '{AT}', lease_until = '{AT}',"
        " fence = fence + 1, attempt = attempt + 1 WHERE operation_id = 'dop_PENDING_0'",
    )
    ask(migrated, "DELETE FROM dpm_operations WHERE status = 'FAILED'")

    assert ask(migrated, COUNTED) == [("PENDING", 1), ("RUNNING", 3), ("SUCCEEDED", 2)]


def test_a_file_has_no_index_or_trigger_less_than_before(path):
    listed = "SELECT type, name, sql FROM sqlite_schema WHERE tbl_name = 'dpm_operations' AND type <> 'table'"
    apply_first(path, BEFORE_LEASES)
    before = set(ask(path, listed))

    # A later file counts and removes some of them only.
    apply_first(path, WITH_LEASES)

    assert len(before) == 7
    assert before <= set(ask(path, listed))
