"""Operations whose lease has expired, and those that nothing executes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from service.domains.operations import UNEXECUTED, OperationError, Reaped, exhausted_after, lease_expired
from service.storage.sql.acts import Act, Row, every, many
from service.storage.sql.operations.lists import NOUN


def reap(
    tenant_id: str, *, now: datetime, attempts_max: int, limit: int, only: Collection[str] | None
) -> Act[Reaped]:
    unheld = yield from every(NOUN, "list_ended_leases", tenant_id=tenant_id, now=now, limit=limit)
    ended = chosen_of(unheld, only)
    requeued = {row["operation_id"]: row["lease_owner"] for row in ended if row["attempt"] < attempts_max}
    exhausted = {row["operation_id"]: row["attempt"] for row in ended if row["attempt"] >= attempts_max}
    causes = {operation_id: lease_expired(owner) for operation_id, owner in requeued.items()}
    yield from many(
        NOUN,
        "requeue_operation",
        [row | {"now": now} for row in rows_of_errors(tenant_id, causes)],
    )
    errors = {operation_id: exhausted_after(attempt) for operation_id, attempt in exhausted.items()}
    yield from fail("exhaust_operation", tenant_id, now, errors)
    return Reaped(tuple(requeued), tuple(exhausted))


def expire(
    tenant_id: str, *, created_before: datetime, now: datetime, limit: int, only: Collection[str] | None
) -> Act[tuple[str, ...]]:
    rows = yield from every(
        NOUN, "list_unexecuted", tenant_id=tenant_id, created_before=created_before, limit=limit
    )
    ids = tuple(row["operation_id"] for row in chosen_of(rows, only))
    yield from fail("expire_operation", tenant_id, now, dict.fromkeys(ids, UNEXECUTED))
    return ids


def fail_overdue(
    tenant_id: str,
    *,
    started_before: datetime,
    now: datetime,
    error: OperationError,
    limit: int,
    only: Collection[str] | None,
) -> Act[tuple[str, ...]]:
    rows = yield from every(
        NOUN, "list_overdue", tenant_id=tenant_id, started_before=started_before, limit=limit
    )
    ids = tuple(row["operation_id"] for row in chosen_of(rows, only))
    yield from fail("fail_operation", tenant_id, now, dict.fromkeys(ids, error))
    return ids


def chosen_of(rows: Sequence[Row], only: Collection[str] | None) -> list[Row]:
    return [row for row in rows if only is None or row["operation_id"] in only]


def fail(query: str, tenant_id: str, now: datetime, errors: Mapping[str, OperationError]) -> Act[None]:
    """End operations, each with its error, and delete what was staged of them."""
    yield from many(NOUN, query, [row | {"finished_at": now} for row in rows_of_errors(tenant_id, errors)])
    places = [{"tenant_id": tenant_id, "operation_id": operation_id} for operation_id in errors]
    yield from many(NOUN, "delete_scenarios", places)


def rows_of_errors(tenant_id: str, errors: Mapping[str, OperationError]) -> list[dict[str, object]]:
    return [
        {
            "tenant_id": tenant_id,
            "operation_id": operation_id,
            "error_code": error.code,
            "error_message": error.message,
        }
        for operation_id, error in errors.items()
    ]
