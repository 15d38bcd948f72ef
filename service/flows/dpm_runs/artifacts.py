"""The artifact of a run: built when it is asked for, or kept (HTTP contract 7.6)."""

from __future__ import annotations

from collections.abc import Sequence

from service.domains.callers import Caller
from service.domains.dpm_runs.artifacts import Artifact
from service.domains.dpm_runs.values import DpmRun
from service.engines.dpm.artifact import (
    ArtifactDocument,
    ArtifactEvidence,
    ArtifactHashes,
    ArtifactPolicy,
    RequestSnapshot,
    build_artifact,
)
from service.flows.limits.work_costs import LOOP_ARTIFACT_BYTES_MAX, work_where
from service.flows.runtime import Runtime
from service.runtime.process_pool import Executor
from service.storage.ports.store import Store

# The first five are what an artifact is made of, for those who describe it.
__all__ = [
    "ArtifactDocument",
    "ArtifactEvidence",
    "ArtifactFlow",
    "ArtifactHashes",
    "ArtifactPolicy",
    "RequestSnapshot",
    "artifact_of",
    "artifacts_of",
    "build_artifacts",
]


class ArtifactFlow:
    def __init__(self, *, store: Store, runtime: Runtime, persisted: bool) -> None:
        self._store = store
        self._clock = runtime.clock
        self._retention = runtime.retention
        self._offload = runtime.offload
        self._persisted = persisted

    async def get(self, caller: Caller, rebalance_run_id: str) -> Artifact:
        """The same document in both modes and at every call (ruling 15). Raises RunNotFound."""
        kept = await self._find(caller, rebalance_run_id)
        if kept is not None:
            return kept
        cutoff = self._retention.cutoff_at(self._clock.now())
        return await self._build(await self._store.dpm_runs.get(caller.tenant_id, rebalance_run_id, cutoff))

    async def get_of(self, caller: Caller, run: DpmRun) -> Artifact:
        """The artifact of a run at hand. Raises RunNotFound when the run has gone meanwhile."""
        return await self._find(caller, run.rebalance_run_id) or await self._build(run)

    async def _find(self, caller: Caller, rebalance_run_id: str) -> Artifact | None:
        if not self._persisted:
            return None
        cutoff = self._retention.cutoff_at(self._clock.now())
        return await self._store.artifacts.find(caller.tenant_id, rebalance_run_id, cutoff)

    async def _build(self, run: DpmRun) -> Artifact:
        built = await artifact_of(run, self._offload)
        return await self._store.artifacts.keep(built) if self._persisted else built


async def artifact_of(run: DpmRun, offload: Executor) -> Artifact:
    """Builds the artifact of a run; hashing a large result would hold up the loop."""
    (artifact,) = await artifacts_of((run,), offload)
    return artifact


async def artifacts_of(runs: Sequence[DpmRun], offload: Executor) -> tuple[Artifact, ...]:
    """Builds the artifacts of runs, in their order."""
    small = sum(len(run.result) for run in runs) <= LOOP_ARTIFACT_BYTES_MAX
    return await work_where(offload, small, build_artifacts, runs)


def build_artifacts(runs: Sequence[DpmRun]) -> tuple[Artifact, ...]:
    return tuple(map(build_artifact, runs))
