-- name: claim_answer
-- Keeps the answer to a request under its key. No row back means that the key is taken.
INSERT INTO dpm_idempotent_answers (
    tenant_id, family, idempotency_key, request_hash, rebalance_run_id, operation_id, created_at, answer
)
VALUES (
    :tenant_id, :family, :idempotency_key, :request_hash, :rebalance_run_id, :operation_id, :created_at, :answer
)
ON CONFLICT (tenant_id, family, idempotency_key) DO NOTHING
RETURNING idempotency_key;

-- name: find_answer
-- The answer that is kept under a key, and whether the run or the operation that it is about has expired.
SELECT tenant_id, family, idempotency_key, request_hash, rebalance_run_id, operation_id, created_at, answer,
    CASE
        WHEN rebalance_run_id IS NOT NULL THEN NOT EXISTS (
            SELECT 1 FROM dpm_runs AS run
            WHERE run.tenant_id = kept.tenant_id AND run.rebalance_run_id = kept.rebalance_run_id
                AND run.created_at >= :runs_since
        )
        ELSE NOT EXISTS (
            SELECT 1 FROM dpm_operations AS operation
            WHERE operation.tenant_id = kept.tenant_id AND operation.operation_id = kept.operation_id
                AND (operation.finished_at IS NULL OR operation.finished_at >= :operations_since)
        )
    END AS is_expired
FROM dpm_idempotent_answers AS kept
WHERE tenant_id = :tenant_id AND family = :family AND idempotency_key = :idempotency_key;

-- name: renew_answer
-- Gives a key to another request, if it still stands for the run or the operation that was seen to have expired. No row
-- back means that another request was first.
UPDATE dpm_idempotent_answers
SET request_hash = :request_hash, rebalance_run_id = :rebalance_run_id, operation_id = :operation_id,
    created_at = :created_at, answer = :answer
WHERE tenant_id = :tenant_id AND family = :family AND idempotency_key = :idempotency_key
    AND COALESCE(rebalance_run_id, operation_id) = :expired_entity_id
RETURNING idempotency_key;
