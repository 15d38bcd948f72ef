"""What the flows may ask of storage. Each write method is one act: all of it is kept, or nothing.

Every method may raise StoreUnavailable; an act that raises it kept nothing, unless its commit was cut short.
Every method may raise StoreRefused for what the database itself does not take; then nothing was kept either.

Whatever lies before the horizon a read is given is not there for it, whether it was removed already or not.
The edge that an operation brought is the exception: it knows no end, and stays until the purge.
"""

from __future__ import annotations

from typing import Protocol

from service.domains.dpm_runs.artifacts import Artifact
from service.domains.dpm_runs.supportability import Summary, Unfinished
from service.domains.dpm_runs.values import (
    Admitted,
    BatchAdmission,
    DpmRun,
    ReplayAdmission,
    RunAdmission,
    RunFilter,
    RunHead,
    RunRequest,
    SealedRun,
)
from service.domains.idempotency import IdempotentAnswer, KeyFamily, KeyMapping, KeyUse
from service.domains.lineage import Direction, Edge, EdgeFilter, Trail
from service.domains.retention.cutoffs import Horizon
from service.domains.retention.deletions import Purge, PurgeRecord, Removed
from service.domains.values.pages import Page
from service.domains.workflow_decisions import DecisionFilter, ReviewRule, Verdict, WorkflowDecision
from service.storage.ports.operations import OperationStore
from service.storage.ports.policy_packs import PolicyPackStore
from service.storage.ports.proposals import ProposalSimulationStore, ProposalStore
from service.storage.ports.shadow_differences import ParityStore


class DpmRunStore(Protocol):
    async def admit(self, admission: RunAdmission, horizon: Horizon) -> Admitted:
        """Record a run with its request, key, history, artifact and edges, or replay the run of its key.

        With replay the stored key decides. If it is free, or its run has expired, the run is recorded. If it
        is taken with the same request hash under the same policy pack, the run it stands for is given back as
        it was answered; with another hash or pack, raises IdempotencyKeyConflict. Equal callers at once leave
        one run. Without replay the run is always recorded and the key moves to it.

        Raises RunExists when the run id is taken. A replay and a refusal write nothing.
        """
        ...

    async def admit_batch(self, batch: BatchAdmission) -> None:
        """Record the request and all runs of a batch, with their artifacts and edges, in one act.

        Raises RunExists when the batch id or any run id is taken; then nothing is written.
        """
        ...

    async def admit_replay(self, replay: ReplayAdmission, horizon: Horizon) -> None:
        """Record a run that repeats another, beside the request they share.

        Raises RunExists when the run id is taken, RunNotFound when the original is not there.
        """
        ...

    async def get(self, tenant_id: str, rebalance_run_id: str, horizon: Horizon) -> DpmRun:
        """Raises RunNotFound."""
        ...

    async def get_head(self, tenant_id: str, rebalance_run_id: str, horizon: Horizon) -> RunHead:
        """A run without its result. Raises RunNotFound."""
        ...

    async def get_sealed(self, tenant_id: str, rebalance_run_id: str, horizon: Horizon) -> SealedRun:
        """A run with its request and both digests as they were written. Raises RunNotFound."""
        ...

    async def get_newest_by_correlation(
        self, tenant_id: str, correlation_id: str, horizon: Horizon
    ) -> DpmRun:
        """The run of that correlation id created last, the larger id winning a tie. Raises RunNotFound."""
        ...

    async def get_newest_by_request_hash(self, tenant_id: str, request_hash: str, horizon: Horizon) -> DpmRun:
        """The run of that request hash created last, the larger id winning a tie. Raises RunNotFound."""
        ...

    async def get_request(self, tenant_id: str, request_id: str) -> RunRequest:
        """What was asked for a run or a batch. Raises RunNotFound."""
        ...

    async def list(
        self, tenant_id: str, runs: RunFilter, *, limit: int, cursor: str | None, horizon: Horizon
    ) -> Page[RunHead]:
        """Runs by creation and id, newest first; the cursor is the id of the last row.

        A cursor that is not the id of a run the filter lets through gives an empty page.
        """
        ...

    async def list_by_cause(self, tenant_id: str, cause_id: str, horizon: Horizon) -> tuple[RunHead, ...]:
        """The runs that a batch or an operation caused, by scenario name and then id."""
        ...

    async def find_newest_batch(self, tenant_id: str, correlation_id: str, horizon: Horizon) -> str | None:
        """The id of the batch last sent with that correlation id, the larger id winning a tie."""
        ...


class IdempotencyStore(Protocol):
    async def find(
        self, tenant_id: str, family: KeyFamily, idempotency_key: str, horizon: Horizon
    ) -> KeyMapping | None:
        """The run a key stands for now."""
        ...

    async def list_history(
        self,
        tenant_id: str,
        family: KeyFamily,
        idempotency_key: str,
        horizon: Horizon,
        *,
        limit: int,
        cursor: str | None,
    ) -> Page[KeyUse]:
        """The runs recorded under a key, by creation and id; the cursor is the id of the last."""
        ...


class LineageStore(Protocol):
    async def list(
        self,
        tenant_id: str,
        entity_id: str,
        edges: EdgeFilter,
        *,
        limit: int,
        cursor: str | None,
        horizon: Horizon,
    ) -> Page[Edge]:
        """The edges from an entity to what came of it (down) and to what it came from (up), by their places.

        The cursor is that of the last edge; one that names no edge of this list gives an empty page.
        """
        ...

    async def trace(
        self, tenant_id: str, entity_id: str, direction: Direction, depth: int, horizon: Horizon
    ) -> Trail:
        """Every edge met on walks of at most `depth` edges from an entity in the direction, each once.

        A walk may come back to where it was; it ends all the same.
        """
        ...


class ArtifactStore(Protocol):
    async def find(self, tenant_id: str, rebalance_run_id: str, horizon: Horizon) -> Artifact | None:
        """The artifact that was kept for a run."""
        ...

    async def keep(self, artifact: Artifact) -> Artifact:
        """Keep the artifact of a run and its edge, unless it has one; gives back the one that is kept.

        Raises RunNotFound when the run is not there.
        """
        ...


class WorkflowDecisionStore(Protocol):
    async def decide(
        self, verdict: Verdict, rule: ReviewRule, horizon: Horizon
    ) -> tuple[RunHead, WorkflowDecision]:
        """Check the verdict against the state the rule derives and append it, in one act.

        Of two at once one is appended. The other raises WorkflowInvalidTransition, or WorkflowStateConflict
        if it named the state it expected; unless it finds the state the first left and is allowed in it.

        Raises RunNotFound, WorkflowNotRequired, WorkflowStateConflict, WorkflowInvalidTransition, and
        DecisionExists when the decision id is taken.
        """
        ...

    async def decide_once(
        self, verdict: Verdict, rule: ReviewRule, horizon: Horizon, answer: IdempotentAnswer
    ) -> IdempotentAnswer | None:
        """Decide, and keep the answer under a key, in one act; None when it was decided now.

        When the key is taken with the same request hash, the answer that is kept is given back and nothing is
        written; with another hash, raises IdempotencyKeyConflict. Equal callers at once leave one decision.
        Raises what `decide` raises; then the key stays free.
        """
        ...

    async def list_of_run(
        self, tenant_id: str, rebalance_run_id: str, *, limit: int, cursor: str | None
    ) -> Page[WorkflowDecision]:
        """The decisions on a run in the order they were taken; the cursor is the id of the last.

        Of a run that is there.
        """
        ...

    async def find_latest(self, tenant_id: str, rebalance_run_id: str) -> WorkflowDecision | None:
        """The last decision on a run; of a run that is there."""
        ...

    async def list(
        self,
        tenant_id: str,
        decisions: DecisionFilter,
        *,
        limit: int,
        cursor: str | None,
        horizon: Horizon,
    ) -> Page[WorkflowDecision]:
        """Decisions by their time and id, newest first; the cursor is the id of the last row."""
        ...


class SupportabilityStore(Protocol):
    async def summarise(self, tenant_id: str, horizon: Horizon) -> Summary:
        """Exact counts and bounds of what has not expired, all as of one instant."""
        ...

    async def list_unfinished(self, tenant_id: str) -> tuple[Unfinished, ...]:
        """The PENDING and RUNNING operations by type and status, in that order; none that counts nothing.

        Takes as long as there are such operations, however many have ended.
        """
        ...

    async def fold(self) -> None:
        """Add up what changed since the last time, so that counting stays quick. Changes no count."""
        ...


class PurgeStore(Protocol):
    async def remove(self, purge: Purge) -> Removed | None:
        """Remove expired runs and operations with all that belongs to them, and keep a record of it.

        At most `limit` of each. Gives None, and does nothing, while another instance is at it. Removes and
        records nothing when nothing has expired.
        """
        ...

    async def list_records(self, tenant_id: str, *, limit: int) -> tuple[PurgeRecord, ...]:
        """What was removed, newest first."""
        ...


class Store(Protocol):
    @property
    def dpm_runs(self) -> DpmRunStore: ...

    @property
    def idempotency(self) -> IdempotencyStore: ...

    @property
    def lineage(self) -> LineageStore: ...

    @property
    def artifacts(self) -> ArtifactStore: ...

    @property
    def workflow_decisions(self) -> WorkflowDecisionStore: ...

    @property
    def operations(self) -> OperationStore: ...

    @property
    def proposals(self) -> ProposalStore: ...

    @property
    def proposal_simulations(self) -> ProposalSimulationStore: ...

    @property
    def policy_packs(self) -> PolicyPackStore: ...

    @property
    def parity(self) -> ParityStore: ...

    @property
    def supportability(self) -> SupportabilityStore: ...

    @property
    def purges(self) -> PurgeStore: ...

    async def check(self) -> None:
        """Raises StoreUnavailable unless the store answers and has the schema this build was made for."""
        ...

    async def check_writable(self) -> None:
        """Raises StoreUnavailable, with its cause, unless a write would succeed; changes nothing."""
        ...

    async def close(self) -> None:
        """Finish the acts under way and let go of the store; later calls raise StoreUnavailable."""
        ...
