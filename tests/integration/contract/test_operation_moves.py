"""What the schema itself refuses of operations, whoever writes; for the backends that have one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from service.domains.operations import MOVES, OperationStatus
from service.storage.sqlite.store import SqliteStore
from tests.integration.contract.builders import (
    a_lease,
    a_staged,
    a_staged_failure,
    an_operation,
    claimed,
    failed,
    started,
    submit_and_move,
    succeeded,
)
from tests.integration.contract.raw_databases import REFUSED, Beside, SqliteFile, opened_beside

PENDING = an_operation(operation_id="dop_1")
STATES = {
    OperationStatus.PENDING: PENDING,
    OperationStatus.RUNNING: started(PENDING),
    OperationStatus.SUCCEEDED: succeeded(started(PENDING)),
    OperationStatus.FAILED: failed(started(PENDING)),
}
# Each makes a row that by itself is one of that state.
CLAIMED = (
    "status = 'RUNNING', started_at = created_at, lease_until = created_at, finished_at = NULL,"
    " result = NULL, error_code = NULL, error_message = NULL"
)
CHANGES = {
    OperationStatus.PENDING: (
        "status = 'PENDING', started_at = NULL, lease_until = NULL, finished_at = NULL, result = NULL,"
        " error_code = NULL, error_message = NULL"
    ),
    OperationStatus.RUNNING: f"{CLAIMED}, fence = fence + 1, attempt = attempt + 1",
    OperationStatus.SUCCEEDED: (
        "status = 'SUCCEEDED', started_at = created_at, lease_until = NULL, finished_at = created_at,"
        " result = request, scenarios_done = scenarios_total, error_code = NULL,"
        " error_message = NULL"
    ),
    OperationStatus.FAILED: (
        "status = 'FAILED', lease_until = NULL, finished_at = created_at, result = NULL,"
        " error_code = 'E', error_message = 'e'"
    ),
}
LATER = "'2026-03-02T11:00:00.000000+00:00'"
# What no row may become, by the state it is in; each but for one part would be a move or no change at all.
NEVER = {
    OperationStatus.PENDING: [
        f"{CLAIMED}, attempt = attempt + 1",
        f"{CLAIMED}, fence = fence + 2, attempt = attempt + 1",
        f"{CLAIMED}, fence = fence + 1",
        f"{CLAIMED}, fence = fence + 1, attempt = attempt + 2",
        CHANGES[OperationStatus.RUNNING].replace("lease_until = created_at", "lease_until = NULL"),
        CHANGES[OperationStatus.RUNNING].replace("started_at = created_at", "started_at = NULL"),
        f"{CHANGES[OperationStatus.FAILED]}, fence = fence + 1",
        f"{CHANGES[OperationStatus.FAILED]}, attempt = attempt + 1",
        "status = 'UNHEARD_OF'",
        "started_at = created_at",
        "lease_until = created_at",
        "scenarios_done = 1",
    ],
    OperationStatus.RUNNING: [
        "fence = fence + 1",
        "fence = fence - 1",
        "attempt = attempt + 1",
        "attempt = attempt - 1",
        "lease_until = NULL",
        "started_at = NULL",
        "scenarios_done = scenarios_total + 1",
        "scenarios_done = -1",
        f"{CHANGES[OperationStatus.PENDING]}, fence = fence + 1",
        f"{CHANGES[OperationStatus.PENDING]}, attempt = attempt + 1",
        f"{CHANGES[OperationStatus.PENDING]}, attempt = attempt - 2",
        f"{CHANGES[OperationStatus.FAILED]}, fence = fence - 1",
        f"{CHANGES[OperationStatus.FAILED]}, attempt = attempt - 1",
        CHANGES[OperationStatus.SUCCEEDED].replace("= scenarios_total", "= scenarios_total - 1"),
    ],
    OperationStatus.SUCCEEDED: [
        f"finished_at = {LATER}",
        "result = request",
        "scenarios_done = 0",
        "attempt = attempt",
    ],
    OperationStatus.FAILED: [f"finished_at = {LATER}", "error_message = 'other'", "error_code = 'OTHER'"],
}
# What was accepted, whatever state the operation is in.
ACCEPTED = [
    "tenant_id = 'theirs'",
    "operation_id = 'dop_2'",
    "operation_type = 'OTHER'",
    "correlation_id = 'other'",
    f"created_at = {LATER}",
    "request = ''",
    "request_sha256 = 'sha256:other'",
    "is_queued = NOT is_queued",
    "scenarios_total = scenarios_total + 1",
]


# What no staged scenario may become.
SCENARIO_CHANGES = (
    "status = 'BLOCKED'",
    "result = metric",
    "scenario = 'b'",
    "failure = 'other'",
    "metric = metric",
)
# What is no outcome of a scenario: operation, scenario, status, failure, metric, result.
NO_OUTCOMES = (
    "'dop_1', 'x', NULL, NULL, NULL, NULL",
    "'dop_1', 'x', 'READY', NULL, NULL, NULL",
    "'dop_1', 'x', 'READY', NULL, '', NULL",
    "'dop_1', 'x', 'READY', NULL, NULL, ''",
    "'dop_1', 'x', 'READY', 'failed', '', ''",
    "'dop_1', 'x', NULL, 'failed', '', NULL",
    "'dop_1', 'x', NULL, 'failed', NULL, ''",
    "'dop_1', 'x', 'UNHEARD_OF', NULL, '', ''",
    "'dop_1', NULL, 'READY', NULL, '', ''",
)


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def beside(request: pytest.FixtureRequest) -> AsyncIterator[Beside]:
    opened = await opened_beside(request.param, request)
    try:
        yield opened
    finally:
        await opened.store.close()


def change(beside, changes):
    if isinstance(beside.database, SqliteFile):
        changes = changes.replace("request = ''", "request = X''")
    beside.database.execute(f"UPDATE dpm_operations SET {changes} WHERE operation_id = 'dop_1'")


def is_allowed(beside, changes):
    try:
        change(beside, changes)
    except REFUSED:
        return False
    return True


@pytest.mark.parametrize(
    ("current", "asked"),
    [(current, asked) for current in OperationStatus for asked in OperationStatus if asked in MOVES[current]],
)
async def test_the_schema_allows_the_moves_there_are(beside, current, asked):
    await submit_and_move(beside.store, STATES[current])

    change(beside, CHANGES[asked])

    found = await beside.store.operations.list_staged(PENDING.tenant_id, PENDING.operation_id)
    assert found == ()
    assert f"'{asked.value}'" in repr(beside.database.rows()["dpm_operations"])


@pytest.mark.parametrize("current", OperationStatus)
async def test_the_schema_refuses_every_other_change(beside, current):
    await submit_and_move(beside.store, STATES[current])
    before = beside.database.rows()
    wrong_moves = [CHANGES[asked] for asked in OperationStatus if asked not in MOVES[current]]

    # None of them leaves anything behind, so that all can be tried on one operation.
    everything = (*wrong_moves, *NEVER[current], *ACCEPTED)
    allowed = [changes for changes in everything if is_allowed(beside, changes)]

    assert allowed == []
    assert beside.database.rows() == before


async def test_what_a_holder_may_change_the_schema_allows(beside):
    claim = await submit_and_move(beside.store, started(PENDING))
    await beside.store.operations.stage(claim, [a_staged()], a_lease())

    change(beside, f"lease_until = {LATER}")
    change(beside, "scenarios_done = scenarios_total")
    change(beside, f"{CHANGES[OperationStatus.PENDING]}, attempt = attempt - 1")

    assert (await claimed(beside.store, PENDING)).fence == claim.fence + 1


async def test_the_schema_refuses_any_change_of_what_came_of_a_scenario(beside):
    claim = await submit_and_move(beside.store, started(PENDING))
    await beside.store.operations.stage(claim, [a_staged("a"), a_staged_failure("c")], a_lease())
    before = beside.database.rows()

    for changes in SCENARIO_CHANGES:
        with pytest.raises(REFUSED):
            beside.database.execute(f"UPDATE dpm_operation_scenarios SET {changes}")

    assert beside.database.rows() == before


async def test_the_schema_refuses_a_scenario_that_neither_ran_nor_failed(beside):
    await submit_and_move(beside.store, started(PENDING))
    before = beside.database.rows()

    for values in NO_OUTCOMES:
        if isinstance(beside.database, SqliteFile):
            values = values.replace("''", "X''")
        with pytest.raises(REFUSED):
            beside.database.execute(
                "INSERT INTO dpm_operation_scenarios"
                " (tenant_id, operation_id, scenario, status, failure, metric, result)"
                f" VALUES ('{PENDING.tenant_id}', {values})"
            )

    assert beside.database.rows() == before


async def test_an_operation_with_staged_scenarios_cannot_be_removed(beside):
    claim = await submit_and_move(beside.store, started(PENDING))
    await beside.store.operations.stage(claim, [a_staged()], a_lease())

    with pytest.raises(REFUSED):
        beside.database.execute("DELETE FROM dpm_operations")

    assert await beside.store.operations.list_staged(PENDING.tenant_id, "dop_1") == (a_staged(),)


@pytest.mark.parametrize("table", ["dpm_operations", "dpm_operation_scenarios"])
async def test_a_row_of_a_file_cannot_be_replaced(sqlite_file, table):
    store, file = await SqliteStore.open(sqlite_file), SqliteFile(sqlite_file)
    try:
        await submit_and_move(store, succeeded(started(an_operation())))
        claim = await submit_and_move(store, started(PENDING))
        await store.operations.stage(claim, [a_staged()], a_lease())
        before = file.rows()

        file.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")

        assert file.rows() == before
    finally:
        await store.close()
