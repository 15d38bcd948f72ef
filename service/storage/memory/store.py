"""A store that lives as long as its process."""

from __future__ import annotations

from service.storage.memory.dpm_runs import MemoryDpmRuns
from service.storage.memory.idempotency import MemoryIdempotency
from service.storage.memory.lineage import MemoryLineage
from service.storage.memory.state import State


class MemoryStore:
    def __init__(self) -> None:
        self.state = State()
        self.dpm_runs = MemoryDpmRuns(self.state)
        self.idempotency = MemoryIdempotency(self.state)
        self.lineage = MemoryLineage(self.state)

    async def check(self) -> None:
        self.state.require_open()

    async def close(self) -> None:
        self.state.closed = True
