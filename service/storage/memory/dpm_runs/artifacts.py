"""Artifacts in memory, found by their runs."""

from __future__ import annotations

from service.domains.dpm_runs.artifacts import Artifact, edge_of_artifact
from service.domains.retention.cutoffs import RetentionCutoff
from service.errors.dpm_runs import RunNotFound
from service.storage.memory import lineage
from service.storage.memory.tables.collector import hide
from service.storage.memory.tables.state import State


class MemoryArtifacts:
    def __init__(self, state: State) -> None:
        self.state = state

    async def find(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> Artifact | None:
        self.state.require_open()
        held = self.state.artifacts.get((tenant_id, rebalance_run_id))
        return held if held is not None and held.created_at >= cutoff.runs_since else None

    async def keep(self, artifact: Artifact) -> Artifact:
        self.state.require_open()
        if (artifact.tenant_id, artifact.rebalance_run_id) not in self.state.runs:
            raise RunNotFound(rebalance_run_id=artifact.rebalance_run_id)
        held = self.state.artifacts.get((artifact.tenant_id, artifact.rebalance_run_id))
        if held is not None:
            return held
        insert_artifact(self.state, artifact)
        return artifact


def insert_artifact(state: State, artifact: Artifact) -> None:
    """Write an artifact and its edge."""
    hide(artifact)
    state.artifacts[artifact.tenant_id, artifact.rebalance_run_id] = artifact
    lineage.insert_edges(state, artifact.tenant_id, [edge_of_artifact(artifact)])


def remove_artifact(state: State, tenant_id: str, rebalance_run_id: str) -> int:
    """Remove the artifact of a run; its edge is one of the run's."""
    return 0 if state.artifacts.pop((tenant_id, rebalance_run_id), None) is None else 1
