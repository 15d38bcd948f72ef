"""The work of an accepted analysis: its scenarios are staged as they finish, and recorded together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from service.domains.callers import Caller
from service.domains.dpm_runs.values import RecordBatch
from service.domains.operations import Ending, Operation, OperationError, OperationStatus, StagedScenario
from service.domains.rebalances.analyses import AnalysisPlan, Analyzed, read_plan
from service.engines.dpm import versions
from service.errors.dpm_runs import ReplayEngineUnknown
from service.flows.dpm_runs.analyses import (
    AnswerRoom,
    BatchAnalysis,
    batch_request,
    batch_runs,
    outcomes_in_order,
)
from service.flows.dpm_runs.artifacts import artifacts_of
from service.flows.limits.work_costs import work_where
from service.flows.operations.attempts import Attempt, named
from service.flows.operations.scenarios import compute_scenario
from service.flows.runtime import Runtime
from service.observability.trace_context import current_trace_id
from service.runtime.large_texts import LOOP_BYTES_MAX, where_large


class AnalysisWork:
    def __init__(
        self, *, runtime: Runtime, artifacts_persisted: bool, encode: Callable[[BatchAnalysis], bytes]
    ) -> None:
        self._result_bytes_max = runtime.result_bytes_max
        self._clock = runtime.clock
        self._offload = runtime.offload
        self._artifacts_persisted = artifacts_persisted
        # Writes the answer that the operation keeps; how it is spelled is the business of the edge.
        self._encode = encode

    async def do(self, attempt: Attempt) -> OperationStatus:
        """Goes on after the scenarios that earlier attempts staged; see attempts.Work."""
        text = attempt.operation.request
        plan = await work_where(self._offload, len(text) <= LOOP_BYTES_MAX, read_plan, text)
        if plan.engine_version not in versions.ENGINES:
            # A fleet is brought up to date machine by machine; one that can do it will come.
            unknown = ReplayEngineUnknown(engine_version=plan.engine_version)
            await attempt.release(OperationError(unknown.code, str(unknown)))
            raise unknown
        outcomes = await self._outcomes(attempt, plan)
        analyzed = Analyzed(plan, outcomes_in_order(plan, outcomes))
        caller = Caller.of_tenant(attempt.operation.tenant_id)
        ending = await self._ending(caller, attempt.operation, analyzed)
        await attempt.finish(ending)
        return ending.status

    async def _outcomes(self, attempt: Attempt, plan: AnalysisPlan) -> list[StagedScenario]:
        """What came of every scenario: as an earlier attempt staged it, or computed and staged."""
        known = {one.scenario: one for one in await attempt.list_staged()}
        found: list[StagedScenario] = []
        room = AnswerRoom(self._result_bytes_max)
        staging = Staging(attempt.stage)
        try:
            for scenario in plan.scenarios:
                staged = known.get(scenario.name)
                outcome = room.take(
                    staged or await self._compute(attempt.operation, room.bytes_left, scenario.name)
                )
                found.append(outcome)
                if staged is None:
                    staging.put(outcome)
            await staging.done()
        finally:
            await staging.close()
        return found

    async def _compute(self, operation: Operation, bytes_left: int, name: str) -> StagedScenario:
        return await compute_scenario(self._offload, operation.request, bytes_left, name, **named(operation))

    async def _ending(self, caller: Caller, operation: Operation, analyzed: Analyzed) -> Ending:
        finished_at = self._clock.now()
        runs = batch_runs(caller, analyzed, finished_at)
        batch = None
        if runs:
            batch = RecordBatch(
                request=batch_request(caller, analyzed.plan, finished_at),
                runs=runs,
                cause_id=operation.operation_id,
                artifacts=await artifacts_of(runs, self._offload) if self._artifacts_persisted else (),
                trace_id=current_trace_id(),
            )
        answer = await where_large(analyzed.bytes_count, self._encode, BatchAnalysis(analyzed, finished_at))
        return Ending(finished_at=finished_at, result=answer, effect=batch)


class Staging:
    """Keeps outcomes while the next scenario is computed; those that come during one act go into the next."""

    def __init__(self, write: Callable[[tuple[StagedScenario, ...]], Awaitable[None]]) -> None:
        self._write = write
        self._waiting: list[StagedScenario] = []
        self._task: asyncio.Task[None] | None = None

    def put(self, outcome: StagedScenario) -> None:
        """Raises what an earlier act was refused with."""
        self._waiting.append(outcome)
        if self._task is None or self._task.done():
            if self._task is not None:
                self._task.result()
            self._task = asyncio.create_task(self._drain())

    async def done(self) -> None:
        """All that was put is kept. Raises what an act was refused with."""
        if self._task is not None:
            await self._task

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            # What it raises is known or of no more interest.
            await asyncio.gather(self._task, return_exceptions=True)

    async def _drain(self) -> None:
        while self._waiting:
            outcomes, self._waiting = tuple(self._waiting), []
            await self._write(outcomes)
