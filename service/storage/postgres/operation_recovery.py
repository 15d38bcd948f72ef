"""Operations in PostgreSQL that nobody holds, and those that nobody came for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from service.domains.operations import UNEXECUTED, OperationError, Reaped, exhausted_after, lease_expired
from service.storage.postgres.statements import Connection, Row, every, many
from service.storage.queries import load

SQL = load("postgres", "operations")


async def reap(
    conn: Connection,
    tenant_id: str,
    *,
    now: datetime,
    attempts_max: int,
    limit: int,
    only: Collection[str] | None,
) -> Reaped:
    unheld = await every(conn, SQL["list_ended_leases"], tenant_id=tenant_id, now=now, limit=limit)
    ended = chosen_of(unheld, only)
    again = {row["operation_id"]: row["lease_owner"] for row in ended if row["attempt"] < attempts_max}
    exhausted = {row["operation_id"]: row["attempt"] for row in ended if row["attempt"] >= attempts_max}
    await many(
        conn,
        SQL["take_back_operation"],
        [
            {"tenant_id": tenant_id, "operation_id": operation_id, "now": now}
            | {"error_code": (error := lease_expired(owner)).code, "error_message": error.message}
            for operation_id, owner in again.items()
        ],
    )
    errors = {operation_id: exhausted_after(attempt) for operation_id, attempt in exhausted.items()}
    await fail(conn, "exhaust_operation", tenant_id, now, errors)
    return Reaped(tuple(again), tuple(exhausted))


async def expire(
    conn: Connection,
    tenant_id: str,
    *,
    created_before: datetime,
    now: datetime,
    limit: int,
    only: Collection[str] | None,
) -> tuple[str, ...]:
    rows = await every(
        conn, SQL["list_unexecuted"], tenant_id=tenant_id, created_before=created_before, limit=limit
    )
    ids = tuple(row["operation_id"] for row in chosen_of(rows, only))
    await fail(conn, "expire_operation", tenant_id, now, dict.fromkeys(ids, UNEXECUTED))
    return ids


async def fail_overdue(
    conn: Connection,
    tenant_id: str,
    *,
    started_before: datetime,
    now: datetime,
    error: OperationError,
    limit: int,
    only: Collection[str] | None,
) -> tuple[str, ...]:
    rows = await every(
        conn, SQL["list_overdue"], tenant_id=tenant_id, started_before=started_before, limit=limit
    )
    ids = tuple(row["operation_id"] for row in chosen_of(rows, only))
    await fail(conn, "fail_operation", tenant_id, now, dict.fromkeys(ids, error))
    return ids


def chosen_of(rows: Sequence[Row], only: Collection[str] | None) -> list[Row]:
    return [row for row in rows if only is None or row["operation_id"] in only]


async def fail(
    conn: Connection, query: str, tenant_id: str, now: datetime, errors: dict[str, OperationError]
) -> None:
    """End operations, each with its error, and forget what was staged of them."""
    places = [{"tenant_id": tenant_id, "operation_id": operation_id} for operation_id in errors]
    ends = [
        place | {"finished_at": now, "error_code": error.code, "error_message": error.message}
        for place, error in zip(places, errors.values(), strict=True)
    ]
    await many(conn, SQL[query], ends)
    await many(conn, SQL["delete_scenarios"], places)
