"""Keys and their history in SQLite."""

from __future__ import annotations

import sqlite3
from functools import partial

from service.domains.idempotency import IdempotencyRecord, KeyHistoryEntry, KeyScope
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import EARLIEST, Page, empty_page, page_of
from service.storage.queries import load
from service.storage.sqlite.database import Database
from service.storage.sqlite.statements import every, instant_of, one, run, text_of

SQL = load("sqlite", "idempotency")


class SqliteIdempotency:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def find(
        self, tenant_id: str, family: KeyScope, idempotency_key: str, cutoff: RetentionCutoff
    ) -> IdempotencyRecord | None:
        return await self.database.read(
            partial(
                find_key,
                tenant_id=tenant_id,
                family=family,
                idempotency_key=idempotency_key,
                cutoff=cutoff,
            )
        )

    async def list_history(
        self,
        tenant_id: str,
        family: KeyScope,
        idempotency_key: str,
        cutoff: RetentionCutoff,
        *,
        limit: int,
        cursor: str | None,
    ) -> Page[KeyHistoryEntry]:
        return await self.database.read(
            partial(
                list_uses,
                tenant_id=tenant_id,
                family=family,
                idempotency_key=idempotency_key,
                cutoff=cutoff,
                limit=limit,
                cursor=cursor,
            )
        )


def claim(conn: sqlite3.Connection, mapping: IdempotencyRecord, cutoff: RetentionCutoff) -> str | None:
    """Give the key to this run, or return the id of the run it stands for already.

    A key whose run has expired is free. Raises IdempotencyKeyConflict when it stands for another
    request, or for the same under another policy pack.
    """
    if one(conn, SQL["claim_key"], **row_of(mapping)) is not None:
        return None
    held = find_key(
        conn,
        tenant_id=mapping.tenant_id,
        family=mapping.family,
        idempotency_key=mapping.idempotency_key,
        cutoff=cutoff,
    )
    if held is None:
        renew(conn, mapping, cutoff)
        return None
    held.require_same(mapping.request_hash, mapping.policy_hash)
    return held.rebalance_run_id


def renew(conn: sqlite3.Connection, mapping: IdempotencyRecord, cutoff: RetentionCutoff) -> None:
    renewed = one(conn, SQL["renew_key"], **row_of(mapping), runs_since=text_of(cutoff.runs_since))
    assert renewed is not None, "a key that is taken but not there has expired"


def move(conn: sqlite3.Connection, mapping: IdempotencyRecord) -> None:
    run(conn, SQL["move_key"], **row_of(mapping))


def insert_use(conn: sqlite3.Connection, use: KeyHistoryEntry) -> None:
    run(
        conn,
        SQL["insert_use"],
        tenant_id=use.tenant_id,
        family=use.family.value,
        idempotency_key=use.idempotency_key,
        rebalance_run_id=use.rebalance_run_id,
        correlation_id=use.correlation_id,
        request_hash=use.request_hash,
        created_at=text_of(use.created_at),
    )


def find_key(
    conn: sqlite3.Connection,
    *,
    tenant_id: str,
    family: KeyScope,
    idempotency_key: str,
    cutoff: RetentionCutoff,
) -> IdempotencyRecord | None:
    row = one(
        conn,
        SQL["find_key"],
        tenant_id=tenant_id,
        family=family.value,
        idempotency_key=idempotency_key,
        runs_since=text_of(cutoff.runs_since),
    )
    if row is None:
        return None
    return IdempotencyRecord(
        tenant_id=row["tenant_id"],
        family=KeyScope(row["family"]),
        idempotency_key=row["idempotency_key"],
        request_hash=row["request_hash"],
        rebalance_run_id=row["rebalance_run_id"],
        created_at=instant_of(row["created_at"]),
        policy_hash=row["policy_pack_sha256"],
    )


def list_uses(
    conn: sqlite3.Connection,
    *,
    tenant_id: str,
    family: KeyScope,
    idempotency_key: str,
    cutoff: RetentionCutoff,
    limit: int,
    cursor: str | None,
) -> Page[KeyHistoryEntry]:
    key = {
        "tenant_id": tenant_id,
        "family": family.value,
        "idempotency_key": idempotency_key,
    }
    since = {"runs_since": text_of(cutoff.runs_since)}
    after_at = text_of(EARLIEST)
    if cursor is not None:
        last = one(conn, SQL["find_use"], rebalance_run_id=cursor, **key, **since)
        if last is None:
            return empty_page()
        after_at = last["created_at"]
    after = {"after_at": after_at, "after_id": cursor or ""}
    rows = every(conn, SQL["list_uses"], limit=limit + 1, **key, **since, **after)
    uses = [
        KeyHistoryEntry(
            tenant_id=row["tenant_id"],
            family=KeyScope(row["family"]),
            idempotency_key=row["idempotency_key"],
            rebalance_run_id=row["rebalance_run_id"],
            correlation_id=row["correlation_id"],
            request_hash=row["request_hash"],
            created_at=instant_of(row["created_at"]),
        )
        for row in rows
    ]
    return page_of(uses, limit, lambda use: use.rebalance_run_id)


def row_of(mapping: IdempotencyRecord) -> dict[str, object]:
    return {
        "tenant_id": mapping.tenant_id,
        "family": mapping.family.value,
        "idempotency_key": mapping.idempotency_key,
        "request_hash": mapping.request_hash,
        "rebalance_run_id": mapping.rebalance_run_id,
        "created_at": text_of(mapping.created_at),
        "policy_pack_sha256": mapping.policy_hash,
    }
