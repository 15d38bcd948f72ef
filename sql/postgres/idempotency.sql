-- name: claim_key
-- Gives a free key to this run. No row back means the key stands for another run already.
INSERT INTO dpm_run_idempotency (
    tenant_id, family, idempotency_key, request_hash, rebalance_run_id, created_at, policy_pack_sha256
)
VALUES (
    :tenant_id, :family, :idempotency_key, :request_hash, :rebalance_run_id, :created_at, :policy_pack_sha256
)
ON CONFLICT (tenant_id, family, idempotency_key) DO NOTHING
RETURNING rebalance_run_id;

-- name: renew_key
-- Gives a key whose run has expired to this run. No row back means somebody else was first, or it has not expired.
UPDATE dpm_run_idempotency
SET request_hash = :request_hash, rebalance_run_id = :rebalance_run_id, created_at = :created_at,
    policy_pack_sha256 = :policy_pack_sha256
WHERE tenant_id = :tenant_id AND family = :family AND idempotency_key = :idempotency_key
    AND created_at < :runs_since
RETURNING rebalance_run_id;

-- name: move_key
-- Gives the key to this run, whatever it stood for.
INSERT INTO dpm_run_idempotency (
    tenant_id, family, idempotency_key, request_hash, rebalance_run_id, created_at, policy_pack_sha256
)
VALUES (
    :tenant_id, :family, :idempotency_key, :request_hash, :rebalance_run_id, :created_at, :policy_pack_sha256
)
ON CONFLICT (tenant_id, family, idempotency_key) DO UPDATE
SET request_hash = excluded.request_hash,
    rebalance_run_id = excluded.rebalance_run_id,
    created_at = excluded.created_at,
    policy_pack_sha256 = excluded.policy_pack_sha256;

-- name: insert_use
-- Adds a run to the history of its key.
INSERT INTO dpm_run_idempotency_history (
    tenant_id, family, idempotency_key, rebalance_run_id, correlation_id, request_hash, created_at
)
VALUES (:tenant_id, :family, :idempotency_key, :rebalance_run_id, :correlation_id, :request_hash, :created_at);

-- name: find_key
-- The run a key stands for now, unless that has expired.
SELECT tenant_id, family, idempotency_key, request_hash, rebalance_run_id, created_at, policy_pack_sha256
FROM dpm_run_idempotency
WHERE tenant_id = :tenant_id AND family = :family AND idempotency_key = :idempotency_key
    AND created_at >= :runs_since;

-- name: list_uses
-- The runs recorded under a key behind a place, those that have not expired, oldest first.
SELECT tenant_id, family, idempotency_key, rebalance_run_id, correlation_id, request_hash, created_at
FROM dpm_run_idempotency_history
WHERE tenant_id = :tenant_id AND family = :family AND idempotency_key = :idempotency_key
    AND created_at >= :runs_since
    AND (created_at, rebalance_run_id) > (:after_at, :after_id)
ORDER BY created_at, rebalance_run_id
LIMIT :limit;

-- name: find_use
-- When a run was recorded under a key, if it was and has not expired.
SELECT created_at
FROM dpm_run_idempotency_history
WHERE tenant_id = :tenant_id AND family = :family AND idempotency_key = :idempotency_key
    AND rebalance_run_id = :rebalance_run_id AND created_at >= :runs_since;
