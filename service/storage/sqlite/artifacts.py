"""Artifacts in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import partial

from service.domains.dpm_runs.artifacts import Artifact, edge_of_artifact
from service.domains.lineage import Edge
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.errors.dpm_runs import RunNotFound
from service.storage.queries import load
from service.storage.sqlite import lineage
from service.storage.sqlite.database import Database
from service.storage.sqlite.statements import instant_of, one, text_of

SQL = load("sqlite", "artifacts")


class SqliteArtifacts:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def find(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> Artifact | None:
        return await self.database.read(
            partial(find_artifact, tenant_id=tenant_id, rebalance_run_id=rebalance_run_id, cutoff=cutoff)
        )

    async def keep(self, artifact: Artifact) -> Artifact:
        return await self.database.write(partial(keep, artifact=artifact))


def keep(conn: sqlite3.Connection, artifact: Artifact) -> Artifact:
    try:
        inserted = insert_artifact(conn, artifact)
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorname != "SQLITE_CONSTRAINT_FOREIGNKEY":
            raise
        raise RunNotFound(rebalance_run_id=artifact.rebalance_run_id) from error
    if inserted:
        lineage.insert_edges(conn, artifact.tenant_id, [edge_of_artifact(artifact)])
        return artifact
    kept = find_artifact(
        conn,
        tenant_id=artifact.tenant_id,
        rebalance_run_id=artifact.rebalance_run_id,
        cutoff=KEEP_ALL,
    )
    assert kept is not None, "an artifact that cannot be kept has another before it"
    return kept


def insert_new(
    conn: sqlite3.Connection, tenant_id: str, artifacts: Iterable[Artifact | None], edges: Iterable[Edge]
) -> None:
    """Write the artifacts of runs that were just written, where they have one, and all edges of the act."""
    given = [artifact for artifact in artifacts if artifact is not None]
    for artifact in given:
        inserted = insert_artifact(conn, artifact)
        assert inserted, "a new run has no artifact"
    lineage.insert_edges(conn, tenant_id, [*edges, *map(edge_of_artifact, given)])


def insert_artifact(conn: sqlite3.Connection, artifact: Artifact) -> bool:
    """Write an artifact unless its run has one; whether it was written. Its edge is not."""
    inserted = one(
        conn,
        SQL["insert_artifact"],
        tenant_id=artifact.tenant_id,
        rebalance_run_id=artifact.rebalance_run_id,
        artifact_id=artifact.artifact_id,
        artifact_hash=artifact.artifact_hash,
        created_at=text_of(artifact.created_at),
        body=artifact.body,
    )
    return inserted is not None


def find_artifact(
    conn: sqlite3.Connection, *, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff
) -> Artifact | None:
    row = one(
        conn,
        SQL["find_artifact"],
        tenant_id=tenant_id,
        rebalance_run_id=rebalance_run_id,
        runs_since=text_of(cutoff.runs_since),
    )
    if row is None:
        return None
    return Artifact(
        artifact_id=row["artifact_id"],
        tenant_id=row["tenant_id"],
        rebalance_run_id=row["rebalance_run_id"],
        artifact_hash=row["artifact_hash"],
        created_at=instant_of(row["created_at"]),
        body=row["body"],
    )
