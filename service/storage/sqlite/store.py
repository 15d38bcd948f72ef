"""A store in one SQLite file."""

from __future__ import annotations

from pathlib import Path

from service.storage.sql.dpm_runs.artifacts import SqlArtifacts
from service.storage.sql.dpm_runs.runs import SqlDpmRuns
from service.storage.sql.dpm_runs.supportability import SqlSupportability
from service.storage.sql.idempotency import SqlIdempotency
from service.storage.sql.lineage import SqlLineage
from service.storage.sql.operations.operations import SqlOperations
from service.storage.sql.policy_packs import SqlPolicyPacks
from service.storage.sql.proposals.proposals import SqlProposals
from service.storage.sql.proposals.simulations import SqlProposalSimulations
from service.storage.sql.retention import SqlRetention
from service.storage.sql.shadow_differences import SqlShadowDifferences
from service.storage.sql.workflow_decisions import SqlWorkflowDecisions
from service.storage.sqlite.database import Database
from service.storage.sqlite.performing import SqliteActs

BUSY_SECONDS_MAX = 5.0


class SqliteStore:
    def __init__(self, database: Database) -> None:
        self.database = database
        acts = SqliteActs(database)
        self.dpm_runs = SqlDpmRuns(acts)
        self.idempotency = SqlIdempotency(acts)
        self.lineage = SqlLineage(acts)
        self.artifacts = SqlArtifacts(acts)
        self.workflow_decisions = SqlWorkflowDecisions(acts)
        self.operations = SqlOperations(acts)
        self.proposals = SqlProposals(acts)
        self.proposal_simulations = SqlProposalSimulations(acts)
        self.policy_packs = SqlPolicyPacks(acts)
        self.shadow_differences = SqlShadowDifferences(acts)
        self.supportability = SqlSupportability(acts)
        self.retention = SqlRetention(acts)

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
