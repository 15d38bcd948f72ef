"""Simulations of proposals in SQLite, kept for a time under their keys."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from functools import partial

from service.domains.proposals.simulations import ProposalSimulation
from service.errors.idempotency import IdempotencyKeyConflict
from service.storage.queries import load
from service.storage.sqlite.database import Database
from service.storage.sqlite.statements import count, instant_of, one, text_of
from service.storage.texts import require_storable

SQL = load("sqlite", "proposal_simulations")


class SqliteProposalSimulations:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def keep(
        self, simulation: ProposalSimulation, *, kept_since: datetime
    ) -> ProposalSimulation | None:
        return await self.database.write(partial(keep, simulation=simulation, kept_since=kept_since))

    async def find(
        self, tenant_id: str, idempotency_key: str, *, kept_since: datetime
    ) -> ProposalSimulation | None:
        find = partial(find_simulation, tenant_id=tenant_id, idempotency_key=idempotency_key)
        return await self.database.read(partial(find, kept_since=kept_since))

    async def purge(self, tenant_id: str, *, created_before: datetime, limit: int) -> int:
        before = text_of(created_before)
        return await self.database.write(
            partial(
                count,
                query=SQL["delete_old_simulations"],
                tenant_id=tenant_id,
                created_before=before,
                limit=limit,
            )
        )


def keep(
    conn: sqlite3.Connection, simulation: ProposalSimulation, kept_since: datetime
) -> ProposalSimulation | None:
    require_storable(simulation)
    values = values_of(simulation)
    if one(conn, SQL["insert_simulation"], **values) is not None:
        return None
    held = find_simulation(
        conn,
        tenant_id=simulation.tenant_id,
        idempotency_key=simulation.idempotency_key,
        kept_since=kept_since,
    )
    if held is None:
        replaced = one(conn, SQL["replace_simulation"], **values, kept_since=text_of(kept_since))
        assert replaced is not None, "a key that is taken but not there counts as gone"
        return None
    if held.request_hash != simulation.request_hash:
        raise IdempotencyKeyConflict(key=simulation.idempotency_key)
    return held


def find_simulation(
    conn: sqlite3.Connection, *, tenant_id: str, idempotency_key: str, kept_since: datetime
) -> ProposalSimulation | None:
    row = one(
        conn,
        SQL["find_simulation"],
        tenant_id=tenant_id,
        idempotency_key=idempotency_key,
        kept_since=text_of(kept_since),
    )
    if row is None:
        return None
    return ProposalSimulation(
        tenant_id=row["tenant_id"],
        idempotency_key=row["idempotency_key"],
        request_hash=row["request_hash"],
        request=row["request"],
        result=row["result"],
        created_at=instant_of(row["created_at"]),
    )


def values_of(simulation: ProposalSimulation) -> dict[str, object]:
    return {
        "tenant_id": simulation.tenant_id,
        "idempotency_key": simulation.idempotency_key,
        "request_hash": simulation.request_hash,
        "created_at": text_of(simulation.created_at),
        "request": simulation.request,
        "result": simulation.result,
    }
