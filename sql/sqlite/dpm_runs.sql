-- name: insert_request
-- Keeps a request as received. No row back means its id is taken.
INSERT INTO dpm_run_requests (
    tenant_id, request_id, request_hash, created_at, correlation_id, body_sha256, body
)
VALUES (:tenant_id, :request_id, :request_hash, :created_at, :correlation_id, :body_sha256, :body)
ON CONFLICT (tenant_id, request_id) DO NOTHING
RETURNING request_id;

-- name: insert_run
-- Keeps a run as answered. No row back means its id is taken.
INSERT INTO dpm_runs (
    tenant_id, rebalance_run_id, request_id, correlation_id, idempotency_key, request_hash, portfolio_id,
    status, engine_version, scenario, created_at, result_sha256, result, policy_pack_id, policy_pack_version,
    policy_pack_source, policy_pack_sha256, effective_options
)
VALUES (
    :tenant_id, :rebalance_run_id, :request_id, :correlation_id, :idempotency_key, :request_hash, :portfolio_id,
    :status, :engine_version, :scenario, :created_at, :result_sha256, :result, :policy_pack_id, :policy_pack_version,
    :policy_pack_source, :policy_pack_sha256, :effective_options
)
ON CONFLICT (tenant_id, rebalance_run_id) DO NOTHING
RETURNING rebalance_run_id;

-- name: find_run
-- One run with its result, unless it has expired.
SELECT tenant_id, rebalance_run_id, request_id, correlation_id, idempotency_key, request_hash, portfolio_id,
    status, engine_version, scenario, created_at, result, policy_pack_id, policy_pack_version, policy_pack_source,
    policy_pack_sha256, effective_options
FROM dpm_runs
WHERE tenant_id = :tenant_id AND rebalance_run_id = :rebalance_run_id AND created_at >= :runs_since;

-- name: find_run_head
-- One run without its result, unless it has expired.
SELECT rebalance_run_id, correlation_id, request_hash, idempotency_key, portfolio_id, status, scenario, created_at,
    policy_pack_id
FROM dpm_runs
WHERE tenant_id = :tenant_id AND rebalance_run_id = :rebalance_run_id AND created_at >= :runs_since;

-- name: find_sealed_run
-- One run with its request and the digests that were written beside them, unless it has expired.
SELECT run.tenant_id, run.rebalance_run_id, run.request_id, run.correlation_id, run.idempotency_key,
    run.request_hash, run.portfolio_id, run.status, run.engine_version, run.scenario, run.created_at,
    run.result_sha256, run.result, run.policy_pack_id, run.policy_pack_version, run.policy_pack_source,
    run.policy_pack_sha256, run.effective_options, request.request_hash AS asked_hash, request.created_at AS asked_at,
    request.correlation_id AS asked_correlation_id, request.body_sha256, request.body
FROM dpm_runs AS run
JOIN dpm_run_requests AS request
    ON request.tenant_id = run.tenant_id AND request.request_id = run.request_id
WHERE run.tenant_id = :tenant_id AND run.rebalance_run_id = :rebalance_run_id AND run.created_at >= :runs_since;

-- name: find_newest_run_by_correlation
-- The run a correlation id was last used for; equal instants fall back on the id.
SELECT tenant_id, rebalance_run_id, request_id, correlation_id, idempotency_key, request_hash, portfolio_id,
    status, engine_version, scenario, created_at, result, policy_pack_id, policy_pack_version, policy_pack_source,
    policy_pack_sha256, effective_options
FROM dpm_runs INDEXED BY dpm_runs_by_correlation
WHERE tenant_id = :tenant_id AND correlation_id = :correlation_id AND created_at >= :runs_since
ORDER BY created_at DESC, rebalance_run_id DESC
LIMIT 1;

-- name: find_newest_run_by_request_hash
-- The run a request hash was last recorded with; equal instants fall back on the id.
SELECT tenant_id, rebalance_run_id, request_id, correlation_id, idempotency_key, request_hash, portfolio_id,
    status, engine_version, scenario, created_at, result, policy_pack_id, policy_pack_version, policy_pack_source,
    policy_pack_sha256, effective_options
FROM dpm_runs INDEXED BY dpm_runs_by_request_hash
WHERE tenant_id = :tenant_id AND request_hash = :request_hash AND created_at >= :runs_since
ORDER BY created_at DESC, rebalance_run_id DESC
LIMIT 1;

-- name: find_request
-- One request as it was received.
SELECT tenant_id, request_id, request_hash, created_at, correlation_id, body
FROM dpm_run_requests
WHERE tenant_id = :tenant_id AND request_id = :request_id;

-- name: find_newest_batch
-- The batch a correlation id was last sent with; equal instants fall back on the id.
SELECT request_id
FROM dpm_run_requests
WHERE tenant_id = :tenant_id AND correlation_id = :correlation_id AND created_at >= :runs_since
ORDER BY created_at DESC, request_id DESC
LIMIT 1;

-- name: list_runs_by_cause
-- The runs a batch or an operation caused, by scenario.
SELECT run.rebalance_run_id, run.correlation_id, run.request_hash, run.idempotency_key, run.portfolio_id,
    run.status, run.scenario, run.created_at
FROM dpm_lineage_edges AS edge INDEXED BY dpm_lineage_edges_to_target
CROSS JOIN dpm_runs AS run
    ON run.tenant_id = edge.tenant_id AND run.rebalance_run_id = edge.source_entity_id
WHERE edge.tenant_id = :tenant_id
    AND edge.target_entity_id = :cause_id
    AND edge.edge_type = 'CAUSED_BY'
    AND run.created_at >= :runs_since
ORDER BY run.scenario NULLS FIRST, run.rebalance_run_id;

-- name: list_runs
-- Runs before a place, newest first.
SELECT rebalance_run_id, correlation_id, request_hash, idempotency_key, portfolio_id, status, scenario, created_at
FROM dpm_runs INDEXED BY dpm_runs_by_creation
WHERE tenant_id = :tenant_id
    AND created_at >= :created_from
    AND created_at <= :created_to
    AND (created_at, rebalance_run_id) < (:before_at, :before_id)
ORDER BY created_at DESC, rebalance_run_id DESC
LIMIT :limit;

-- name: list_runs_by_status
-- Runs of one status before a place, newest first.
SELECT rebalance_run_id, correlation_id, request_hash, idempotency_key, portfolio_id, status, scenario, created_at
FROM dpm_runs INDEXED BY dpm_runs_by_status
WHERE tenant_id = :tenant_id
    AND status = :status
    AND created_at >= :created_from
    AND created_at <= :created_to
    AND (created_at, rebalance_run_id) < (:before_at, :before_id)
ORDER BY created_at DESC, rebalance_run_id DESC
LIMIT :limit;

-- name: list_runs_by_portfolio
-- Runs of one portfolio before a place, newest first.
SELECT rebalance_run_id, correlation_id, request_hash, idempotency_key, portfolio_id, status, scenario, created_at
FROM dpm_runs INDEXED BY dpm_runs_by_portfolio
WHERE tenant_id = :tenant_id
    AND portfolio_id = :portfolio_id
    AND (CAST(:policy_pack_id AS text) IS NULL OR policy_pack_id = :policy_pack_id)
    AND (CAST(:status AS text) IS NULL OR status = :status)
    AND created_at >= :created_from
    AND created_at <= :created_to
    AND (created_at, rebalance_run_id) < (:before_at, :before_id)
ORDER BY created_at DESC, rebalance_run_id DESC
LIMIT :limit;

-- name: list_runs_by_policy_pack
-- Runs under one policy pack before a place, newest first.
SELECT rebalance_run_id, correlation_id, request_hash, idempotency_key, portfolio_id, status, scenario, created_at
FROM dpm_runs INDEXED BY dpm_runs_by_policy_pack
WHERE tenant_id = :tenant_id
    AND policy_pack_id = :policy_pack_id
    AND (CAST(:status AS text) IS NULL OR status = :status)
    AND created_at >= :created_from
    AND created_at <= :created_to
    AND (created_at, rebalance_run_id) < (:before_at, :before_id)
ORDER BY created_at DESC, rebalance_run_id DESC
LIMIT :limit;

-- name: list_runs_by_request_hash
-- Runs of one request hash before a place, newest first.
SELECT rebalance_run_id, correlation_id, request_hash, idempotency_key, portfolio_id, status, scenario, created_at
FROM dpm_runs INDEXED BY dpm_runs_by_request_hash
WHERE tenant_id = :tenant_id
    AND request_hash = :request_hash
    AND (CAST(:portfolio_id AS text) IS NULL OR portfolio_id = :portfolio_id)
    AND (CAST(:policy_pack_id AS text) IS NULL OR policy_pack_id = :policy_pack_id)
    AND (CAST(:status AS text) IS NULL OR status = :status)
    AND created_at >= :created_from
    AND created_at <= :created_to
    AND (created_at, rebalance_run_id) < (:before_at, :before_id)
ORDER BY created_at DESC, rebalance_run_id DESC
LIMIT :limit;
