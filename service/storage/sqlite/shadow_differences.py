"""Differences of a shadow in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from service.domains.shadow_differences import (
    Difference,
    DifferenceKind,
    ShadowDifferenceFilter,
    ShadowDifferenceSummary,
    counted,
)
from service.domains.values.pages import EARLIEST, LATEST, Page, empty_page, page_of
from service.storage.queries import load
from service.storage.sqlite import retention
from service.storage.sqlite.database import Database
from service.storage.sqlite.statements import count, every, instant_of, one, run, text_of

SQL = load("sqlite", "shadow_differences")


class SqliteShadowDifferences:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def record(self, differences: Sequence[Difference]) -> None:
        await self.database.write(partial(record, differences=tuple(differences)))

    async def list(
        self, tenant_id: str, differences: ShadowDifferenceFilter, *, limit: int, cursor: str | None
    ) -> Page[Difference]:
        look = partial(list_differences, tenant_id=tenant_id, differences=differences)
        return await self.database.read(partial(look, limit=limit, cursor=cursor))

    async def summarise(self, tenant_id: str) -> ShadowDifferenceSummary:
        return await self.database.read(partial(summarise, tenant_id=tenant_id))

    async def purge(self, tenant_id: str, *, found_before: datetime, limit: int) -> int:
        return await self.database.write(
            partial(purge, tenant_id=tenant_id, found_before=found_before, limit=limit)
        )


def record(conn: sqlite3.Connection, differences: Sequence[Difference]) -> None:
    for difference in differences:
        run(conn, SQL["insert_difference"], **values_of(difference))


def list_differences(
    conn: sqlite3.Connection,
    *,
    tenant_id: str,
    differences: ShadowDifferenceFilter,
    limit: int,
    cursor: str | None,
) -> Page[Difference]:
    before_at, before_id = LATEST, ""
    if cursor is not None:
        row = one(conn, SQL["find_difference"], tenant_id=tenant_id, difference_id=cursor)
        last = None if row is None else difference_of(row)
        if last is None or not differences.matches(last):
            return empty_page()
        before_at, before_id = last.found_at, last.difference_id
    kind = {} if differences.kind is None else {"kind": differences.kind.value}
    rows = every(
        conn,
        SQL["list_differences_by_kind" if kind else "list_differences"],
        **kind,
        tenant_id=tenant_id,
        found_from=text_of(differences.found_from or EARLIEST),
        found_to=text_of(differences.found_to or LATEST),
        before_at=text_of(before_at),
        before_id=before_id,
        limit=limit + 1,
    )
    return page_of([difference_of(row) for row in rows], limit, lambda difference: difference.difference_id)


def summarise(conn: sqlite3.Connection, *, tenant_id: str) -> ShadowDifferenceSummary:
    rows = every(conn, SQL["count_differences"], tenant_id=tenant_id)
    return counted({row["kind"]: row["differences"] for row in rows})


def purge(conn: sqlite3.Connection, *, tenant_id: str, found_before: datetime, limit: int) -> int:
    run(conn, retention.SQL["allow_removal"])
    removed = count(
        conn,
        SQL["delete_old_differences"],
        tenant_id=tenant_id,
        found_before=text_of(found_before),
        limit=limit,
    )
    run(conn, retention.SQL["forbid_removal"])
    return removed


def values_of(difference: Difference) -> dict[str, object]:
    return {
        "tenant_id": difference.tenant_id,
        "difference_id": difference.difference_id,
        "kind": difference.kind.value,
        "act": difference.act,
        "entity_id": difference.entity_id,
        "place": difference.place,
        "primary_text": difference.primary_text,
        "shadow_text": difference.shadow_text,
        "found_at": text_of(difference.found_at),
        "correlation_id": difference.correlation_id,
    }


def difference_of(row: sqlite3.Row) -> Difference:
    return Difference(
        difference_id=row["difference_id"],
        tenant_id=row["tenant_id"],
        kind=DifferenceKind(row["kind"]),
        act=row["act"],
        entity_id=row["entity_id"],
        place=row["place"],
        primary_text=row["primary_text"],
        shadow_text=row["shadow_text"],
        found_at=instant_of(row["found_at"]),
        correlation_id=row["correlation_id"],
    )
