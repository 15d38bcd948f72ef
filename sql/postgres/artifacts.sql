-- name: insert_artifact
-- Keeps the artifact of a run. No row back means it has one.
INSERT INTO dpm_run_artifacts (tenant_id, rebalance_run_id, artifact_id, artifact_hash, created_at, body)
VALUES (:tenant_id, :rebalance_run_id, :artifact_id, :artifact_hash, :created_at, :body)
ON CONFLICT (tenant_id, rebalance_run_id) DO NOTHING
RETURNING rebalance_run_id;

-- name: find_artifact
-- The artifact of a run, unless the run has expired.
SELECT tenant_id, rebalance_run_id, artifact_id, artifact_hash, created_at, body
FROM dpm_run_artifacts
WHERE tenant_id = :tenant_id AND rebalance_run_id = :rebalance_run_id AND created_at >= :runs_since;
