"""One attempt at an operation: its lease is held, what finishes is staged, and its end is one act.

Every attempt at an operation goes through this, in a server or in a worker.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NoReturn, Protocol, TypeVar

import structlog

from service.domains.operations import (
    EXECUTION_ERROR,
    RELEASE,
    STORE_REFUSED,
    Claim,
    Ending,
    Lease,
    Operation,
    OperationError,
    OperationStatus,
    OperationType,
    StagedScenario,
)
from service.domains.proposals.values import ProposalKey
from service.errors.dpm_runs import ReplayEngineUnknown
from service.errors.operations import LeaseLost, OperationEnded, OperationNotFound, OperationNotPending
from service.errors.storage import StoreUnavailable
from service.runtime.clock import Clock
from service.storage.ports.store import Store

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


class Work(Protocol):
    """What operations of a type are: pure work, a look at the store, and one act at the end."""

    async def do(self, attempt: Attempt) -> OperationStatus:
        """Works until the operation has ended, and gives what it ended as.

        Raises LeaseLost, and ReplayEngineUnknown once it has handed back what this build cannot do.
        Whatever else it raises fails the operation.
        """
        ...


class Attempt:
    """What a work may do with the operation it has; each act is tried again while the store is away."""

    def __init__(self, runner: AttemptRunner, claim: Claim) -> None:
        self._runner = runner
        self._claim = claim

    @property
    def operation(self) -> Operation:
        return self._claim.operation

    async def list_staged(self) -> tuple[StagedScenario, ...]:
        """What earlier attempts staged."""
        return await self._runner.list_staged(self._claim)

    async def stage(self, outcomes: tuple[StagedScenario, ...]) -> None:
        """Raises LeaseLost."""
        await self._runner.stage(self._claim, outcomes)

    async def finish(self, ending: Ending) -> ProposalKey | None:
        """Ends the operation. Raises LeaseLost and what an effect is refused with.

        Gives the key that an effect found taken; then nothing was written.
        """
        return await self._runner.finish(self._claim, ending)

    async def release(self, error: OperationError) -> None:
        """Gives the operation back for others to run; the error says why this attempt is over."""
        await self._runner.release(self._claim, error)


class AttemptRunner:
    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        works: Mapping[OperationType, Work],
        lease_seconds: float,
        attempts_max: int,
        owner: str | None = None,
    ) -> None:
        """`owner` names this process in the leases it holds."""
        self._store = store
        self._clock = clock
        self._works = works
        self._lease_seconds = lease_seconds
        self._attempts_max = attempts_max
        self._owner = owner
        self._attempts: set[asyncio.Task[Any]] = set()
        # Set for an operation whose lease is to be looked at now.
        self._checks: dict[str, asyncio.Event] = {}

    async def close(self) -> None:
        """Hands back what still runs, so that nothing waits for a lease to end; nothing begins any more."""
        for attempt in self._attempts:
            attempt.cancel()
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=HAND_BACK_SECONDS_MAX)

    async def begin(self, tenant_id: str, operation_id: str) -> Claim:
        """Claims an operation. Raises OperationNotFound, OperationNotPending, StoreUnavailable.

        An operation whose claim the store refuses fails, as every attempt would; then this raises
        OperationNotPending.
        """
        try:
            claim = await self._store.operations.claim(tenant_id, operation_id, self._lease())
        except (OperationNotFound, OperationNotPending, LeaseLost, StoreUnavailable):
            raise
        except Exception as error:
            logger.exception("operation_claim_refused", operation_id=operation_id)
            failure = OperationError(
                STORE_REFUSED, f"the store refused the claim with {type(error).__name__}"
            )
            with contextlib.suppress(OperationEnded):
                await self._store.operations.fail(
                    tenant_id, operation_id, now=self._clock.now(), error=failure
                )
            raise OperationNotPending(operation_id=operation_id) from error
        logger.info("operation_started", **named(claim.operation))
        return claim

    def check_lease(self, operation_id: str) -> None:
        """Has the holder of an operation, if it is in this process, find out at once whether it still is."""
        if (check := self._checks.get(operation_id)) is not None:
            check.set()

    async def run(self, claim: Claim) -> OperationStatus:
        """Works on a claimed operation until it has ended, well or not; gives what it ended as.

        Raises LeaseLost when somebody else took it over or ended it, StoreUnavailable when the store was
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
            await self.release(claim, RELEASE)
            raise
        except (LeaseLost, StoreUnavailable) as error:
            logger.warning("operation_lease_lost", code=error.code, **named(claim.operation))
            raise
        finally:
            await _stop(work, hold)

    async def _work_or_fail(self, claim: Claim) -> OperationStatus:
        operation = claim.operation
        attempt = Attempt(self, claim)
        try:
            return await self._works[operation.operation_type].do(attempt)
        except (LeaseLost, ReplayEngineUnknown):
            raise
        except Exception as error:
            # Whatever it is, it would be the same at the next attempt, and the caller is to know (D16).
            logger.exception("operation_failed", **named(operation))
            failure = OperationError(EXECUTION_ERROR, f"the operation failed with {type(error).__name__}")
            await attempt.finish(Ending(finished_at=self._clock.now(), error=failure))
            return OperationStatus.FAILED

    async def list_staged(self, claim: Claim) -> tuple[StagedScenario, ...]:
        operation = claim.operation
        return await self._retry_until_available(
            lambda: self._store.operations.list_staged(operation.tenant_id, operation.operation_id)
        )

    async def stage(self, claim: Claim, outcomes: tuple[StagedScenario, ...]) -> None:
        await self._retry_until_available(
            lambda: self._store.operations.stage(claim, outcomes, self._lease())
        )

    async def finish(self, claim: Claim, ending: Ending) -> ProposalKey | None:
        held = await self._retry_until_available(lambda: self._store.operations.finish(claim, ending))
        if held is None:
            seconds = (
                ending.finished_at - (claim.operation.started_at or ending.finished_at)
            ).total_seconds()
            told = named(claim.operation)
            logger.info("operation_ended", status=ending.status.value, seconds=seconds, **told)
        return held

    async def _hold(self, claim: Claim) -> NoReturn:
        """Extends the lease for as long as it can be; only ever ends by raising."""
        held_until = self._clock.now() + timedelta(seconds=self._lease_seconds)
        check = self._checks[claim.operation.operation_id] = asyncio.Event()
        try:
            await self._extend(claim, check, held_until)
        finally:
            if self._checks.get(claim.operation.operation_id) is check:
                del self._checks[claim.operation.operation_id]

    async def _extend(self, claim: Claim, check: asyncio.Event, held_until: datetime) -> NoReturn:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._lease_seconds / EXTENSIONS_PER_LEASE):
                    await check.wait()
            check.clear()
            lease = self._lease()
            try:
                await self._store.operations.extend(claim, lease)
                held_until = lease.until
            except StoreUnavailable:
                if self._clock.now() > held_until:
                    raise

    async def _retry_until_available(self, act: Callable[[], Awaitable[T]]) -> T:
        """Tries again while the store is away: the lease decides when to give up, and cancels this."""
        while True:
            try:
                return await act()
            except StoreUnavailable:
                await asyncio.sleep(RETRY_SECONDS)

    async def release(self, claim: Claim, error: OperationError) -> None:
        told = named(claim.operation)
        try:
            async with asyncio.timeout(HAND_BACK_SECONDS_MAX):
                is_exhausted = await self._retry_until_available(lambda: self._release(claim, error))
        except (LeaseLost, TimeoutError):
            logger.warning("operation_not_released", **told)
        except Exception:
            # Its lease expires, and the attempt is counted.
            logger.exception("operation_not_released", **told)
        else:
            if is_exhausted:
                logger.error("operation_attempts_exhausted", **told)
            else:
                logger.info("operation_released", **told)

    def _release(self, claim: Claim, error: OperationError) -> Awaitable[bool]:
        return self._store.operations.release(
            claim, self._lease(), error=error, attempts_max=self._attempts_max
        )

    def _lease(self) -> Lease:
        now = self._clock.now()
        return Lease(now, now + timedelta(seconds=self._lease_seconds), self._owner)


async def _stop(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    # What they raise is known or of no more interest.
    await asyncio.gather(*tasks, return_exceptions=True)


def named(operation: Operation) -> dict[str, object]:
    return {
        "operation_id": operation.operation_id,
        "attempt": operation.attempt,
        "correlation_id": operation.correlation_id,
    }
