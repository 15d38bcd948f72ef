"""How much a memory holds: beyond it the oldest goes, with all that belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import structlog

from service.errors.storage import StoreUnavailable
from service.errors.storage_causes import StoreCause
from service.storage.memory import retention
from service.storage.memory.proposals.proposals import remove_proposal
from service.storage.memory.proposals.simulations import remove_simulation
from service.storage.memory.tables.state import State

RUNS_MAX_DEFAULT = 100_000
# An operation or a simulation is as large as some runs, and a proposal with its versions as many runs.
OPERATIONS_SHARE, SIMULATIONS_SHARE, PROPOSALS_SHARE = 10, 10, 20
# Told once when so much is reached, and again after there was less than a tenth of it fewer.
WARNED_SHARE, CALM_SHARE = 0.8, 0.72

logger = structlog.get_logger()


@dataclass(slots=True)
class Limit:
    """At most so many of a kind."""

    kind: str
    count_max: int
    is_warned: bool = False

    def excess(self, count: int) -> int:
        """How many are too many; says once that there will soon be."""
        if not self.is_warned and count >= WARNED_SHARE * self.count_max:
            self.is_warned = True
            logger.warning("memory_nearly_full", kind=self.kind, count=count, count_max=self.count_max)
        elif self.is_warned and count < CALM_SHARE * self.count_max:
            self.is_warned = False
        return max(0, count - self.count_max)


class Limits:
    def __init__(self, state: State, runs_max: int) -> None:
        self.runs = Limit("runs", runs_max)
        self.operations = Limit("operations", max(1, runs_max // OPERATIONS_SHARE))
        self.simulations = Limit("simulations", max(1, runs_max // SIMULATIONS_SHARE))
        self.proposals = Limit("proposals", max(1, runs_max // PROPOSALS_SHARE))
        self._state = state

    def install(self) -> None:
        """Has the state keep to the limits from now on."""
        kinds: dict[str, Callable[[str], None]] = {
            "runs": self._trim_runs,
            "operations": self._trim_operations,
            "simulations": self._trim_simulations,
            "proposals": self._trim_proposals,
        }
        self._state.trim = lambda kind, tenant_id: kinds[kind](tenant_id)

    def _trim_runs(self, tenant_id: str) -> None:
        """Removes the oldest runs; what a run needs of an older one, as the request of a replay, stays."""
        state = self._state
        excess = self.runs.excess(len(state.runs))
        if excess:
            oldest = list(islice(state.runs_by_creation.forward((tenant_id,)), excess))
            retention.remove_rows(state, tenant_id, [run_id for _, run_id in oldest], [])

    def _trim_operations(self, tenant_id: str) -> None:
        """Removes the oldest operations that have ended; one that is accepted ends first.

        Raises StoreUnavailable where all that are kept are still to end, and so before another is.
        """
        state = self._state
        excess = self.operations.excess(len(state.operations) + 1)
        ended = list(islice(self._ended(tenant_id), excess))
        if len(ended) < excess:
            raise StoreUnavailable(cause=StoreCause.EXHAUSTED)
        if ended:
            retention.remove_rows(state, tenant_id, [], ended)

    def _ended(self, tenant_id: str) -> Iterator[str]:
        for _, operation_id in self._state.operations_by_creation.forward((tenant_id,)):
            if self._state.operations[tenant_id, operation_id].has_ended:
                yield operation_id

    def _trim_simulations(self, tenant_id: str) -> None:
        state = self._state
        excess = self.simulations.excess(len(state.simulations))
        for _, key in list(islice(state.simulations_by_creation.forward((tenant_id,)), excess)):
            remove_simulation(state, tenant_id, key)

    def _trim_proposals(self, tenant_id: str) -> None:
        state = self._state
        excess = self.proposals.excess(len(state.proposals))
        for _, proposal_id in list(islice(state.proposals_by_creation.forward((tenant_id,)), excess)):
            remove_proposal(state, tenant_id, proposal_id)
