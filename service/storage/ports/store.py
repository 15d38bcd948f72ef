"""What the flows may ask of storage. Each write method is one act: all of it is kept, or nothing.

Every method may raise StoreUnavailable; an act that raises it kept nothing, unless its commit was cut short.
Every method may raise StoreRefused for what the database itself does not take; then nothing was kept either.

Whatever lies before the cutoff a read is given is not there for it, whether it was removed already or not.
The edge that an operation brought is the exception: it knows no end, and stays until the purge.
"""

from __future__ import annotations

from typing import Protocol

from service.storage.ports.dpm_runs import ArtifactStore, DpmRunStore, SupportabilityStore
from service.storage.ports.idempotency import IdempotencyStore
from service.storage.ports.lineage import LineageStore
from service.storage.ports.operations import OperationStore
from service.storage.ports.policy_packs import PolicyPackStore
from service.storage.ports.proposals import ProposalSimulationStore, ProposalStore
from service.storage.ports.retention import RetentionStore
from service.storage.ports.shadow_differences import ShadowDifferenceStore
from service.storage.ports.workflow_decisions import WorkflowDecisionStore


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
    def shadow_differences(self) -> ShadowDifferenceStore: ...

    @property
    def supportability(self) -> SupportabilityStore: ...

    @property
    def retention(self) -> RetentionStore: ...

    async def check(self) -> None:
        """Raises StoreUnavailable unless the store answers and has the schema this build was made for."""
        ...

    async def check_writable(self) -> None:
        """Raises StoreUnavailable, with its cause, unless a write would succeed; changes nothing."""
        ...

    async def close(self) -> None:
        """Finish the acts under way and let go of the store; later calls raise StoreUnavailable."""
        ...
