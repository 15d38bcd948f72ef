-- name: lock_purging
-- Takes the one right to purge until the transaction ends. A row that says no means another instance has it.
SELECT pg_try_advisory_xact_lock(hashtextextended('dpm.purge', 0)) AS held;

-- name: allow_removal
-- Lets this transaction delete from append-only tables, as far as its role may delete at all.
SELECT set_config('dpm.purging', 'on', true);

-- name: forbid_removal
-- Takes back what allow_removal gave.
SELECT set_config('dpm.purging', 'off', true);

-- name: list_expired_runs
-- The runs that expired first, with the requests they came of.
SELECT rebalance_run_id, request_id
FROM dpm_runs
WHERE tenant_id = :tenant_id AND created_at < :runs_before
ORDER BY created_at, rebalance_run_id
LIMIT :limit OFFSET :skipped;

-- name: list_expired_operations
-- The analyses that ended longest ago; operations of proposals stay.
SELECT operation_id
FROM dpm_operations
WHERE tenant_id = :tenant_id AND operation_type = 'ANALYZE_SCENARIOS' AND finished_at < :operations_before
ORDER BY finished_at, operation_id
LIMIT :limit OFFSET :skipped;

-- name: delete_decisions
-- Removes the decisions on runs, given as a JSON list of ids.
DELETE FROM dpm_workflow_decisions
WHERE tenant_id = :tenant_id AND rebalance_run_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:run_ids AS jsonb))))
RETURNING 1 AS deleted;

-- name: delete_artifacts
-- Removes the artifacts of runs.
DELETE FROM dpm_run_artifacts
WHERE tenant_id = :tenant_id AND rebalance_run_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:run_ids AS jsonb))))
RETURNING 1 AS deleted;

-- name: delete_keys
-- Frees the keys that stand for runs.
DELETE FROM dpm_run_idempotency
WHERE tenant_id = :tenant_id AND rebalance_run_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:run_ids AS jsonb))))
RETURNING 1 AS deleted;

-- name: delete_answers_about_runs
-- Removes the answers about runs, and so frees their keys.
DELETE FROM dpm_idempotent_answers
WHERE tenant_id = :tenant_id AND rebalance_run_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:run_ids AS jsonb))))
RETURNING 1 AS deleted;

-- name: delete_answers_about_operations
-- Removes the answers about operations, and so frees their keys.
DELETE FROM dpm_idempotent_answers
WHERE tenant_id = :tenant_id AND operation_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:operation_ids AS jsonb))))
RETURNING 1 AS deleted;

-- name: delete_uses
-- Removes runs from the histories of their keys.
DELETE FROM dpm_run_idempotency_history
WHERE tenant_id = :tenant_id AND rebalance_run_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:run_ids AS jsonb))))
RETURNING 1 AS deleted;

-- name: delete_edges_to_runs
-- Removes the edges that runs brought and that end at them.
DELETE FROM dpm_lineage_edges
WHERE tenant_id = :tenant_id AND target_entity_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:run_ids AS jsonb))))
    AND edge_type IN ('CORRELATION_TO_RUN', 'IDEMPOTENCY_TO_RUN', 'DERIVED_FROM') AND lives_with = 'RUN'
RETURNING 1 AS deleted;

-- name: delete_edges_from_runs
-- Removes the edges that runs brought and that start at them.
DELETE FROM dpm_lineage_edges
WHERE tenant_id = :tenant_id AND source_entity_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:run_ids AS jsonb))))
    AND edge_type IN ('CAUSED_BY', 'REPLAYED_FROM') AND lives_with = 'RUN'
RETURNING 1 AS deleted;

-- name: delete_runs
-- Removes runs, once nothing refers to them.
DELETE FROM dpm_runs
WHERE tenant_id = :tenant_id AND rebalance_run_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:run_ids AS jsonb))))
RETURNING 1 AS deleted;

-- name: delete_requests
-- Removes the requests that no run is left of.
DELETE FROM dpm_run_requests
WHERE tenant_id = :tenant_id AND request_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:request_ids AS jsonb))))
    AND NOT EXISTS (
        SELECT 1 FROM dpm_runs AS run
        WHERE run.tenant_id = dpm_run_requests.tenant_id AND run.request_id = dpm_run_requests.request_id
    )
RETURNING 1 AS deleted;

-- name: delete_edges_of_operations
-- Removes the edges that operations brought.
DELETE FROM dpm_lineage_edges
WHERE tenant_id = :tenant_id AND source_entity_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:operation_ids AS jsonb))))
    AND lives_with = 'OPERATION'
RETURNING 1 AS deleted;

-- name: delete_operations
-- Removes operations, given as a JSON list of ids.
DELETE FROM dpm_operations
WHERE tenant_id = :tenant_id AND operation_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:operation_ids AS jsonb))))
RETURNING 1 AS deleted;

-- name: insert_purge
-- Records what an act of removal removed.
INSERT INTO dpm_purges (
    tenant_id, purge_id, purged_at, runs_before, operations_before, runs, requests, artifacts, decisions, keys,
    uses, edges, operations
)
VALUES (
    :tenant_id, :purge_id, :purged_at, :runs_before, :operations_before, :runs, :requests, :artifacts, :decisions,
    :keys, :uses, :edges, :operations
);

-- name: list_purges
-- What was removed, newest first.
SELECT tenant_id, purge_id, purged_at, runs_before, operations_before, runs, requests, artifacts, decisions, keys,
    uses, edges, operations
FROM dpm_purges
WHERE tenant_id = :tenant_id
ORDER BY purged_at DESC, purge_id DESC
LIMIT :limit;

-- name: delete_job_log
-- Removes what the engine of the queue has written down about jobs and nobody looks up any more, oldest first.
DELETE FROM queue.pgqueuer_log
WHERE id = ANY (ARRAY(
    SELECT id FROM queue.pgqueuer_log
    WHERE created < :operations_before
    ORDER BY created
    LIMIT :limit
));

-- name: delete_job_statistics
-- Removes what the engine has counted up for whoever asked it, oldest first.
DELETE FROM queue.pgqueuer_statistics
WHERE id = ANY (ARRAY(
    SELECT id FROM queue.pgqueuer_statistics
    WHERE created < :operations_before
    ORDER BY created
    LIMIT :limit
));
