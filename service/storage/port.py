"""What the flows may ask of storage. Each write method is one act: all of it is kept, or nothing.

Every method may raise StoreUnavailable; an act that raises it kept nothing, unless its commit was cut short.
"""

from __future__ import annotations

from typing import Protocol

from service.domains.dpm_runs import Admitted, BatchAdmission, DpmRun, RunAdmission, RunRequest
from service.domains.idempotency import KeyFamily, KeyMapping, KeyUse
from service.domains.lineage import Edge


class DpmRunStore(Protocol):
    async def admit(self, admission: RunAdmission) -> Admitted:
        """Record a run with its request, key, history and edges, or replay the run its key stands for.

        With replay the stored key decides. If it is free, the run is recorded. If it is taken with the same
        request hash, the run it stands for is given back as it was answered; with another hash, raises
        IdempotencyKeyConflict. Equal callers at once leave one run. Without replay the run is always recorded
        and the key moves to it.

        Raises RunExists when the run id is taken. A replay and a refusal write nothing.
        """
        ...

    async def admit_batch(self, batch: BatchAdmission) -> None:
        """Record the request and all runs of a batch, with their edges, in one act.

        Raises RunExists when the batch id or any run id is taken; then nothing is written.
        """
        ...

    async def get(self, tenant_id: str, rebalance_run_id: str) -> DpmRun:
        """Raises RunNotFound."""
        ...

    async def get_newest_by_correlation(self, tenant_id: str, correlation_id: str) -> DpmRun:
        """The run of that correlation id created last, the larger id winning a tie. Raises RunNotFound."""
        ...

    async def get_request(self, tenant_id: str, request_id: str) -> RunRequest:
        """What was asked for a run or a batch. Raises RunNotFound."""
        ...


class IdempotencyStore(Protocol):
    async def find(self, tenant_id: str, family: KeyFamily, idempotency_key: str) -> KeyMapping | None:
        """The run a key stands for now."""
        ...

    async def list_history(
        self, tenant_id: str, family: KeyFamily, idempotency_key: str
    ) -> tuple[KeyUse, ...]:
        """Every run recorded under a key, by creation and then id; empty for an unknown key."""
        ...


class LineageStore(Protocol):
    async def list_edges(self, tenant_id: str, entity_id: str) -> tuple[Edge, ...]:
        """The edges that start or end at an entity, each once, by creation, source, type and target."""
        ...


class Store(Protocol):
    @property
    def dpm_runs(self) -> DpmRunStore: ...

    @property
    def idempotency(self) -> IdempotencyStore: ...

    @property
    def lineage(self) -> LineageStore: ...

    async def check(self) -> None:
        """Raises StoreUnavailable unless the store answers and has the schema this build was made for."""
        ...

    async def close(self) -> None:
        """Finish the acts under way and let go of the store; later calls raise StoreUnavailable."""
        ...
