-- name: insert_operation
-- Keeps an accepted operation. No row back means its id is taken.
INSERT INTO dpm_operations (
    tenant_id, operation_id, operation_type, status, correlation_id, created_at, request_sha256, request
)
VALUES (
    :tenant_id, :operation_id, :operation_type, 'PENDING', :correlation_id, :created_at, :request_sha256, :request
)
ON CONFLICT (tenant_id, operation_id) DO NOTHING
RETURNING operation_id;

-- name: start_operation
-- Moves an operation from PENDING to RUNNING. No row back means it is not PENDING.
UPDATE dpm_operations
SET status = 'RUNNING', started_at = :started_at
WHERE tenant_id = :tenant_id AND operation_id = :operation_id AND status = 'PENDING'
RETURNING operation_id;

-- name: finish_operation
-- Moves an operation from RUNNING to its end. No row back means it is not RUNNING.
UPDATE dpm_operations
SET status = :status, finished_at = :finished_at, result = :result, error_code = :error_code,
    error_message = :error_message
WHERE tenant_id = :tenant_id AND operation_id = :operation_id AND status = 'RUNNING'
RETURNING operation_id;

-- name: find_operation
-- One operation, unless it has expired.
SELECT tenant_id, operation_id, operation_type, status, correlation_id, created_at, started_at, finished_at,
    error_code, error_message, request, result
FROM dpm_operations
WHERE tenant_id = :tenant_id AND operation_id = :operation_id
    AND (finished_at IS NULL OR finished_at >= :operations_since);

-- name: find_newest_operation_by_correlation
-- The operation a correlation id was last used for; equal instants fall back on the id.
SELECT tenant_id, operation_id, operation_type, status, correlation_id, created_at, started_at, finished_at,
    error_code, error_message, request, result
FROM dpm_operations
WHERE tenant_id = :tenant_id AND correlation_id = :correlation_id
    AND (finished_at IS NULL OR finished_at >= :operations_since)
ORDER BY created_at DESC, operation_id DESC
LIMIT 1;
