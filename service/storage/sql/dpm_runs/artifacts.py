"""Artifacts of runs in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from service.domains.dpm_runs.artifacts import Artifact, edge_of_artifact
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.errors.dpm_runs import RunNotFound
from service.storage.sql import lineage
from service.storage.sql.acts import Act, ReferenceMissing, Row, SqlDatabase, many, one

NOUN = "artifacts"


class SqlArtifacts:
    def __init__(self, database: SqlDatabase) -> None:
        self.database = database

    async def find(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> Artifact | None:
        return await self.database.read(find_artifact, tenant_id, rebalance_run_id, cutoff)

    async def keep(self, artifact: Artifact) -> Artifact:
        return await self.database.write(keep, artifact)


def keep(artifact: Artifact) -> Act[Artifact]:
    try:
        inserted = yield from insert_artifacts([artifact])
    except ReferenceMissing:
        raise RunNotFound(rebalance_run_id=artifact.rebalance_run_id) from None
    if inserted:
        yield from lineage.insert_edges(artifact.tenant_id, [edge_of_artifact(artifact)])
        return artifact
    kept = yield from find_artifact(artifact.tenant_id, artifact.rebalance_run_id, KEEP_ALL)
    if kept is None:
        # Removed with its run, after it stood in the way.
        raise RunNotFound(rebalance_run_id=artifact.rebalance_run_id)
    return kept


def insert_artifacts(artifacts: Sequence[Artifact]) -> Act[int]:
    """Gives back how many were not there before."""
    return len((yield from many(NOUN, "insert_artifact", map(row_of, artifacts))))


def find_artifact(tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> Act[Artifact | None]:
    named = {"tenant_id": tenant_id, "rebalance_run_id": rebalance_run_id}
    row = yield from one(NOUN, "find_artifact", **named, runs_since=cutoff.runs_since)
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
