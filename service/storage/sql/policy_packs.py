"""The catalog of policy packs in SQL."""

from __future__ import annotations

from service.domains.policy_packs import Amendments, PackChange, read_pack
from service.domains.values.canonical import digest_of
from service.errors.policy_packs import PolicyCatalogConcurrentUpdate
from service.storage.sql.acts import Act, SqlDatabase, every, one

NOUN = "policy_packs"


class SqlPolicyPacks:
    def __init__(self, database: SqlDatabase) -> None:
        self.database = database

    async def amend(self, change: PackChange) -> None:
        await self.database.write(insert_change, change)

    async def find_revision(self, tenant_id: str) -> int:
        return await self.database.read(find_revision, tenant_id)

    async def list_amendments(self, tenant_id: str) -> Amendments:
        rows = await self.database.read(every, NOUN, "list_amendments", tenant_id=tenant_id)
        return Amendments(
            max((row["revision"] for row in rows), default=0),
            {
                row["policy_pack_id"]: None if row["definition"] is None else read_pack(row["definition"])
                for row in rows
            },
        )


def insert_change(change: PackChange) -> Act[None]:
    """Waits for a rival that is just writing the same revision. Raises PolicyCatalogConcurrentUpdate."""
    definition = None if change.pack is None else change.pack.written()
    inserted = yield from one(
        NOUN,
        "insert_change",
        tenant_id=change.tenant_id,
        revision=change.revision,
        policy_pack_id=change.policy_pack_id,
        version=None if change.pack is None else change.pack.version,
        changed_at=change.changed_at,
        correlation_id=change.correlation_id,
        definition_sha256=None if definition is None else digest_of(definition),
        definition=definition,
    )
    if inserted is None:
        raise PolicyCatalogConcurrentUpdate(revision=change.revision)


def find_revision(tenant_id: str) -> Act[int]:
    row = yield from one(NOUN, "find_revision", tenant_id=tenant_id)
    return 0 if row is None else int(row["revision"])
