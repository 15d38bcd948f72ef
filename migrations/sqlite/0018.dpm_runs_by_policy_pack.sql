-- The list of runs can be narrowed to one policy pack.

-- Pages through the runs under one policy pack, newest first; runs without a pack are not in it.
CREATE INDEX dpm_runs_by_policy_pack
    ON dpm_runs (tenant_id, policy_pack_id, created_at, rebalance_run_id)
    WHERE policy_pack_id IS NOT NULL;
