"""How a process is told to stop, and how a server does."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable

import structlog
from aiohttp import web

from service.flows.health import HealthFlow
from service.web.http.admission import Capacity
from service.web.http.listener import Listener, close_idle

# What is left when the time is up is cancelled, and has so long to let go of what it holds. The server waits
# for it, and then waits again.
CUT_SECONDS = 1.0

logger = structlog.get_logger()


class Signals:
    """The first asks to stop in good order, the second at once."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._take)

    def _take(self) -> None:
        if self.stop.is_set():
            self.hurry.set()
        self.stop.set()

    async def unless_hurried(self, waited_for: Awaitable[object], seconds_max: float) -> bool:
        """Waits, but not longer, nor once somebody is in a hurry; whether it came."""
        came = asyncio.ensure_future(waited_for)
        hurry = asyncio.ensure_future(self.hurry.wait())
        await asyncio.wait((came, hurry), timeout=seconds_max, return_when=asyncio.FIRST_COMPLETED)
        arrived = came.done()
        for one in (came, hurry):
            one.cancel()
        return arrived


async def stop_serving(
    runner: web.AppRunner,
    listener: Listener,
    *,
    signals: Signals,
    health: HealthFlow,
    capacity: Capacity,
    drain_seconds: float,
    stop_seconds_max: float,
) -> None:
    """Readiness first, then the port, then what is under way.

    For `drain_seconds` everything is served as before, so that the load balancer can notice.
    Then no connection is accepted any more, and requests that have come in have `stop_seconds_max` to be
    answered.
    """
    health.stop()
    capacity.draining = True
    logger.info("draining", seconds=drain_seconds, under_way=capacity.under_way)
    if drain_seconds:
        await signals.unless_hurried(asyncio.sleep(drain_seconds), drain_seconds + 1)
    listener.close()
    # Requests that have arrived and have not begun are let begin.
    await asyncio.sleep(0)
    close_idle(runner)
    if not await signals.unless_hurried(capacity.drained(), stop_seconds_max):
        logger.warning("shutdown_timeout", under_way=capacity.under_way)
