-- name: count_kept
-- Counts by subject and value: the totals, what changed since, less what has expired and waits for its purge.
-- Each look-up by an expired run stands behind OFFSET 0, or a table without statistics might be read from end to end.
WITH expired AS MATERIALIZED (
    SELECT rebalance_run_id, status
    FROM dpm_runs
    WHERE tenant_id = :tenant_id AND created_at < :runs_since
)
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
    FROM expired
    UNION ALL
    SELECT 'OPERATION_STATUS', status, -1
    FROM dpm_operations
    WHERE tenant_id = :tenant_id AND operation_type = 'ANALYZE_SCENARIOS' AND finished_at < :operations_since
    UNION ALL
    SELECT 'WORKFLOW_ACTION', belonging.action, -1
    FROM expired
    CROSS JOIN LATERAL (
        SELECT action FROM dpm_workflow_decisions
        WHERE tenant_id = :tenant_id AND rebalance_run_id = expired.rebalance_run_id
        OFFSET 0
    ) AS belonging
    UNION ALL
    SELECT 'WORKFLOW_REASON_CODE', belonging.reason_code, -1
    FROM expired
    CROSS JOIN LATERAL (
        SELECT reason_code FROM dpm_workflow_decisions
        WHERE tenant_id = :tenant_id AND rebalance_run_id = expired.rebalance_run_id
        OFFSET 0
    ) AS belonging
    UNION ALL
    SELECT 'LINEAGE_EDGE_TYPE', belonging.edge_type, -1
    FROM expired
    CROSS JOIN LATERAL (
        SELECT edge_type FROM dpm_lineage_edges
        WHERE tenant_id = :tenant_id AND target_entity_id = expired.rebalance_run_id
            AND edge_type IN ('CORRELATION_TO_RUN', 'IDEMPOTENCY_TO_RUN', 'DERIVED_FROM') AND lives_with = 'RUN'
        OFFSET 0
    ) AS belonging
    UNION ALL
    SELECT 'LINEAGE_EDGE_TYPE', belonging.edge_type, -1
    FROM expired
    CROSS JOIN LATERAL (
        SELECT edge_type FROM dpm_lineage_edges
        WHERE tenant_id = :tenant_id AND source_entity_id = expired.rebalance_run_id
            AND edge_type IN ('CAUSED_BY', 'REPLAYED_FROM') AND lives_with = 'RUN'
        OFFSET 0
    ) AS belonging
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
SELECT pg_try_advisory_xact_lock(hashtextextended('dpm.fold', 0)) AS held;

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
