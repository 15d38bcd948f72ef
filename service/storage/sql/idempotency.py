"""Keys and their history in SQL."""

from __future__ import annotations

from service.domains.idempotency import IdempotencyRecord, KeyHistoryEntry, KeyScope
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import EARLIEST, Page, empty_page, page_of
from service.storage.sql.acts import Act, Row, SqlDatabase, every, one

NOUN = "idempotency"

# The run of a key may expire, be removed or be renewed while we look; each time we look again.
CLAIMS_MAX = 5


class SqlIdempotency:
    def __init__(self, database: SqlDatabase) -> None:
        self.database = database

    async def find(
        self, tenant_id: str, family: KeyScope, idempotency_key: str, cutoff: RetentionCutoff
    ) -> IdempotencyRecord | None:
        return await self.database.read(find_key, tenant_id, family, idempotency_key, cutoff)

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
            list_uses, tenant_id, family, idempotency_key, cutoff, limit=limit, cursor=cursor
        )


def claim(mapping: IdempotencyRecord, cutoff: RetentionCutoff) -> Act[str | None]:
    """Give the key to this run, or return the id of the run it stands for already.

    A key whose run has expired is free; a rival that is just claiming it is waited for. Raises
    IdempotencyKeyConflict when the key stands for another request, or for the same under another policy pack.
    """
    for _ in range(CLAIMS_MAX):
        if (yield from one(NOUN, "claim_key", **row_of(mapping))) is not None:
            return None
        held = yield from find_key(mapping.tenant_id, mapping.family, mapping.idempotency_key, cutoff)
        if held is not None:
            held.require_same(mapping.request_hash, mapping.policy_hash)
            return held.rebalance_run_id
        if (yield from one(NOUN, "renew_key", **row_of(mapping), runs_since=cutoff.runs_since)) is not None:
            return None
    raise AssertionError("a key that is neither free nor held")


def move(mapping: IdempotencyRecord) -> Act[None]:
    yield from every(NOUN, "move_key", **row_of(mapping))


def insert_use(use: KeyHistoryEntry) -> Act[None]:
    yield from every(
        NOUN,
        "insert_use",
        tenant_id=use.tenant_id,
        family=use.family.value,
        idempotency_key=use.idempotency_key,
        rebalance_run_id=use.rebalance_run_id,
        correlation_id=use.correlation_id,
        request_hash=use.request_hash,
        created_at=use.created_at,
    )


def find_key(
    tenant_id: str, family: KeyScope, idempotency_key: str, cutoff: RetentionCutoff
) -> Act[IdempotencyRecord | None]:
    row = yield from one(
        NOUN,
        "find_key",
        tenant_id=tenant_id,
        family=family.value,
        idempotency_key=idempotency_key,
        runs_since=cutoff.runs_since,
    )
    return None if row is None else record_of(row)


def list_uses(
    tenant_id: str,
    family: KeyScope,
    idempotency_key: str,
    cutoff: RetentionCutoff,
    *,
    limit: int,
    cursor: str | None,
) -> Act[Page[KeyHistoryEntry]]:
    key = {"tenant_id": tenant_id, "family": family.value, "idempotency_key": idempotency_key}
    since = {"runs_since": cutoff.runs_since}
    after_at = EARLIEST
    if cursor is not None:
        last = yield from one(NOUN, "find_use", rebalance_run_id=cursor, **key, **since)
        if last is None:
            return empty_page()
        after_at = last["created_at"]
    after = {"after_at": after_at, "after_id": cursor or ""}
    rows = yield from every(NOUN, "list_uses", limit=limit + 1, **key, **since, **after)
    return page_of([use_of(row) for row in rows], limit, lambda use: use.rebalance_run_id)


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


def record_of(row: Row) -> IdempotencyRecord:
    return IdempotencyRecord(
        tenant_id=row["tenant_id"],
        family=KeyScope(row["family"]),
        idempotency_key=row["idempotency_key"],
        request_hash=row["request_hash"],
        rebalance_run_id=row["rebalance_run_id"],
        created_at=row["created_at"],
        policy_hash=row["policy_pack_sha256"],
    )


def use_of(row: Row) -> KeyHistoryEntry:
    return KeyHistoryEntry(
        tenant_id=row["tenant_id"],
        family=KeyScope(row["family"]),
        idempotency_key=row["idempotency_key"],
        rebalance_run_id=row["rebalance_run_id"],
        correlation_id=row["correlation_id"],
        request_hash=row["request_hash"],
        created_at=row["created_at"],
    )
