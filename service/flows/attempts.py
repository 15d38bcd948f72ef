"""One attempt at an operation: its lease is held, its scenarios are staged as they finish, its end is an act.

Whoever begins an operation goes through this, in a server or in a worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import structlog

from service.clock import Clock
from service.domains.analyses import AnalysisPlan, Analyzed, read_plan
from service.domains.dpm_runs import BatchAdmission
from service.domains.operations import (
    EXECUTION_ERROR,
    Claim,
    Ending,
    Lease,
    Operation,
    OperationError,
    OperationStatus,
    StagedScenario,
)
from service.engines.dpm import versions
from service.errors import OperationLost, ReplayEngineUnknown, StoreUnavailable
from service.flows.analyses import (
    batch_answer,
    batch_request,
    batch_runs,
    failed_scenario,
    outcomes_in_order,
    run_scenario,
)
from service.flows.artifacts import artifacts_of
from service.processes import EngineProcessDied, Offload
from service.storage.port import Store

# A lease is extended this many times while it lasts, so that one late extension does not end it.
EXTENSIONS_PER_LEASE = 4
# Between two tries while the store is away.
RETRY_SECONDS = 0.2
# An attempt whose lease is gone may have ended a moment ago, and not have heard of it yet.
LAST_WORD_SECONDS = 0.1
# Who stops does not wait longer for the store; what was not handed back is taken back when the lease ends.
HAND_BACK_SECONDS_MAX = 3.0

T = TypeVar("T")

logger = structlog.get_logger()


class AttemptRunner:
    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        offload: Offload,
        artifacts_persisted: bool,
        lease_seconds: float,
    ) -> None:
        self._store = store
        self._clock = clock
        self._offload = offload
        self._artifacts_persisted = artifacts_persisted
        self._lease_seconds = lease_seconds
        self._attempts: set[asyncio.Task[Any]] = set()

    async def close(self) -> None:
        """Hands back what still runs, so that nothing waits for a lease to end; nothing begins any more."""
        for attempt in self._attempts:
            attempt.cancel()
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=HAND_BACK_SECONDS_MAX)

    async def begin(self, tenant_id: str, operation_id: str) -> Claim:
        """Claims an operation. Raises OperationNotFound, OperationMoved, StoreUnavailable."""
        claim = await self._store.operations.claim(tenant_id, operation_id, self._lease())
        logger.info("operation_started", **_named(claim.operation))
        return claim

    async def run(self, claim: Claim) -> OperationStatus:
        """Works on a claimed operation until it has ended, well or not; gives what it ended as.

        Raises OperationLost when somebody else took it over or ended it, StoreUnavailable when the store was
        away for longer than the lease, ReplayEngineUnknown when this build cannot do it. A caller who is
        cancelled hands the operation back.
        """
        attempt = asyncio.current_task()
        assert attempt is not None, "an attempt is a task"
        self._attempts.add(attempt)
        try:
            return await self._run(claim)
        finally:
            self._attempts.discard(attempt)

    async def _run(self, claim: Claim) -> OperationStatus:
        work = asyncio.create_task(self._work_or_fail(claim))
        hold = asyncio.create_task(self._hold(claim))
        try:
            await asyncio.wait({work, hold}, return_when=asyncio.FIRST_COMPLETED)
            # The end itself lets go of the lease, and its own word may be on the way.
            await asyncio.wait({work}, timeout=LAST_WORD_SECONDS)
            return await (work if work.done() else hold)
        except asyncio.CancelledError:
            await _stop(work, hold)
            await self._hand_back(claim)
            raise
        except (OperationLost, StoreUnavailable) as error:
            logger.warning("operation_lost", code=error.code, **_named(claim.operation))
            raise
        finally:
            await _stop(work, hold)

    async def _work_or_fail(self, claim: Claim) -> OperationStatus:
        operation = claim.operation
        try:
            return await self._work(claim)
        except (OperationLost, ReplayEngineUnknown):
            raise
        except Exception as error:
            # Whatever it is, it would be the same at the next attempt, and the caller is to know (D16).
            logger.exception("operation_failed", **_named(operation))
            failure = OperationError(EXECUTION_ERROR, f"the operation failed with {type(error).__name__}")
            return await self._finish(claim, Ending(finished_at=self._clock.now(), error=failure))

    async def _work(self, claim: Claim) -> OperationStatus:
        operation = claim.operation
        plan = read_plan(operation.request)
        if plan.engine_version not in versions.ENGINES:
            # A fleet is brought up to date machine by machine; one that can do it will come.
            await self._hand_back(claim)
            raise ReplayEngineUnknown(engine_version=plan.engine_version)
        outcomes = await self._outcomes(claim, plan)
        analyzed = Analyzed(plan, outcomes_in_order(plan, outcomes))
        return await self._finish(claim, await self._ending(claim, analyzed))

    async def _outcomes(self, claim: Claim, plan: AnalysisPlan) -> list[StagedScenario]:
        """What came of every scenario: as an earlier attempt staged it, or computed and staged."""
        operation = claim.operation
        operations = self._store.operations
        found = list(
            await self._insist(lambda: operations.list_staged(operation.tenant_id, operation.operation_id))
        )
        known = {one.scenario for one in found}
        staging = Staging(lambda outcomes: self._stage(claim, outcomes))
        try:
            for scenario in plan.scenarios:
                if scenario.name not in known:
                    outcome = await self._compute(operation, scenario.name)
                    found.append(outcome)
                    staging.put(outcome)
            await staging.done()
        finally:
            await staging.close()
        return found

    async def _compute(self, operation: Operation, name: str) -> StagedScenario:
        try:
            return await self._offload(run_scenario, operation.request, name)
        except EngineProcessDied as error:
            logger.error("scenario_killed_its_process", scenario=name, **_named(operation))
            return failed_scenario(name, type(error).__name__)

    async def _stage(self, claim: Claim, outcomes: tuple[StagedScenario, ...]) -> None:
        await self._insist(lambda: self._store.operations.stage(claim, outcomes, self._lease()))

    async def _ending(self, claim: Claim, analyzed: Analyzed) -> Ending:
        finished_at = self._clock.now()
        runs = batch_runs(analyzed, finished_at)
        batch = None
        if runs:
            batch = BatchAdmission(
                request=batch_request(analyzed.plan, finished_at),
                runs=runs,
                cause_id=claim.operation.operation_id,
                artifacts=await artifacts_of(runs, self._offload) if self._artifacts_persisted else (),
            )
        return Ending(finished_at=finished_at, result=batch_answer(analyzed, finished_at), batch=batch)

    async def _finish(self, claim: Claim, ending: Ending) -> OperationStatus:
        await self._insist(lambda: self._store.operations.finish(claim, ending))
        seconds = (ending.finished_at - (claim.operation.started_at or ending.finished_at)).total_seconds()
        named = _named(claim.operation)
        logger.info("operation_ended", status=ending.status.value, seconds=seconds, **named)
        return ending.status

    async def _hold(self, claim: Claim) -> NoReturn:
        """Extends the lease for as long as it can be; only ever ends by raising."""
        held_until = self._clock.now() + timedelta(seconds=self._lease_seconds)
        while True:
            await asyncio.sleep(self._lease_seconds / EXTENSIONS_PER_LEASE)
            lease = self._lease()
            try:
                await self._store.operations.extend(claim, lease)
                held_until = lease.until
            except StoreUnavailable:
                if self._clock.now() > held_until:
                    raise

    async def _insist(self, act: Callable[[], Awaitable[T]]) -> T:
        """Tries again while the store is away: the lease decides when to give up, and cancels this."""
        while True:
            try:
                return await act()
            except StoreUnavailable:
                await asyncio.sleep(RETRY_SECONDS)

    async def _hand_back(self, claim: Claim) -> None:
        try:
            async with asyncio.timeout(HAND_BACK_SECONDS_MAX):
                await self._insist(lambda: self._store.operations.hand_back(claim, self._lease()))
        except (OperationLost, TimeoutError):
            logger.warning("operation_not_handed_back", **_named(claim.operation))
        else:
            logger.info("operation_handed_back", **_named(claim.operation))

    def _lease(self) -> Lease:
        now = self._clock.now()
        return Lease(now, now + timedelta(seconds=self._lease_seconds))


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
            await _stop(self._task)

    async def _drain(self) -> None:
        while self._waiting:
            outcomes, self._waiting = tuple(self._waiting), []
            await self._write(outcomes)


async def _stop(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    # What they raise is known or of no more interest.
    await asyncio.gather(*tasks, return_exceptions=True)


def _named(operation: Operation) -> dict[str, object]:
    return {"operation_id": operation.operation_id, "attempt": operation.attempt}
