"""What the flows may ask of storage about runs, their artifacts and their counts."""

from __future__ import annotations

from typing import Protocol

from service.domains.dpm_runs.artifacts import Artifact
from service.domains.dpm_runs.supportability import Summary, Unfinished
from service.domains.dpm_runs.values import (
    DpmRun,
    RecordBatch,
    Recorded,
    RecordReplay,
    RecordRun,
    RunFilter,
    RunRequest,
    RunSummary,
    StoredRun,
)
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import Page


class DpmRunStore(Protocol):
    async def admit(self, admission: RecordRun, cutoff: RetentionCutoff) -> Recorded:
        """Record a run with its request, key, history, artifact and edges, or replay the run of its key.

        With replay the stored key decides. If it is free, or its run has expired, the run is recorded. If it
        is taken with the same request hash under the same policy pack, the run it stands for is given back as
        it was answered; with another hash or pack, raises IdempotencyKeyConflict. Equal callers at once leave
        one run. Without replay the run is always recorded and the key moves to it.

        Raises RunExists when the run id is taken. A replay and a refusal write nothing.
        """
        ...

    async def admit_batch(self, batch: RecordBatch) -> None:
        """Record the request and all runs of a batch, with their artifacts and edges, in one act.

        Raises RunExists when the batch id or any run id is taken; then nothing is written.
        """
        ...

    async def admit_replay(self, replay: RecordReplay, cutoff: RetentionCutoff) -> None:
        """Record a run that repeats another, beside the request they share.

        Raises RunExists when the run id is taken, RunNotFound when the original is not there.
        """
        ...

    async def get(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> DpmRun:
        """Raises RunNotFound."""
        ...

    async def get_head(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> RunSummary:
        """A run without its result. Raises RunNotFound."""
        ...

    async def get_sealed(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> StoredRun:
        """A run with its request and both digests as they were written. Raises RunNotFound."""
        ...

    async def get_newest_by_correlation(
        self, tenant_id: str, correlation_id: str, cutoff: RetentionCutoff
    ) -> DpmRun:
        """The run of that correlation id created last, the larger id winning a tie. Raises RunNotFound."""
        ...

    async def get_newest_by_request_hash(
        self, tenant_id: str, request_hash: str, cutoff: RetentionCutoff
    ) -> DpmRun:
        """The run of that request hash created last, the larger id winning a tie. Raises RunNotFound."""
        ...

    async def get_request(self, tenant_id: str, request_id: str) -> RunRequest:
        """What was asked for a run or a batch. Raises RunNotFound."""
        ...

    async def list(
        self, tenant_id: str, runs: RunFilter, *, limit: int, cursor: str | None, cutoff: RetentionCutoff
    ) -> Page[RunSummary]:
        """Runs by creation and id, newest first; the cursor is the id of the last row.

        A cursor that is not the id of a run the filter lets through gives an empty page.
        """
        ...

    async def list_by_cause(
        self, tenant_id: str, cause_id: str, cutoff: RetentionCutoff
    ) -> tuple[RunSummary, ...]:
        """The runs that a batch or an operation caused, by scenario name and then id."""
        ...

    async def find_newest_batch(
        self, tenant_id: str, correlation_id: str, cutoff: RetentionCutoff
    ) -> str | None:
        """The id of the batch last sent with that correlation id, the larger id winning a tie."""
        ...


class ArtifactStore(Protocol):
    async def find(self, tenant_id: str, rebalance_run_id: str, cutoff: RetentionCutoff) -> Artifact | None:
        """The artifact that was kept for a run."""
        ...

    async def keep(self, artifact: Artifact) -> Artifact:
        """Keep the artifact of a run and its edge, unless it has one; gives back the one that is kept.

        Raises RunNotFound when the run is not there.
        """
        ...


class SupportabilityStore(Protocol):
    async def summarise(self, tenant_id: str, cutoff: RetentionCutoff) -> Summary:
        """Exact counts and bounds of what has not expired, all as of one instant."""
        ...

    async def list_unfinished(self, tenant_id: str) -> tuple[Unfinished, ...]:
        """The PENDING and RUNNING operations by type and status, in that order; none that counts nothing.

        Takes as long as there are such operations, however many have ended.
        """
        ...

    async def compact(self) -> None:
        """Add up what changed since the last time, so that counting stays quick. Changes no count."""
        ...
