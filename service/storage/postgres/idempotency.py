"""Keys and their history in PostgreSQL."""

from __future__ import annotations

from service.domains.idempotency import IdempotencyRecord, KeyHistoryEntry, KeyScope
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import EARLIEST, Page, empty_page, page_of
from service.storage.postgres.database import Database
from service.storage.postgres.statements import Connection, every, one, run
from service.storage.queries import load

SQL = load("postgres", "idempotency")

# Whoever stands in the way may expire, be removed or be renewed while we look; each time we look again.
CLAIMS_MAX = 5


class PostgresIdempotency:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def find(
        self, tenant_id: str, family: KeyScope, idempotency_key: str, cutoff: RetentionCutoff
    ) -> IdempotencyRecord | None:
        async with self.database.look() as conn:
            return await find_key(conn, tenant_id, family, idempotency_key, cutoff)

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
        key = {
            "tenant_id": tenant_id,
            "family": family.value,
            "idempotency_key": idempotency_key,
        }
        since = {"runs_since": cutoff.runs_since}
        after_at = EARLIEST
        async with self.database.look() as conn:
            if cursor is not None:
                last = await one(conn, SQL["find_use"], rebalance_run_id=cursor, **key, **since)
                if last is None:
                    return empty_page()
                after_at = last["created_at"]
            after = {"after_at": after_at, "after_id": cursor or ""}
            rows = await every(conn, SQL["list_uses"], limit=limit + 1, **key, **since, **after)
        uses = [
            KeyHistoryEntry(
                tenant_id=row["tenant_id"],
                family=KeyScope(row["family"]),
                idempotency_key=row["idempotency_key"],
                rebalance_run_id=row["rebalance_run_id"],
                correlation_id=row["correlation_id"],
                request_hash=row["request_hash"],
                created_at=row["created_at"],
            )
            for row in rows
        ]
        return page_of(uses, limit, lambda use: use.rebalance_run_id)


async def claim(conn: Connection, mapping: IdempotencyRecord, cutoff: RetentionCutoff) -> str | None:
    """Give the key to this run, or return the id of the run it stands for already.

    A rival that is just claiming it is waited for. Raises IdempotencyKeyConflict when the key stands for
    another request, or for the same under another policy pack.
    """
    for _ in range(CLAIMS_MAX):
        if await one(conn, SQL["claim_key"], **row_of(mapping)) is not None:
            return None
        held = await find_key(conn, mapping.tenant_id, mapping.family, mapping.idempotency_key, cutoff)
        if held is not None:
            held.require_same(mapping.request_hash, mapping.policy_hash)
            return held.rebalance_run_id
        renewed = await one(conn, SQL["renew_key"], **row_of(mapping), runs_since=cutoff.runs_since)
        if renewed is not None:
            return None
    raise AssertionError("a key that is neither free nor held")


async def move(conn: Connection, mapping: IdempotencyRecord) -> None:
    await run(conn, SQL["move_key"], **row_of(mapping))


async def insert_use(conn: Connection, use: KeyHistoryEntry) -> None:
    await run(
        conn,
        SQL["insert_use"],
        tenant_id=use.tenant_id,
        family=use.family.value,
        idempotency_key=use.idempotency_key,
        rebalance_run_id=use.rebalance_run_id,
        correlation_id=use.correlation_id,
        request_hash=use.request_hash,
        created_at=use.created_at,
    )


async def find_key(
    conn: Connection, tenant_id: str, family: KeyScope, idempotency_key: str, cutoff: RetentionCutoff
) -> IdempotencyRecord | None:
    row = await one(
        conn,
        SQL["find_key"],
        tenant_id=tenant_id,
        family=family.value,
        idempotency_key=idempotency_key,
        runs_since=cutoff.runs_since,
    )
    if row is None:
        return None
    return IdempotencyRecord(
        tenant_id=row["tenant_id"],
        family=KeyScope(row["family"]),
        idempotency_key=row["idempotency_key"],
        request_hash=row["request_hash"],
        rebalance_run_id=row["rebalance_run_id"],
        created_at=row["created_at"],
        policy_hash=row["policy_pack_sha256"],
    )


def row_of(mapping: IdempotencyRecord) -> dict[str, object]:
    return {
        "tenant_id": mapping.tenant_id,
        "family": mapping.family.value,
        "idempotency_key": mapping.idempotency_key,
        "request_hash": mapping.request_hash,
        "rebalance_run_id": mapping.rebalance_run_id,
        "created_at": mapping.created_at,
        "policy_pack_sha256": mapping.policy_hash,
    }
