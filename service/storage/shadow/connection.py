"""Whether the shadow is there, and acts tried on it for as long as it says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from service.errors.storage import StoreUnavailable
from service.storage.ports.store import Store
from service.storage.shadow.writes import Ask, Failed, Outcome, outcome_of

# One act on a shadow that does not answer, and how often it is tried while the shadow says that it is there.
ACT_SECONDS_MAX = 30.0
ATTEMPTS_MAX = 5
# Between attempts, and between looks for a shadow that is away: each time twice as long as the time before.
PAUSE_SECONDS_FIRST = 0.1
PAUSE_SECONDS_MAX = 2.0
CHECK_SECONDS_MAX = 10.0
CLOSE_SECONDS_MAX = 2.0

logger = structlog.get_logger()


class GaveUp(Exception):
    """The shadow says that it is there, and does not take the act."""


class ShadowConnection:
    """Opens the shadow when it is first asked for, so that no start depends on it."""

    def __init__(self, open_shadow: Callable[[], Awaitable[Store]]) -> None:
        self._open_shadow = open_shadow
        self._shadow: Store | None = None
        self._finding = asyncio.Lock()
        self.is_there = False

    async def ask(self, ask: Ask, doubt: Callable[[], None] = lambda: None) -> Outcome:
        """What came of asking the shadow, however long it is away; `doubt` is called when it is unknown.

        Raises GaveUp, and whatever the shadow raises that is no refusal.
        """
        cause: BaseException | None = None
        for attempt in range(ATTEMPTS_MAX):
            shadow = await self.find()
            try:
                async with asyncio.timeout(ACT_SECONDS_MAX):
                    outcome = await outcome_of(ask(shadow))
            except TimeoutError as late:
                cause = late
            else:
                if not (isinstance(outcome, Failed) and isinstance(outcome.refusal, StoreUnavailable)):
                    return outcome
                cause = outcome.refusal.__cause__ or outcome.refusal
            doubt()
            self.is_there = False
            logger.warning("shadow_unavailable", cause=repr(cause))
            await asyncio.sleep(pause_after(attempt))
        raise GaveUp() from cause

    async def find(self) -> Store:
        """The shadow, once it is there and has the schema of this build."""
        async with self._finding:
            attempt, told = 0, ""
            while not (self.is_there and self._shadow is not None):
                try:
                    async with asyncio.timeout(CHECK_SECONDS_MAX):
                        if self._shadow is None:
                            self._shadow = await self._open_shadow()
                        await self._shadow.check_writable()
                    self.is_there = True
                    logger.info("shadow_connected")
                except Exception as error:
                    cause = repr(error.__cause__ or error)
                    if cause != told:
                        logger.warning("shadow_disconnected", cause=cause)
                    told = cause
                    await asyncio.sleep(pause_after(attempt))
                    attempt += 1
            return self._shadow

    async def close(self) -> None:
        """Lets go of the shadow, whether it lets go or not."""
        shadow, self._shadow, self.is_there = self._shadow, None, False
        if shadow is None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS_MAX):
                await shadow.close()
        except Exception as error:
            logger.warning("shadow_not_closed", cause=repr(error))


def pause_after(attempt: int) -> float:
    return min(PAUSE_SECONDS_MAX, PAUSE_SECONDS_FIRST * 2.0 ** min(attempt, 10))
