"""Operations in SQLite. Functions that take `conn` run in a transaction of their caller and begin none."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from service.domains.canonical import digest_of
from service.domains.dpm_runs import BatchAdmission
from service.domains.operations import (
    Claim,
    Ending,
    Lease,
    Operation,
    OperationFilter,
    OperationHead,
    OperationStatus,
    Reaped,
    StagedScenario,
    edge_of_operation,
)
from service.domains.pages import EARLIEST, LATEST, Page, empty_page, page_of
from service.domains.proposals import ProposalChange, ProposalKey
from service.domains.retention import KEEP_ALL, Horizon
from service.errors import OperationExists, OperationLost, OperationMoved, OperationNotFound
from service.storage.queries import load
from service.storage.sqlite import dpm_runs, lineage, proposals
from service.storage.sqlite.database import Database
from service.storage.sqlite.operation_rows import head_of, operation_of, staged_of
from service.storage.sqlite.operation_sweeps import expire, reap
from service.storage.sqlite.statements import every, from_first_given, one, run, text_of
from service.storage.texts import require_storable

SQL = load("sqlite", "operations")
# By the most selective filter that is given.
LISTS = {
    "correlation_id": SQL["list_operations_by_correlation"],
    "status": SQL["list_operations_by_status"],
    "operation_type": SQL["list_operations_by_type"],
    None: SQL["list_operations"],
}


class SqliteOperations:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def submit(self, operation: Operation, *, trace_id: str | None = None, offer: bool = True) -> None:
        assert not (operation.is_queued and offer), "a file has no queue"
        await self.database.write(partial(submit, operation=operation, trace_id=trace_id))

    async def claim(self, tenant_id: str, operation_id: str, lease: Lease) -> Claim:
        return await self.database.write(
            partial(claim, tenant_id=tenant_id, operation_id=operation_id, lease=lease)
        )

    async def extend(self, claim: Claim, lease: Lease) -> None:
        await self.database.write(partial(extend, claim=claim, lease=lease))

    async def stage(self, claim: Claim, scenarios: Sequence[StagedScenario], lease: Lease) -> None:
        await self.database.write(partial(stage, claim=claim, scenarios=scenarios, lease=lease))

    async def list_staged(self, tenant_id: str, operation_id: str) -> tuple[StagedScenario, ...]:
        return await self.database.read(partial(list_staged, tenant_id=tenant_id, operation_id=operation_id))

    async def finish(self, claim: Claim, ending: Ending) -> ProposalKey | None:
        try:
            await self.database.write(partial(finish, claim=claim, ending=ending))
        except proposals.KeyTaken as taken:
            return taken.key
        return None

    async def hand_back(self, claim: Claim, lease: Lease) -> None:
        await self.database.write(partial(hand_back, claim=claim, lease=lease))

    async def reap(
        self,
        tenant_id: str,
        *,
        now: datetime,
        attempts_max: int,
        limit: int,
        only: Collection[str] | None = None,
    ) -> Reaped:
        return await self.database.write(
            partial(reap, tenant_id=tenant_id, now=now, attempts_max=attempts_max, limit=limit, only=only)
        )

    async def expire(
        self,
        tenant_id: str,
        *,
        created_before: datetime,
        now: datetime,
        limit: int,
        only: Collection[str] | None = None,
    ) -> tuple[str, ...]:
        return await self.database.write(
            partial(
                expire, tenant_id=tenant_id, created_before=created_before, now=now, limit=limit, only=only
            )
        )

    async def get(self, tenant_id: str, operation_id: str, horizon: Horizon) -> Operation:
        return await self.database.read(
            partial(get_operation, tenant_id=tenant_id, operation_id=operation_id, horizon=horizon)
        )

    async def find_newest_by_correlation(
        self, tenant_id: str, correlation_id: str, horizon: Horizon
    ) -> Operation | None:
        find = partial(find_newest_by_correlation, tenant_id=tenant_id, horizon=horizon)
        return await self.database.read(partial(find, correlation_id=correlation_id))

    async def list(
        self,
        tenant_id: str,
        operations: OperationFilter,
        *,
        limit: int,
        cursor: str | None,
        horizon: Horizon,
    ) -> Page[OperationHead]:
        look = partial(list_heads, tenant_id=tenant_id, operations=operations, limit=limit)
        return await self.database.read(partial(look, cursor=cursor, horizon=horizon))


def submit(conn: sqlite3.Connection, operation: Operation, trace_id: str | None) -> None:
    require_storable(operation)
    assert operation.status is OperationStatus.PENDING, operation.status
    inserted = one(
        conn,
        SQL["insert_operation"],
        tenant_id=operation.tenant_id,
        operation_id=operation.operation_id,
        operation_type=operation.operation_type.value,
        correlation_id=operation.correlation_id,
        created_at=text_of(operation.created_at),
        is_queued=int(operation.is_queued),
        scenarios_total=operation.scenarios_total,
        request_sha256=digest_of(operation.request),
        request=operation.request,
    )
    if inserted is None:
        raise OperationExists(operation_id=operation.operation_id)
    lineage.insert_edges(conn, operation.tenant_id, [edge_of_operation(operation, trace_id)])


def claim(conn: sqlite3.Connection, *, tenant_id: str, operation_id: str, lease: Lease) -> Claim:
    wanted = {"tenant_id": tenant_id, "operation_id": operation_id}
    times = {"started_at": text_of(lease.now), "lease_until": text_of(lease.until)}
    claimed = one(conn, SQL["claim_operation"], **wanted, **times)
    operation = get_operation(conn, **wanted, horizon=KEEP_ALL)
    if claimed is None:
        raise OperationMoved(operation_id=operation_id)
    return Claim(operation, claimed["fence"])


def extend(conn: sqlite3.Connection, claim: Claim, lease: Lease) -> None:
    hold_on(conn, "extend_operation", claim, now=text_of(lease.now), lease_until=text_of(lease.until))


def stage(conn: sqlite3.Connection, claim: Claim, scenarios: Sequence[StagedScenario], lease: Lease) -> None:
    now = text_of(lease.now)
    # Asked before anything is written: what is no longer there has no scenarios either.
    hold_on(conn, "extend_operation", claim, now=now, lease_until=now)
    added = sum(insert_scenario(conn, claim, staged) for staged in scenarios)
    hold_on(conn, "advance_operation", claim, added=added, now=now, lease_until=text_of(lease.until))


def insert_scenario(conn: sqlite3.Connection, claim: Claim, staged: StagedScenario) -> bool:
    """Keep what came of a scenario; false when that was kept before."""
    inserted = one(
        conn,
        SQL["insert_scenario"],
        **of(claim.operation),
        scenario=staged.scenario,
        status=None if staged.status is None else staged.status.value,
        failure=staged.failure,
        metric=staged.metric,
        result=staged.result,
    )
    return inserted is not None


def finish(conn: sqlite3.Connection, claim: Claim, ending: Ending) -> None:
    error = ending.error
    hold_on(
        conn,
        "finish_operation",
        claim,
        status=ending.status.value,
        finished_at=text_of(ending.finished_at),
        result=ending.result,
        error_code=error.code if error else None,
        error_message=error.message if error else None,
    )
    run(conn, SQL["delete_scenarios"], **of(claim.operation))
    match ending.effect:
        case BatchAdmission() as batch:
            dpm_runs.admit_batch(conn, batch)
        case ProposalChange() as change:
            proposals.keep_own_change(conn, change)


def hand_back(conn: sqlite3.Connection, claim: Claim, lease: Lease) -> None:
    hold_on(conn, "hand_back_operation", claim, now=text_of(lease.now))


def hold_on(conn: sqlite3.Connection, query: str, claim: Claim, **values: Any) -> None:
    """Write as the holder of an operation. Raises OperationLost once somebody else may have it."""
    if one(conn, SQL[query], **of(claim.operation), fence=claim.fence, **values) is None:
        raise OperationLost(operation_id=claim.operation.operation_id)


def of(operation: OperationHead) -> dict[str, str]:
    return {"tenant_id": operation.tenant_id, "operation_id": operation.operation_id}


def get_operation(
    conn: sqlite3.Connection, *, tenant_id: str, operation_id: str, horizon: Horizon
) -> Operation:
    row = find(conn, "find_operation", horizon, tenant_id=tenant_id, operation_id=operation_id)
    if row is None:
        raise OperationNotFound(operation_id=operation_id)
    return operation_of(row)


def find_newest_by_correlation(
    conn: sqlite3.Connection, *, tenant_id: str, correlation_id: str, horizon: Horizon
) -> Operation | None:
    wanted = {"tenant_id": tenant_id, "correlation_id": correlation_id}
    row = find(conn, "find_newest_operation_by_correlation", horizon, **wanted)
    return None if row is None else operation_of(row)


def list_heads(
    conn: sqlite3.Connection,
    *,
    tenant_id: str,
    operations: OperationFilter,
    limit: int,
    cursor: str | None,
    horizon: Horizon,
) -> Page[OperationHead]:
    before_at, before_id = LATEST, ""
    if cursor is not None:
        row = find(conn, "find_operation_head", horizon, tenant_id=tenant_id, operation_id=cursor)
        last = None if row is None else head_of(row)
        if last is None or not operations.matches(last):
            return empty_page()
        before_at, before_id = last.created_at, last.operation_id
    filters = from_first_given({name: getattr(operations, name) for name in LISTS if name is not None})
    rows = every(
        conn,
        LISTS[next(iter(filters), None)],
        **filters,
        tenant_id=tenant_id,
        created_from=text_of(operations.created_from or EARLIEST),
        created_to=text_of(operations.created_to or LATEST),
        operations_since=text_of(horizon.operations_since),
        before_at=text_of(before_at),
        before_id=before_id,
        limit=limit + 1,
    )
    return page_of([head_of(row) for row in rows], limit, lambda head: head.operation_id)


def find(conn: sqlite3.Connection, query: str, horizon: Horizon, **wanted: str) -> sqlite3.Row | None:
    return one(conn, SQL[query], **wanted, operations_since=text_of(horizon.operations_since))


def list_staged(conn: sqlite3.Connection, *, tenant_id: str, operation_id: str) -> tuple[StagedScenario, ...]:
    rows = every(conn, SQL["list_scenarios"], tenant_id=tenant_id, operation_id=operation_id)
    return tuple(staged_of(row) for row in rows)
