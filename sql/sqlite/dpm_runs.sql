-- name: insert_request
-- Keeps a request as received. No row back means its id is taken.
INSERT INTO dpm_run_requests (tenant_id, request_id, request_hash, created_at, body_sha256, body)
VALUES (:tenant_id, :request_id, :request_hash, :created_at, :body_sha256, :body)
ON CONFLICT (tenant_id, request_id) DO NOTHING
RETURNING request_id;

-- name: insert_run
-- Keeps a run as answered. No row back means its id is taken.
INSERT INTO dpm_runs (
    tenant_id, rebalance_run_id, request_id, correlation_id, idempotency_key, request_hash, portfolio_id,
    status, engine_version, scenario, created_at, result_sha256, result
)
VALUES (
    :tenant_id, :rebalance_run_id, :request_id, :correlation_id, :idempotency_key, :request_hash, :portfolio_id,
    :status, :engine_version, :scenario, :created_at, :result_sha256, :result
)
ON CONFLICT (tenant_id, rebalance_run_id) DO NOTHING
RETURNING rebalance_run_id;

-- name: find_run
-- One run with its result.
SELECT tenant_id, rebalance_run_id, request_id, correlation_id, idempotency_key, request_hash, portfolio_id,
    status, engine_version, scenario, created_at, result
FROM dpm_runs
WHERE tenant_id = :tenant_id AND rebalance_run_id = :rebalance_run_id;

-- name: find_newest_run_by_correlation
-- The run a correlation id was last used for; equal instants fall back on the id.
SELECT tenant_id, rebalance_run_id, request_id, correlation_id, idempotency_key, request_hash, portfolio_id,
    status, engine_version, scenario, created_at, result
FROM dpm_runs
WHERE tenant_id = :tenant_id AND correlation_id = :correlation_id
ORDER BY created_at DESC, rebalance_run_id DESC
LIMIT 1;

-- name: find_request
-- One request as it was received.
SELECT tenant_id, request_id, request_hash, created_at, body
FROM dpm_run_requests
WHERE tenant_id = :tenant_id AND request_id = :request_id;
