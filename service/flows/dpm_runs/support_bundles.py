"""Everything that is known about one run, found by any id that leads to it (HTTP contract 7.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.domains.dpm_runs.artifacts import Artifact
from service.domains.dpm_runs.values import DEFAULT_TENANT, DpmRun, RunSummary
from service.domains.idempotency import KeyHistoryEntry, KeyScope
from service.domains.lineage import TRAIL_EDGES_MAX, Edge, EdgeFilter, EdgeType
from service.domains.operations import Operation, OperationFilter, OperationType
from service.domains.retention.cutoffs import Retention, RetentionCutoff
from service.domains.values.pages import HISTORY_ROWS_MAX, Page
from service.domains.workflow_decisions import WorkflowDecision
from service.errors.dpm_runs import RunNotFound
from service.errors.operations import OperationNotFound
from service.flows.dpm_runs.artifacts import ArtifactFlow
from service.flows.dpm_runs.references import run_id_of_key
from service.runtime.clock import Clock
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
    def __init__(self, *, store: Store, clock: Clock, retention: Retention, artifacts: ArtifactFlow) -> None:
        self._store = store
        self._clock = clock
        self._retention = retention
        self._artifacts = artifacts

    async def get(self, rebalance_run_id: str, wanted: BundleParts) -> SupportBundle:
        """Raises RunNotFound."""
        cutoff = self._cutoff()
        return await self._bundle(await self._run(rebalance_run_id, cutoff), wanted, cutoff)

    async def get_by_key(self, idempotency_key: str, wanted: BundleParts) -> SupportBundle:
        """The bundle of the run that a simulate key stands for now.

        Raises IdempotencyKeyNotFound, RunNotFound.
        """
        cutoff = self._cutoff()
        run_id = await run_id_of_key(self._store, idempotency_key, cutoff)
        return await self._bundle(await self._run(run_id, cutoff), wanted, cutoff)

    async def get_by_correlation(self, correlation_id: str, wanted: BundleParts) -> SupportBundle:
        """The bundle of the newest run of a correlation id, or of the first that was caused under it.

        A scenario of an analysis carries the id its caller sent only as a part of its own; so an id that no
        run has stands for the newest batch, then for the newest operation, that was sent with it (D37).

        Raises RunNotFound.
        """
        cutoff = self._cutoff()
        run = await self._find_newest(correlation_id, cutoff)
        if run is None:
            run = await self._first_caused(await self._causes(correlation_id, cutoff), cutoff)
        return await self._bundle(run, wanted, cutoff)

    async def get_by_operation(self, operation_id: str, wanted: BundleParts) -> SupportBundle:
        """The bundle of the newest run that has the operation's correlation id, or of the first it caused.

        Raises OperationNotFound, RunNotFound.
        """
        cutoff = self._cutoff()
        operation = await self._store.operations.get(DEFAULT_TENANT, operation_id, cutoff)
        if not operation.is_analysis:  # A proposal's, which has no runs.
            raise OperationNotFound(operation_id=operation_id)
        run = await self._find_newest(operation.correlation_id, cutoff)
        if run is None:
            run = await self._first_caused([operation_id], cutoff)
        return await self._bundle(run, wanted, cutoff, asked_for=operation)

    async def _bundle(
        self, run: DpmRun, wanted: BundleParts, cutoff: RetentionCutoff, asked_for: Operation | None = None
    ) -> SupportBundle:
        edges = await self._store.lineage.list(
            DEFAULT_TENANT,
            run.rebalance_run_id,
            EdgeFilter(),
            limit=TRAIL_EDGES_MAX,
            cursor=None,
            cutoff=cutoff,
        )
        cause_id = cause_of(run, edges.items)
        operation = asked_for
        if operation is None and wanted.async_operation:
            operation = await self._operation(run, cause_id, cutoff)
        return SupportBundle(
            run=run,
            artifact=await self._artifacts.get_of(run) if wanted.artifact else None,
            operation=operation if wanted.async_operation else None,
            decisions=await self._store.workflow_decisions.list_of_run(
                DEFAULT_TENANT,
                run.rebalance_run_id,
                limit=HISTORY_ROWS_MAX,
                cursor=None,
            ),
            edges=edges,
            key_uses=await self._key_uses(run, cutoff) if wanted.idempotency_history else None,
            related=await self._caused_by(cause_id, cutoff) if cause_id else (),
        )

    async def _operation(
        self, run: DpmRun, cause_id: str | None, cutoff: RetentionCutoff
    ) -> Operation | None:
        operations = self._store.operations
        if cause_id is not None:
            try:
                return await operations.get(DEFAULT_TENANT, cause_id, cutoff)
            except OperationNotFound:  # A batch caused it, or the operation has expired.
                pass
        return await self._newest_analysis(run.correlation_id, cutoff)

    async def _newest_analysis(self, correlation_id: str, cutoff: RetentionCutoff) -> Operation | None:
        analyses = OperationFilter(
            correlation_id=correlation_id, operation_type=OperationType.ANALYZE_SCENARIOS.value
        )
        page = await self._store.operations.list(
            DEFAULT_TENANT, analyses, limit=1, cursor=None, cutoff=cutoff
        )
        if not page.items:
            return None
        try:
            return await self._store.operations.get(DEFAULT_TENANT, page.items[0].operation_id, cutoff)
        except OperationNotFound:  # It expired since it was listed.
            return None

    async def _key_uses(self, run: DpmRun, cutoff: RetentionCutoff) -> Page[KeyHistoryEntry] | None:
        if run.idempotency_key is None:
            return None
        return await self._store.idempotency.list_history(
            DEFAULT_TENANT,
            KeyScope.DPM_SIMULATE,
            run.idempotency_key,
            cutoff,
            limit=HISTORY_ROWS_MAX,
            cursor=None,
        )

    async def _causes(self, correlation_id: str, cutoff: RetentionCutoff) -> list[str]:
        """The ids of the newest batch and the newest operation of a correlation id, where there are any."""
        batch_id = await self._store.dpm_runs.find_newest_batch(DEFAULT_TENANT, correlation_id, cutoff)
        operation = await self._newest_analysis(correlation_id, cutoff)
        found = (batch_id, operation.operation_id if operation else None)
        return [cause_id for cause_id in found if cause_id is not None]

    async def _first_caused(self, cause_ids: Sequence[str], cutoff: RetentionCutoff) -> DpmRun:
        for cause_id in cause_ids:
            caused = await self._caused_by(cause_id, cutoff)
            if caused:
                return await self._run(caused[0].rebalance_run_id, cutoff)
        raise RunNotFound()

    async def _caused_by(self, cause_id: str, cutoff: RetentionCutoff) -> tuple[RunSummary, ...]:
        return await self._store.dpm_runs.list_by_cause(DEFAULT_TENANT, cause_id, cutoff)

    async def _find_newest(self, correlation_id: str, cutoff: RetentionCutoff) -> DpmRun | None:
        try:
            return await self._store.dpm_runs.get_newest_by_correlation(
                DEFAULT_TENANT, correlation_id, cutoff
            )
        except RunNotFound:
            return None

    async def _run(self, rebalance_run_id: str, cutoff: RetentionCutoff) -> DpmRun:
        return await self._store.dpm_runs.get(DEFAULT_TENANT, rebalance_run_id, cutoff)

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
