"""A store that lives as long as its process."""

from __future__ import annotations

from service.storage.memory.dpm_runs.artifacts import MemoryArtifacts
from service.storage.memory.dpm_runs.runs import MemoryDpmRuns
from service.storage.memory.dpm_runs.supportability import MemorySupportability
from service.storage.memory.idempotency import MemoryIdempotency
from service.storage.memory.lineage import MemoryLineage
from service.storage.memory.operations.operations import MemoryOperations
from service.storage.memory.policy_packs import MemoryPolicyPacks
from service.storage.memory.proposals.proposals import MemoryProposals
from service.storage.memory.proposals.simulations import MemoryProposalSimulations
from service.storage.memory.retention import MemoryRetention
from service.storage.memory.shadow_differences import MemoryShadowDifferences
from service.storage.memory.tables.collector import CollectorShield
from service.storage.memory.tables.limits import RUNS_MAX_DEFAULT, Limits
from service.storage.memory.tables.state import State
from service.storage.memory.workflow_decisions import MemoryWorkflowDecisions


class MemoryStore:
    def __init__(self, runs_max: int = RUNS_MAX_DEFAULT) -> None:
        self.state = State()
        self.limits = Limits(self.state, runs_max)
        self.limits.install()
        self.curtain = CollectorShield(self.state.tables)
        self.dpm_runs = MemoryDpmRuns(self.state)
        self.idempotency = MemoryIdempotency(self.state)
        self.lineage = MemoryLineage(self.state)
        self.artifacts = MemoryArtifacts(self.state)
        self.workflow_decisions = MemoryWorkflowDecisions(self.state)
        self.operations = MemoryOperations(self.state)
        self.proposals = MemoryProposals(self.state)
        self.proposal_simulations = MemoryProposalSimulations(self.state)
        self.policy_packs = MemoryPolicyPacks(self.state)
        self.shadow_differences = MemoryShadowDifferences(self.state)
        self.supportability = MemorySupportability(self.state)
        self.retention = MemoryRetention(self.state)

    @classmethod
    def open(cls, runs_max: int) -> MemoryStore:
        """A store that serves: what it keeps costs the collector no time until it is closed."""
        store = cls(runs_max)
        store.curtain.draw()
        return store

    async def check(self) -> None:
        self.state.require_open()

    async def check_writable(self) -> None:
        self.state.require_open()

    async def close(self) -> None:
        self.state.closed = True
        self.curtain.open()
