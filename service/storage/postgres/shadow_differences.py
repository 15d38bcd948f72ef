"""Differences of a shadow in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from service.domains.shadow_differences import (
    Difference,
    DifferenceKind,
    ShadowDifferenceFilter,
    ShadowDifferenceSummary,
    counted,
)
from service.domains.values.pages import EARLIEST, LATEST, Page, empty_page, page_of
from service.storage.postgres import retention
from service.storage.postgres.database import Database
from service.storage.postgres.statements import Row, every, many, one, run
from service.storage.queries import load

SQL = load("postgres", "shadow_differences")


class PostgresShadowDifferences:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def record(self, differences: Sequence[Difference]) -> None:
        async with self.database.act() as conn:
            await many(conn, SQL["insert_difference"], [row_of(difference) for difference in differences])

    async def list(
        self, tenant_id: str, differences: ShadowDifferenceFilter, *, limit: int, cursor: str | None
    ) -> Page[Difference]:
        async with self.database.look() as conn:
            before_at, before_id = LATEST, ""
            if cursor is not None:
                row = await one(conn, SQL["find_difference"], tenant_id=tenant_id, difference_id=cursor)
                last = None if row is None else difference_of(row)
                if last is None or not differences.matches(last):
                    return empty_page()
                before_at, before_id = last.found_at, last.difference_id
            kind = {} if differences.kind is None else {"kind": differences.kind.value}
            rows = await every(
                conn,
                SQL["list_differences_by_kind" if kind else "list_differences"],
                **kind,
                tenant_id=tenant_id,
                found_from=differences.found_from or EARLIEST,
                found_to=differences.found_to or LATEST,
                before_at=before_at,
                before_id=before_id,
                limit=limit + 1,
            )
        return page_of(
            [difference_of(row) for row in rows], limit, lambda difference: difference.difference_id
        )

    async def summarise(self, tenant_id: str) -> ShadowDifferenceSummary:
        async with self.database.look() as conn:
            rows = await every(conn, SQL["count_differences"], tenant_id=tenant_id)
        return counted({row["kind"]: row["differences"] for row in rows})

    async def purge(self, tenant_id: str, *, found_before: datetime, limit: int) -> int:
        async with self.database.act() as conn:
            await one(conn, retention.SQL["allow_removal"])
            removed = await run(
                conn,
                SQL["delete_old_differences"],
                tenant_id=tenant_id,
                found_before=found_before,
                limit=limit,
            )
            await one(conn, retention.SQL["forbid_removal"])
            return removed


def row_of(difference: Difference) -> dict[str, object]:
    return {
        "tenant_id": difference.tenant_id,
        "difference_id": difference.difference_id,
        "kind": difference.kind.value,
        "act": difference.act,
        "entity_id": difference.entity_id,
        "place": difference.place,
        "primary_text": difference.primary_text,
        "shadow_text": difference.shadow_text,
        "found_at": difference.found_at,
        "correlation_id": difference.correlation_id,
    }


def difference_of(row: Row) -> Difference:
    return Difference(
        difference_id=row["difference_id"],
        tenant_id=row["tenant_id"],
        kind=DifferenceKind(row["kind"]),
        act=row["act"],
        entity_id=row["entity_id"],
        place=row["place"],
        primary_text=row["primary_text"],
        shadow_text=row["shadow_text"],
        found_at=row["found_at"],
        correlation_id=row["correlation_id"],
    )
