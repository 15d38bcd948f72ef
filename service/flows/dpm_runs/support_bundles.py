"""Everything that is known about one run, found by any id that leads to it (HTTP contract 7.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.domains.callers import Caller
from service.domains.dpm_runs.artifacts import Artifact
from service.domains.dpm_runs.values import DpmRun, RunSummary
from service.domains.idempotency import KeyHistoryEntry, KeyScope
from service.domains.lineage import TRAIL_EDGES_MAX, Edge, EdgeFilter, EdgeType
from service.domains.operations import Operation, OperationFilter, OperationType
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import HISTORY_ROWS_MAX, Page
from service.domains.workflow_decisions import WorkflowDecision
from service.errors.dpm_runs import RunNotFound
from service.errors.operations import OperationNotFound
from service.flows.dpm_runs.artifacts import ArtifactFlow
from service.flows.dpm_runs.references import run_id_of_key
from service.flows.runtime import Runtime
from service.storage.ports.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleParts:
    """The parts that can be left out."""

    artifact: bool = True
    async_operation: bool = True
    idempotency_history: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportBundle:
    """None stands for what was not wanted or is not there; a list with a cursor has more than is shown.

    `related` are the runs of the analysis that the run belongs to, itself included.
    """

    run: DpmRun
    artifact: Artifact | None
    operation: Operation | None
    decisions: Page[WorkflowDecision]
    edges: Page[Edge]
    key_uses: Page[KeyHistoryEntry] | None
    related: tuple[RunSummary, ...]


class SupportBundleFlow:
    def __init__(self, *, store: Store, runtime: Runtime, artifacts: ArtifactFlow) -> None:
        self._store = store
        self._clock = runtime.clock
        self._retention = runtime.retention
        self._artifacts = artifacts

    async def get(self, caller: Caller, rebalance_run_id: str, wanted: BundleParts) -> SupportBundle:
        """Raises RunNotFound."""
        cutoff = self._cutoff()
        return await self._bundle(caller, await self._run(caller, rebalance_run_id, cutoff), wanted, cutoff)

    async def get_by_key(self, caller: Caller, idempotency_key: str, wanted: BundleParts) -> SupportBundle:
        """The bundle of the run that a simulate key stands for now.

        Raises IdempotencyKeyNotFound, RunNotFound.
        """
        cutoff = self._cutoff()
        run_id = await run_id_of_key(caller, self._store, idempotency_key, cutoff)
        return await self._bundle(caller, await self._run(caller, run_id, cutoff), wanted, cutoff)

    async def get_by_correlation(
        self, caller: Caller, correlation_id: str, wanted: BundleParts
    ) -> SupportBundle:
        """The bundle of the newest run of a correlation id, or of the first that was caused under it.

        A scenario of an analysis carries the id its caller sent only as a part of its own; so an id that no
        run has stands for the newest batch, then for the newest operation, that was sent with it (D37).

        Raises RunNotFound.
        """
        cutoff = self._cutoff()
        run = await self._find_newest(caller, correlation_id, cutoff)
        if run is None:
            run = await self._first_caused(caller, await self._causes(caller, correlation_id, cutoff), cutoff)
        return await self._bundle(caller, run, wanted, cutoff)

    async def get_by_operation(self, caller: Caller, operation_id: str, wanted: BundleParts) -> SupportBundle:
        """The bundle of the newest run that has the operation's correlation id, or of the first it caused.

        Raises OperationNotFound, RunNotFound.
        """
        cutoff = self._cutoff()
        operation = await self._store.operations.get(caller.tenant_id, operation_id, cutoff)
        if not operation.is_analysis:  # A proposal's, which has no runs.
            raise OperationNotFound(operation_id=operation_id)
        run = await self._find_newest(caller, operation.correlation_id, cutoff)
        if run is None:
            run = await self._first_caused(caller, [operation_id], cutoff)
        return await self._bundle(caller, run, wanted, cutoff, asked_for=operation)

    async def _bundle(
        self,
        caller: Caller,
        run: DpmRun,
        wanted: BundleParts,
        cutoff: RetentionCutoff,
        asked_for: Operation | None = None,
    ) -> SupportBundle:
        edges = await self._store.lineage.list(
            caller.tenant_id,
            run.rebalance_run_id,
            EdgeFilter(),
            limit=TRAIL_EDGES_MAX,
            cursor=None,
            cutoff=cutoff,
        )
        cause_id = cause_of(run, edges.items)
        operation = asked_for
        if operation is None and wanted.async_operation:
            operation = await self._operation(caller, run, cause_id, cutoff)
        return SupportBundle(
            run=run,
            artifact=await self._artifacts.get_of(caller, run) if wanted.artifact else None,
            operation=operation if wanted.async_operation else None,
            decisions=await self._store.workflow_decisions.list_of_run(
                caller.tenant_id,
                run.rebalance_run_id,
                limit=HISTORY_ROWS_MAX,
                cursor=None,
            ),
            edges=edges,
            key_uses=await self._key_uses(caller, run, cutoff) if wanted.idempotency_history else None,
            related=await self._caused_by(caller, cause_id, cutoff) if cause_id else (),
        )

    async def _operation(
        self, caller: Caller, run: DpmRun, cause_id: str | None, cutoff: RetentionCutoff
    ) -> Operation | None:
        operations = self._store.operations
        if cause_id is not None:
            try:
                return await operations.get(caller.tenant_id, cause_id, cutoff)
            except OperationNotFound:  # A batch caused it, or the operation has expired.
                pass
        return await self._newest_analysis(caller, run.correlation_id, cutoff)

    async def _newest_analysis(
        self, caller: Caller, correlation_id: str, cutoff: RetentionCutoff
    ) -> Operation | None:
        analyses = OperationFilter(
            correlation_id=correlation_id, operation_type=OperationType.ANALYZE_SCENARIOS.value
        )
        page = await self._store.operations.list(
            caller.tenant_id, analyses, limit=1, cursor=None, cutoff=cutoff
        )
        if not page.items:
            return None
        try:
            return await self._store.operations.get(caller.tenant_id, page.items[0].operation_id, cutoff)
        except OperationNotFound:  # It expired since it was listed.
            return None

    async def _key_uses(
        self, caller: Caller, run: DpmRun, cutoff: RetentionCutoff
    ) -> Page[KeyHistoryEntry] | None:
        if run.idempotency_key is None:
            return None
        return await self._store.idempotency.list_history(
            caller.tenant_id,
            KeyScope.DPM_SIMULATE,
            run.idempotency_key,
            cutoff,
            limit=HISTORY_ROWS_MAX,
            cursor=None,
        )

    async def _causes(self, caller: Caller, correlation_id: str, cutoff: RetentionCutoff) -> list[str]:
        """The ids of the newest batch and the newest operation of a correlation id, where there are any."""
        batch_id = await self._store.dpm_runs.find_newest_batch(caller.tenant_id, correlation_id, cutoff)
        operation = await self._newest_analysis(caller, correlation_id, cutoff)
        found = (batch_id, operation.operation_id if operation else None)
        return [cause_id for cause_id in found if cause_id is not None]

    async def _first_caused(
        self, caller: Caller, cause_ids: Sequence[str], cutoff: RetentionCutoff
    ) -> DpmRun:
        for cause_id in cause_ids:
            caused = await self._caused_by(caller, cause_id, cutoff)
            if caused:
                return await self._run(caller, caused[0].rebalance_run_id, cutoff)
        raise RunNotFound()

    async def _caused_by(
        self, caller: Caller, cause_id: str, cutoff: RetentionCutoff
    ) -> tuple[RunSummary, ...]:
        return await self._store.dpm_runs.list_by_cause(caller.tenant_id, cause_id, cutoff)

    async def _find_newest(
        self, caller: Caller, correlation_id: str, cutoff: RetentionCutoff
    ) -> DpmRun | None:
        try:
            return await self._store.dpm_runs.get_newest_by_correlation(
                caller.tenant_id, correlation_id, cutoff
            )
        except RunNotFound:
            return None

    async def _run(self, caller: Caller, rebalance_run_id: str, cutoff: RetentionCutoff) -> DpmRun:
        return await self._store.dpm_runs.get(caller.tenant_id, rebalance_run_id, cutoff)

    def _cutoff(self) -> RetentionCutoff:
        return self._retention.cutoff_at(self._clock.now())


def cause_of(run: DpmRun, edges: Sequence[Edge]) -> str | None:
    """What caused the run, by its own edges."""
    found = (
        edge.target_entity_id
        for edge in edges
        if edge.edge_type is EdgeType.CAUSED_BY and edge.source_entity_id == run.rebalance_run_id
    )
    return next(found, None)
