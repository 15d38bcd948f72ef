-- The list of runs can be narrowed to one policy pack; built while the table is in use.
-- The statement bears being repeated; the runner rebuilds an index that a break left invalid.
-- transactional: false

SET lock_timeout = '3s';
SET statement_timeout = '0';

-- Pages through the runs under one policy pack, newest first; runs without a pack are not in it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dpm_runs_by_policy_pack
    ON dpm_runs (tenant_id, policy_pack_id, created_at, rebalance_run_id)
    WHERE policy_pack_id IS NOT NULL;
