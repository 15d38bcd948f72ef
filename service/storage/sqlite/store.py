"""A store in one SQLite file."""

from __future__ import annotations

from pathlib import Path

from service.storage.sql.operations.operations import SqlOperations
from service.storage.sql.proposals.proposals import SqlProposals
from service.storage.sql.proposals.simulations import SqlProposalSimulations
from service.storage.sqlite.artifacts import SqliteArtifacts
from service.storage.sqlite.database import Database
from service.storage.sqlite.dpm_runs import SqliteDpmRuns
from service.storage.sqlite.idempotency import SqliteIdempotency
from service.storage.sqlite.lineage import SqliteLineage
from service.storage.sqlite.performing import SqliteActs
from service.storage.sqlite.policy_packs import SqlitePolicyPacks
from service.storage.sqlite.retention import SqliteRetention
from service.storage.sqlite.shadow_differences import SqliteShadowDifferences
from service.storage.sqlite.supportability import SqliteSupportability
from service.storage.sqlite.workflow_decisions import SqliteWorkflowDecisions

BUSY_SECONDS_MAX = 5.0


class SqliteStore:
    def __init__(self, database: Database) -> None:
        self.database = database
        acts = SqliteActs(database)
        self.dpm_runs = SqliteDpmRuns(database)
        self.idempotency = SqliteIdempotency(database)
        self.lineage = SqliteLineage(database)
        self.artifacts = SqliteArtifacts(database)
        self.workflow_decisions = SqliteWorkflowDecisions(database)
        self.operations = SqlOperations(acts)
        self.proposals = SqlProposals(acts)
        self.proposal_simulations = SqlProposalSimulations(acts)
        self.policy_packs = SqlitePolicyPacks(database)
        self.shadow_differences = SqliteShadowDifferences(database)
        self.supportability = SqliteSupportability(database)
        self.retention = SqliteRetention(database)

    @classmethod
    async def open(cls, path: Path, *, busy_seconds_max: float = BUSY_SECONDS_MAX) -> SqliteStore:
        """Open a migrated file. Raises StoreUnavailable when it is missing, broken, or of another schema."""
        return cls(await Database.open(path, busy_seconds_max=busy_seconds_max))

    async def check(self) -> None:
        await self.database.check()

    async def check_writable(self) -> None:
        await self.database.check_writable()

    async def close(self) -> None:
        await self.database.close()
