-- An index for every filter and order of the lists, built while the tables are in use.
-- Each statement bears being repeated; the runner rebuilds an index that a break left invalid.
-- An index that only finds rows by an id begins with the id: where a table has no statistics yet, one that begins with
-- the tenant looks as good as the primary key, and reads every row of the tenant.
-- transactional: false

SET lock_timeout = '3s';
SET statement_timeout = '0';

-- Pages through all runs, newest first, and finds the ones that have expired.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dpm_runs_by_creation
    ON dpm_runs (tenant_id, created_at, rebalance_run_id);

-- Pages through the runs of one status, newest first.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dpm_runs_by_status
    ON dpm_runs (tenant_id, status, created_at, rebalance_run_id);

-- Pages through the runs of one portfolio, newest first.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dpm_runs_by_portfolio
    ON dpm_runs (tenant_id, portfolio_id, created_at, rebalance_run_id);

-- Finds the newest run of a request hash, and pages through all of them.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dpm_runs_by_request_hash
    ON dpm_runs (tenant_id, request_hash, created_at, rebalance_run_id);

-- Finds the runs of a request, as the foreign key asks whenever a request is removed.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dpm_runs_by_request
    ON dpm_runs (request_id, tenant_id);

-- Finds the newest batch that was sent with a correlation id.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dpm_run_requests_by_correlation
    ON dpm_run_requests (tenant_id, correlation_id, created_at, request_id)
    WHERE correlation_id IS NOT NULL;

-- Finds the uses of keys by a run, as the foreign key asks whenever a run is removed.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dpm_run_idempotency_history_by_run
    ON dpm_run_idempotency_history (rebalance_run_id, tenant_id);

-- Finds the key that stands for a run, as the foreign key asks whenever a run is removed.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dpm_run_idempotency_of_run
    ON dpm_run_idempotency (rebalance_run_id, tenant_id);

-- The index above does what this one did, and is never taken for a way to find a key by its tenant alone.
DROP INDEX CONCURRENTLY IF EXISTS dpm_run_idempotency_by_run;

-- Pages through the edges that start at an entity, oldest first.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dpm_lineage_edges_from_source
    ON dpm_lineage_edges (tenant_id, source_entity_id, created_at, edge_type, target_entity_id);

-- Pages through the edges that end at an entity, oldest first.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dpm_lineage_edges_to_target
    ON dpm_lineage_edges (tenant_id, target_entity_id, created_at, source_entity_id, edge_type);

-- The index above answers all that this one did.
DROP INDEX CONCURRENTLY IF EXISTS dpm_lineage_edges_by_target;

-- Of indexes that look alike the planner takes the newest; until the table has statistics, which is a minute of writes,
-- the foreign keys to a run would otherwise be checked along one of those above.
REINDEX INDEX CONCURRENTLY dpm_runs_key;
