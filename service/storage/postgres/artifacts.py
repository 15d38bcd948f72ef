"""Artifacts in PostgreSQL."""

from __future__ import annotations

import asyncpg

from service.domains.dpm_runs.artifacts import Artifact, edge_of_artifact
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.errors.dpm_runs import RunNotFound
from service.storage.postgres import lineage
from service.storage.postgres.database import Database
from service.storage.postgres.statements import Connection, Row, many, one
from service.storage.queries import load

SQL = load("postgres", "artifacts")


class PostgresArtifacts:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def find(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> Artifact | None:
        async with self.database.look() as conn:
            return await find_artifact(conn, tenant_id, rebalance_run_id, cutoff)

    async def keep(self, artifact: Artifact) -> Artifact:
        async with self.database.act() as conn:
            return await keep(conn, artifact)


async def keep(conn: Connection, artifact: Artifact) -> Artifact:
    try:
        inserted = await insert_artifacts(conn, [artifact])
    except asyncpg.ForeignKeyViolationError:
        raise RunNotFound(rebalance_run_id=artifact.rebalance_run_id) from None
    if inserted:
        await lineage.insert_edges(conn, artifact.tenant_id, [edge_of_artifact(artifact)])
        return artifact
    kept = await find_artifact(conn, artifact.tenant_id, artifact.rebalance_run_id, KEEP_ALL)
    if kept is None:
        # Removed with its run, after it stood in the way.
        raise RunNotFound(rebalance_run_id=artifact.rebalance_run_id)
    return kept


async def insert_artifacts(conn: Connection, artifacts: list[Artifact]) -> int:
    """Gives back how many were not there before."""
    inserted = await many(conn, SQL["insert_artifact"], [row_of(artifact) for artifact in artifacts])
    return len(inserted)


async def find_artifact(
    conn: Connection, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff
) -> Artifact | None:
    row = await one(
        conn,
        SQL["find_artifact"],
        tenant_id=tenant_id,
        rebalance_run_id=rebalance_run_id,
        runs_since=cutoff.runs_since,
    )
    return None if row is None else artifact_of(row)


def row_of(artifact: Artifact) -> dict[str, object]:
    return {
        "tenant_id": artifact.tenant_id,
        "rebalance_run_id": artifact.rebalance_run_id,
        "artifact_id": artifact.artifact_id,
        "artifact_hash": artifact.artifact_hash,
        "created_at": artifact.created_at,
        "body": artifact.body,
    }


def artifact_of(row: Row) -> Artifact:
    return Artifact(
        artifact_id=row["artifact_id"],
        tenant_id=row["tenant_id"],
        rebalance_run_id=row["rebalance_run_id"],
        artifact_hash=row["artifact_hash"],
        created_at=row["created_at"],
        body=row["body"],
    )
