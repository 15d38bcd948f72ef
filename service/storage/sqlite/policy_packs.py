"""The catalog of policy packs in SQLite. Functions that take `conn` run in a transaction of their caller."""

from __future__ import annotations

import sqlite3
from functools import partial

from service.domains.policy_packs import Amendments, PackChange, read_pack
from service.domains.values.canonical import digest_of
from service.errors.policy_packs import PolicyCatalogConcurrentUpdate
from service.storage.queries import load
from service.storage.sqlite.database import Database
from service.storage.sqlite.statements import every, one, text_of

SQL = load("sqlite", "policy_packs")


class SqlitePolicyPacks:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def amend(self, change: PackChange) -> None:
        await self.database.write(partial(insert_change, change=change))

    async def find_revision(self, tenant_id: str) -> int:
        return await self.database.read(partial(find_revision, tenant_id=tenant_id))

    async def list_amendments(self, tenant_id: str) -> Amendments:
        rows = await self.database.read(partial(every, query=SQL["list_amendments"], tenant_id=tenant_id))
        return Amendments(
            max((row["revision"] for row in rows), default=0),
            {
                row["policy_pack_id"]: None if row["definition"] is None else read_pack(row["definition"])
                for row in rows
            },
        )


def insert_change(conn: sqlite3.Connection, change: PackChange) -> None:
    """Raises PolicyCatalogConcurrentUpdate."""
    definition = None if change.pack is None else change.pack.written()
    inserted = one(
        conn,
        SQL["insert_change"],
        tenant_id=change.tenant_id,
        revision=change.revision,
        policy_pack_id=change.policy_pack_id,
        version=None if change.pack is None else change.pack.version,
        changed_at=text_of(change.changed_at),
        correlation_id=change.correlation_id,
        definition_sha256=None if definition is None else digest_of(definition),
        definition=definition,
    )
    if inserted is None:
        raise PolicyCatalogConcurrentUpdate(revision=change.revision)


def find_revision(conn: sqlite3.Connection, *, tenant_id: str) -> int:
    row = one(conn, SQL["find_revision"], tenant_id=tenant_id)
    return 0 if row is None else row["revision"]
