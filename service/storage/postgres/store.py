"""A store in one PostgreSQL database."""

from __future__ import annotations

from service.observability.instruments import PoolUse
from service.storage.postgres.artifacts import PostgresArtifacts
from service.storage.postgres.database import Database, PoolOptions
from service.storage.postgres.dpm_runs import PostgresDpmRuns
from service.storage.postgres.idempotency import PostgresIdempotency
from service.storage.postgres.lineage import PostgresLineage
from service.storage.postgres.operations import PostgresOperations
from service.storage.postgres.performing import PostgresActs
from service.storage.postgres.policy_packs import PostgresPolicyPacks
from service.storage.postgres.proposals import keep_change
from service.storage.postgres.retention import PostgresRetention
from service.storage.postgres.shadow_differences import PostgresShadowDifferences
from service.storage.postgres.supportability import PostgresSupportability
from service.storage.postgres.workflow_decisions import PostgresWorkflowDecisions
from service.storage.sql.proposals.proposals import SqlProposals
from service.storage.sql.proposals.simulations import SqlProposalSimulations

DEFAULT_OPTIONS = PoolOptions()


class PostgresStore:
    def __init__(self, database: Database) -> None:
        self.database = database
        acts = PostgresActs(database)
        self.dpm_runs = PostgresDpmRuns(database)
        self.idempotency = PostgresIdempotency(database)
        self.lineage = PostgresLineage(database)
        self.artifacts = PostgresArtifacts(database)
        self.workflow_decisions = PostgresWorkflowDecisions(database)
        self.operations = PostgresOperations(acts)
        self.proposals = SqlProposals(acts, keep_change)
        self.proposal_simulations = SqlProposalSimulations(acts)
        self.policy_packs = PostgresPolicyPacks(database)
        self.shadow_differences = PostgresShadowDifferences(database)
        self.supportability = PostgresSupportability(database)
        self.retention = PostgresRetention(database)

    @classmethod
    async def open(cls, dsn: str, *, options: PoolOptions = DEFAULT_OPTIONS) -> PostgresStore:
        """Open a database that may be away or behind at the moment; `check` tells whether it can be used."""
        return cls(await Database.open(dsn, options))

    def pool_use(self) -> PoolUse:
        return self.database.use()

    async def check(self) -> None:
        await self.database.check()

    async def check_writable(self) -> None:
        await self.database.check_writable()

    async def close(self) -> None:
        await self.database.close()
