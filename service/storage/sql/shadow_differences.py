"""Differences of a shadow in SQL."""

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
from service.domains.values.pages import EARLIEST, LATEST, Page
from service.storage.sql import retention
from service.storage.sql.acts import Act, Row, SqlDatabase, every, many
from service.storage.sql.listing import Listing

NOUN = "shadow_differences"


class SqlShadowDifferences:
    def __init__(self, database: SqlDatabase) -> None:
        self.database = database

    async def record(self, differences: Sequence[Difference]) -> None:
        await self.database.write(many, NOUN, "insert_difference", [row_of(one) for one in differences])

    async def list(
        self, tenant_id: str, differences: ShadowDifferenceFilter, *, limit: int, cursor: str | None
    ) -> Page[Difference]:
        return await self.database.read(
            DIFFERENCES.page,
            filters={"kind": None if differences.kind is None else differences.kind.value},
            matches=lambda row: differences.matches(difference_of(row)),
            cursor=cursor,
            limit=limit,
            found={"tenant_id": tenant_id},
            bounds={
                "found_from": differences.found_from or EARLIEST,
                "found_to": differences.found_to or LATEST,
            },
        )

    async def summarise(self, tenant_id: str) -> ShadowDifferenceSummary:
        rows = await self.database.read(every, NOUN, "count_differences", tenant_id=tenant_id)
        return counted({row["kind"]: row["differences"] for row in rows})

    async def purge(self, tenant_id: str, *, found_before: datetime, limit: int) -> int:
        return await self.database.write(purge, tenant_id, found_before, limit)


def purge(tenant_id: str, found_before: datetime, limit: int) -> Act[int]:
    yield from every(retention.NOUN, "allow_removal")
    bounds = {"found_before": found_before, "limit": limit}
    removed = yield from every(NOUN, "delete_old_differences", tenant_id=tenant_id, **bounds)
    yield from every(retention.NOUN, "forbid_removal")
    return len(removed)


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


DIFFERENCES = Listing(
    noun=NOUN,
    queries={"kind": "list_differences_by_kind", None: "list_differences"},
    find="find_difference",
    id_name="difference_id",
    read=difference_of,
    place=lambda difference: (difference.found_at, difference.difference_id),
)
