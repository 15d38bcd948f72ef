-- name: count_kept
-- Counts by subject and value: the totals, what changed since, less what has expired and waits for its purge.
SELECT subject, value, CAST(sum(change) AS bigint) AS total
FROM (
    SELECT subject, value, total AS change
    FROM dpm_tallies
    WHERE tenant_id = :tenant_id
    UNION ALL
    SELECT subject, value, change
    FROM dpm_tally_changes
    WHERE tenant_id = :tenant_id
    UNION ALL
    SELECT 'RUN_STATUS', status, -1
    FROM dpm_runs
    WHERE tenant_id = :tenant_id AND created_at < :runs_since
    UNION ALL
    SELECT 'OPERATION_STATUS', status, -1
    FROM dpm_operations
    WHERE tenant_id = :tenant_id AND operation_type = 'ANALYZE_SCENARIOS' AND finished_at < :operations_since
    UNION ALL
    SELECT 'WORKFLOW_ACTION', decision.action, -1
    FROM dpm_runs AS run INDEXED BY dpm_runs_by_creation
    CROSS JOIN dpm_workflow_decisions AS decision
        ON decision.tenant_id = run.tenant_id AND decision.rebalance_run_id = run.rebalance_run_id
    WHERE run.tenant_id = :tenant_id AND run.created_at < :runs_since
    UNION ALL
    SELECT 'WORKFLOW_REASON_CODE', decision.reason_code, -1
    FROM dpm_runs AS run INDEXED BY dpm_runs_by_creation
    CROSS JOIN dpm_workflow_decisions AS decision
        ON decision.tenant_id = run.tenant_id AND decision.rebalance_run_id = run.rebalance_run_id
    WHERE run.tenant_id = :tenant_id AND run.created_at < :runs_since
    UNION ALL
    SELECT 'LINEAGE_EDGE_TYPE', edge.edge_type, -1
    FROM dpm_runs AS run INDEXED BY dpm_runs_by_creation
    CROSS JOIN dpm_lineage_edges AS edge INDEXED BY dpm_lineage_edges_to_target
        ON edge.tenant_id = run.tenant_id AND edge.target_entity_id = run.rebalance_run_id
            AND edge.edge_type IN ('CORRELATION_TO_RUN', 'IDEMPOTENCY_TO_RUN', 'DERIVED_FROM') AND edge.lives_with = 'RUN'
    WHERE run.tenant_id = :tenant_id AND run.created_at < :runs_since
    UNION ALL
    SELECT 'LINEAGE_EDGE_TYPE', edge.edge_type, -1
    FROM dpm_runs AS run INDEXED BY dpm_runs_by_creation
    CROSS JOIN dpm_lineage_edges AS edge
        ON edge.tenant_id = run.tenant_id AND edge.source_entity_id = run.rebalance_run_id
            AND edge.edge_type IN ('CAUSED_BY', 'REPLAYED_FROM') AND edge.lives_with = 'RUN'
    WHERE run.tenant_id = :tenant_id AND run.created_at < :runs_since
) AS changes
GROUP BY subject, value
HAVING sum(change) <> 0;

-- name: find_bounds
-- The creation instants of the oldest and the newest run and operation that have not expired.
SELECT
    (
        SELECT created_at FROM dpm_runs
        WHERE tenant_id = :tenant_id AND created_at >= :runs_since
        ORDER BY created_at LIMIT 1
    ) AS oldest_run_at,
    (
        SELECT created_at FROM dpm_runs
        WHERE tenant_id = :tenant_id AND created_at >= :runs_since
        ORDER BY created_at DESC LIMIT 1
    ) AS newest_run_at,
    (
        SELECT created_at FROM dpm_operations
        WHERE tenant_id = :tenant_id AND operation_type = 'ANALYZE_SCENARIOS'
            AND (finished_at IS NULL OR finished_at >= :operations_since)
        ORDER BY created_at LIMIT 1
    ) AS oldest_operation_at,
    (
        SELECT created_at FROM dpm_operations
        WHERE tenant_id = :tenant_id AND operation_type = 'ANALYZE_SCENARIOS'
            AND (finished_at IS NULL OR finished_at >= :operations_since)
        ORDER BY created_at DESC LIMIT 1
    ) AS newest_operation_at;

-- name: list_unfinished
-- The operations that wait or run, counted by type and status, with the creation instant of the oldest of each.
SELECT operation_type, status, count(*) AS total, min(created_at) AS oldest_at
FROM dpm_operations
WHERE tenant_id = :tenant_id AND status IN ('PENDING', 'RUNNING')
GROUP BY operation_type, status
ORDER BY operation_type, status;

-- name: lock_compaction
-- Takes the one right to fold until the transaction ends. A row that says no means another instance has it.
SELECT 1 AS held;

-- name: add_up_changes
-- Adds what changed to the totals.
INSERT INTO dpm_tallies (tenant_id, subject, value, total)
SELECT tenant_id, subject, value, sum(change)
FROM dpm_tally_changes
WHERE true
GROUP BY tenant_id, subject, value
ON CONFLICT (tenant_id, subject, value) DO UPDATE
SET total = dpm_tallies.total + excluded.total;

-- name: delete_changes
-- Forgets the changes that were added up; of the same snapshot, so none is forgotten that was not.
DELETE FROM dpm_tally_changes;
