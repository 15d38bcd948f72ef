"""An act in SQL is kept or undone as one, is told of a missing reference, and reads what it wrote."""

from __future__ import annotations

import pytest

from service.domains.callers import DEFAULT_TENANT
from service.domains.retention.cutoffs import KEEP_ALL
from service.domains.values.canonical import digest_of
from service.errors.operations import LeaseLost, OperationNotFound
from service.errors.storage import StoreRefused
from service.storage.sql.acts import ReferenceMissing, every, many, one
from service.storage.sql.operations import acts, lists
from service.storage.sql.operations.rows import row_of_staged
from tests.integration.contract.builders import (
    a_lease,
    a_purge,
    a_staged,
    an_operation,
    ending_of,
    operations_since,
    started,
    submit_and_move,
    succeeded,
)

ON_SQL = pytest.mark.parametrize("store", ["sqlite", "postgres"], indirect=True)
REFUSALS = {"SQLITE_CONSTRAINT_FOREIGNKEY", "23503"}
OPERATION = an_operation()


class Undone(Exception):
    pass


def submitted(operation):
    return acts.submit(operation, digest_of(operation.request), None)


def staged(names):
    rows = [row_of_staged(OPERATION, a_staged(name)) for name in names]
    return many("operations", "insert_scenario", rows)


async def assert_nothing_kept(store):
    with pytest.raises(OperationNotFound):
        await store.operations.get(DEFAULT_TENANT, OPERATION.operation_id, KEEP_ALL)


@ON_SQL
async def test_an_act_reads_what_it_wrote_and_both_are_kept(store):
    def act():
        yield from submitted(OPERATION)
        return (yield from lists.get_operation(DEFAULT_TENANT, OPERATION.operation_id, KEEP_ALL))

    assert await store.operations.database.write(act) == OPERATION
    assert await store.operations.get(DEFAULT_TENANT, OPERATION.operation_id, KEEP_ALL) == OPERATION


@ON_SQL
async def test_an_act_that_raises_leaves_nothing_and_raises_what_it_raised(store):
    def act():
        yield from submitted(OPERATION)
        raise Undone

    with pytest.raises(Undone):
        await store.operations.database.write(act)
    await assert_nothing_kept(store)


@ON_SQL
async def test_an_act_is_told_of_a_missing_reference_and_gives_it_a_meaning(store):
    def act():
        try:
            yield from staged(["a"])
        except ReferenceMissing:
            raise Undone from None

    with pytest.raises(Undone):
        await store.operations.database.write(act)


@ON_SQL
@pytest.mark.parametrize("names", [["a"], ["a", "b"]], ids=["one row", "many rows"])
async def test_a_missing_reference_that_an_act_does_not_expect_is_refused_by_the_database(store, names):
    with pytest.raises(StoreRefused) as refused:
        await store.operations.database.write(staged, names)

    assert refused.value.facts["sqlstate"] in REFUSALS


@ON_SQL
async def test_rows_of_many_come_back_together_and_none_for_none(store):
    def act():
        yield from submitted(OPERATION)
        first = yield from staged(["b"])
        # What is staged already gives no row back.
        rows = yield from staged(["a", "b", "c"])
        return len(first), [row["scenario"] for row in rows], (yield from staged([]))

    assert await store.operations.database.write(act) == (1, ["a", "c"], [])


@ON_SQL
async def test_a_statement_that_gives_no_rows_gives_none(store):
    def act():
        yield from submitted(OPERATION)
        place = {"tenant_id": DEFAULT_TENANT, "operation_id": OPERATION.operation_id}
        written = yield from every("operations", "delete_scenarios", **place)
        found = yield from one(
            "operations", "find_operation", **place, operations_since=KEEP_ALL.operations_since
        )
        return written, found["created_at"], found["started_at"]

    assert await store.operations.database.write(act) == ([], OPERATION.created_at, None)


async def test_scenarios_of_an_operation_that_was_purged_are_lost(store):
    claim = await submit_and_move(store, started(OPERATION))
    await store.operations.finish(claim, ending_of(succeeded(OPERATION, 2)))
    await store.retention.remove(a_purge(operations_since(3)))
    await assert_nothing_kept(store)

    with pytest.raises(LeaseLost):
        await store.operations.stage(claim, [a_staged("a"), a_staged("b")], a_lease(2))
