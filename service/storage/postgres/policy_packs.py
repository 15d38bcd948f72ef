"""The catalog of policy packs in PostgreSQL."""

from __future__ import annotations

from service.domains.policy_packs import Amendments, PackChange, read_pack
from service.domains.values.canonical import digest_of
from service.errors.policy_packs import PolicyCatalogConcurrentUpdate
from service.storage.postgres.database import Database
from service.storage.postgres.statements import Connection, every, one
from service.storage.queries import load

SQL = load("postgres", "policy_packs")


class PostgresPolicyPacks:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def amend(self, change: PackChange) -> None:
        async with self.database.act() as conn:
            await insert_change(conn, change)

    async def find_revision(self, tenant_id: str) -> int:
        async with self.database.look() as conn:
            row = await one(conn, SQL["find_revision"], tenant_id=tenant_id)
        return 0 if row is None else int(row["revision"])

    async def list_amendments(self, tenant_id: str) -> Amendments:
        async with self.database.look() as conn:
            rows = await every(conn, SQL["list_amendments"], tenant_id=tenant_id)
        return Amendments(
            max((row["revision"] for row in rows), default=0),
            {
                row["policy_pack_id"]: None if row["definition"] is None else read_pack(row["definition"])
                for row in rows
            },
        )


async def insert_change(conn: Connection, change: PackChange) -> None:
    """Waits for a rival that is just writing the same revision. Raises PolicyCatalogConcurrentUpdate."""
    definition = None if change.pack is None else change.pack.written()
    inserted = await one(
        conn,
        SQL["insert_change"],
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
