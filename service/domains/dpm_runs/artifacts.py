"""The artifact of a run as it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from service.domains.lineage import Edge, EdgeType


@dataclass(frozen=True, slots=True)
class Artifact:
    """`body` is the artifact as it is answered. It has the instant of its run and goes with it."""

    artifact_id: str
    tenant_id: str
    rebalance_run_id: str
    artifact_hash: str
    created_at: datetime
    body: bytes


def edge_of_artifact(artifact: Artifact) -> Edge:
    """The edge an artifact brings once it is kept."""
    return Edge(
        artifact.artifact_id,
        EdgeType.DERIVED_FROM,
        artifact.rebalance_run_id,
        artifact.created_at,
        {"artifact_hash": artifact.artifact_hash},
    )
