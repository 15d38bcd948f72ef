"""A store in one PostgreSQL database."""

from __future__ import annotations

from service.observability.instruments import PoolUse
from service.storage.postgres.database import Database, PoolOptions
from service.storage.postgres.dpm_runs import record_in_one_trip
from service.storage.postgres.operations import PostgresOperations
from service.storage.postgres.performing import PostgresActs
from service.storage.postgres.proposals import keep_change
from service.storage.postgres.retention import remove_job_log
from service.storage.postgres.supportability import PostgresSupportability
from service.storage.sql.dpm_runs.artifacts import SqlArtifacts
from service.storage.sql.dpm_runs.runs import SqlDpmRuns
from service.storage.sql.idempotency import SqlIdempotency
from service.storage.sql.lineage import SqlLineage
from service.storage.sql.policy_packs import SqlPolicyPacks
from service.storage.sql.proposals.proposals import SqlProposals
from service.storage.sql.proposals.simulations import SqlProposalSimulations
from service.storage.sql.retention import SqlRetention
from service.storage.sql.shadow_differences import SqlShadowDifferences
from service.storage.sql.workflow_decisions import SqlWorkflowDecisions

DEFAULT_OPTIONS = PoolOptions()


class PostgresStore:
    def __init__(self, database: Database) -> None:
        self.database = database
        acts = PostgresActs(database)
        self.dpm_runs = SqlDpmRuns(acts, record_in_one_trip)
        self.idempotency = SqlIdempotency(acts)
        self.lineage = SqlLineage(acts)
        self.artifacts = SqlArtifacts(acts)
        self.workflow_decisions = SqlWorkflowDecisions(acts)
        self.operations = PostgresOperations(acts)
        self.proposals = SqlProposals(acts, keep_change)
        self.proposal_simulations = SqlProposalSimulations(acts)
        self.policy_packs = SqlPolicyPacks(acts)
        self.shadow_differences = SqlShadowDifferences(acts)
        self.supportability = PostgresSupportability(acts)
        self.retention = SqlRetention(acts, remove_job_log)

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
