"""How tests wait: for what has to come, and only so long as to find out that it never will.

No test states how fast anything is; that is the business of the benchmark. tests/unit/tidy holds this.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

# Whatever takes this long on any machine does not go on at all.
HANG_SECONDS = 120.0
POLL_SECONDS = 0.01
# What takes long is asked for less and less often, so that asking does not hold up what is waited for.
POLL_GROWTH, POLL_SECONDS_MAX = 1.3, 0.1
# What must not come is waited for so long; a slow machine sees less of it, and never anything wrong.
QUIET_SECONDS = 0.3


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """The first thing the condition gives that is something."""
    give_up_at = time.monotonic() + HANG_SECONDS
    pause = POLL_SECONDS
    while not (found := condition()):
        assert time.monotonic() < give_up_at, f"waited in vain for {what}"
        time.sleep(pause)
        pause = min(pause * POLL_GROWTH, POLL_SECONDS_MAX)
    return found


async def until(condition: Callable[[], Any]) -> Any:
    """The first thing the condition gives, or comes to, that is something; the loop turns meanwhile."""
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            found = condition()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(POLL_SECONDS / 10)


async def quiet() -> None:
    """Gives what must not come the time to come."""
    await asyncio.sleep(QUIET_SECONDS)


async def turns(count: int) -> None:
    """Lets the loop turn so many times."""
    for _ in range(count):
        await asyncio.sleep(0)
