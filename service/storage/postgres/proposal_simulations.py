"""Simulations of proposals in PostgreSQL. Functions that take `conn` run in the caller's transaction."""

from __future__ import annotations

from datetime import datetime

from service.domains.proposals.simulations import ProposalSimulation
from service.errors.idempotency import IdempotencyKeyConflict
from service.storage.postgres.database import Database
from service.storage.postgres.statements import Connection, Row, one, run
from service.storage.queries import load
from service.storage.texts import require_storable

SQL = load("postgres", "proposal_simulations")

# Whoever stands in the way may be removed before we read it; its key is free then.
KEEPS_MAX = 5


class PostgresProposalSimulations:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def keep(
        self, simulation: ProposalSimulation, *, kept_since: datetime
    ) -> ProposalSimulation | None:
        async with self.database.act() as conn:
            return await keep(conn, simulation, kept_since)

    async def find(
        self, tenant_id: str, idempotency_key: str, *, kept_since: datetime
    ) -> ProposalSimulation | None:
        async with self.database.look() as conn:
            return await find(conn, tenant_id, idempotency_key, kept_since)

    async def purge(self, tenant_id: str, *, created_before: datetime, limit: int) -> int:
        async with self.database.act() as conn:
            return await run(
                conn,
                SQL["delete_old_simulations"],
                tenant_id=tenant_id,
                created_before=created_before,
                limit=limit,
            )


async def keep(
    conn: Connection, simulation: ProposalSimulation, kept_since: datetime
) -> ProposalSimulation | None:
    """Who finds the key taken has written nothing and holds no lock, however long reading it takes."""
    require_storable(simulation)
    row = row_of(simulation)
    for _ in range(KEEPS_MAX):
        if await one(conn, SQL["insert_simulation"], **row) is not None:
            return None
        if await one(conn, SQL["replace_simulation"], **row, kept_since=kept_since) is not None:
            return None
        kept = await find(conn, simulation.tenant_id, simulation.idempotency_key, kept_since)
        if kept is not None:
            if kept.request_hash != simulation.request_hash:
                raise IdempotencyKeyConflict(key=simulation.idempotency_key)
            return kept
    raise AssertionError("a key that is neither free nor held")


async def find(
    conn: Connection, tenant_id: str, idempotency_key: str, kept_since: datetime
) -> ProposalSimulation | None:
    row = await one(
        conn,
        SQL["find_simulation"],
        tenant_id=tenant_id,
        idempotency_key=idempotency_key,
        kept_since=kept_since,
    )
    return None if row is None else simulation_of(row)


def row_of(simulation: ProposalSimulation) -> dict[str, object]:
    return {
        "tenant_id": simulation.tenant_id,
        "idempotency_key": simulation.idempotency_key,
        "request_hash": simulation.request_hash,
        "created_at": simulation.created_at,
        "request": simulation.request,
        "result": simulation.result,
    }


def simulation_of(row: Row) -> ProposalSimulation:
    return ProposalSimulation(
        tenant_id=row["tenant_id"],
        idempotency_key=row["idempotency_key"],
        request_hash=row["request_hash"],
        request=row["request"],
        result=row["result"],
        created_at=row["created_at"],
    )
