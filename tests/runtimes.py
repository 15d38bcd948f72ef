"""What flows work with in tests, where a test does not choose it."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

from service.domains.retention.cutoffs import Retention
from service.flows.runtime import Runtime

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


class StandingClock:
    def now(self) -> datetime:
        return AT


async def here(work: Any, *args: Any) -> Any:
    """Does work where it is asked for."""
    return work(*args)


def a_runtime(**chosen: Any) -> Runtime:
    numbers = count()
    given = {
        "clock": StandingClock(),
        "new_id": lambda prefix: f"{prefix}_{next(numbers):032x}",
        "offload": here,
        "retention": Retention(run_days=0, operation_seconds=86_400),
    }
    return Runtime(**given | chosen)
