-- name: insert_simulation
-- Keeps a simulation under its key. No row back means the key is taken.
INSERT INTO proposal_simulations (tenant_id, idempotency_key, request_hash, created_at, request, result)
VALUES (:tenant_id, :idempotency_key, :request_hash, :created_at, :request, :result)
ON CONFLICT (tenant_id, idempotency_key) DO NOTHING
RETURNING idempotency_key;

-- name: replace_simulation
-- Replaces the simulation under a key that has expired. No row back means there is none.
UPDATE proposal_simulations
SET request_hash = :request_hash, created_at = :created_at, request = :request, result = :result
WHERE tenant_id = :tenant_id AND idempotency_key = :idempotency_key AND created_at < :kept_since
RETURNING idempotency_key;

-- name: find_simulation
-- The simulation that is kept under a key, unless it has expired.
SELECT tenant_id, idempotency_key, request_hash, created_at, request, result
FROM proposal_simulations
WHERE tenant_id = :tenant_id AND idempotency_key = :idempotency_key AND created_at >= :kept_since;

-- name: delete_old_simulations
-- Deletes the simulations that expired first, at most so many.
DELETE FROM proposal_simulations
WHERE tenant_id = :tenant_id AND idempotency_key IN (
    SELECT idempotency_key
    FROM proposal_simulations INDEXED BY proposal_simulations_by_creation
    WHERE tenant_id = :tenant_id AND created_at < :created_before
    ORDER BY created_at, idempotency_key
    LIMIT :limit
)
RETURNING idempotency_key;
