-- name: insert_operation
-- Keeps an accepted operation. No row back means its id is taken.
INSERT INTO dpm_operations (
    tenant_id, operation_id, operation_type, status, correlation_id, created_at, is_queued, scenarios_total,
    request_sha256, request
)
VALUES (
    :tenant_id, :operation_id, :operation_type, 'PENDING', :correlation_id, :created_at, :is_queued, :scenarios_total,
    :request_sha256, :request
)
ON CONFLICT (tenant_id, operation_id) DO NOTHING
RETURNING operation_id;

-- name: claim_operation
-- Moves an operation from PENDING to RUNNING, as a new attempt with a fence of its own. No row back means it is not
-- PENDING.
UPDATE dpm_operations
SET status = 'RUNNING', started_at = :started_at, lease_until = :lease_until, lease_owner = :lease_owner,
    attempt = attempt + 1, fence = fence + 1, first_started_at = COALESCE(first_started_at, :started_at)
WHERE tenant_id = :tenant_id AND operation_id = :operation_id AND status = 'PENDING'
RETURNING fence;

-- name: extend_operation
-- Extends the lease of a claim. No row back means the claim is lost.
UPDATE dpm_operations
SET lease_until = :lease_until
WHERE tenant_id = :tenant_id AND operation_id = :operation_id
    AND status = 'RUNNING' AND fence = :fence AND lease_until >= :now
RETURNING operation_id;

-- name: advance_operation
-- Counts scenarios as done and extends the lease of the claim. No row back means the claim is lost.
UPDATE dpm_operations
SET scenarios_done = scenarios_done + :added, lease_until = :lease_until
WHERE tenant_id = :tenant_id AND operation_id = :operation_id
    AND status = 'RUNNING' AND fence = :fence AND lease_until >= :now
RETURNING operation_id;

-- name: finish_operation
-- Moves an operation from RUNNING to its end. No row back means the claim is lost.
UPDATE dpm_operations
SET status = :status, finished_at = :finished_at, lease_until = NULL, result = :result, error_code = :error_code,
    error_message = :error_message,
    scenarios_done = CASE WHEN CAST(:status AS text) = 'SUCCEEDED' THEN scenarios_total ELSE scenarios_done END
WHERE tenant_id = :tenant_id AND operation_id = :operation_id
    AND status = 'RUNNING' AND fence = :fence AND lease_until >= :finished_at
RETURNING operation_id;

-- name: release_operation
-- Moves an operation back to PENDING and keeps the error; its attempt counts if it began before an instant. No row back
-- means the claim is lost.
UPDATE dpm_operations
SET status = 'PENDING', started_at = NULL, lease_until = NULL, lease_owner = NULL,
    attempt = CASE WHEN started_at < :uncounted_since THEN attempt ELSE attempt - 1 END,
    last_error_code = :error_code, last_error_message = :error_message, last_error_attempt = attempt,
    last_error_at = :now
WHERE tenant_id = :tenant_id AND operation_id = :operation_id
    AND status = 'RUNNING' AND fence = :fence AND lease_until >= :now
RETURNING attempt;

-- name: insert_scenario
-- Keeps the outcome of a scenario. No row back means it is kept already.
INSERT INTO dpm_operation_scenarios (tenant_id, operation_id, scenario, status, failure, metric, result)
VALUES (:tenant_id, :operation_id, :scenario, :status, :failure, :metric, :result)
ON CONFLICT (tenant_id, operation_id, scenario) DO NOTHING
RETURNING scenario;

-- name: list_scenarios
-- The outcomes of the scenarios of an operation so far, by their names.
SELECT scenario, status, failure, metric, result
FROM dpm_operation_scenarios
WHERE tenant_id = :tenant_id AND operation_id = :operation_id
ORDER BY scenario;

-- name: delete_scenarios
-- Deletes the outcomes of the scenarios of an operation.
DELETE FROM dpm_operation_scenarios
WHERE tenant_id = :tenant_id AND operation_id = :operation_id;

-- name: list_ended_leases
-- The RUNNING operations whose lease has expired, those created first; what another transaction has locked is skipped.
SELECT operation_id, attempt, lease_owner
FROM dpm_operations
WHERE tenant_id = :tenant_id AND status = 'RUNNING' AND lease_until < :now
ORDER BY created_at, operation_id
LIMIT :limit
FOR UPDATE SKIP LOCKED;

-- name: requeue_operation
-- Moves an operation back to PENDING, its attempt counted, and keeps the error.
UPDATE dpm_operations
SET status = 'PENDING', started_at = NULL, lease_until = NULL, lease_owner = NULL, last_error_code = :error_code,
    last_error_message = :error_message, last_error_attempt = attempt, last_error_at = :now
WHERE tenant_id = :tenant_id AND operation_id = :operation_id AND status = 'RUNNING';

-- name: exhaust_operation
-- Fails an operation that has had all its attempts.
UPDATE dpm_operations
SET status = 'FAILED', finished_at = :finished_at, lease_until = NULL, error_code = :error_code,
    error_message = :error_message
WHERE tenant_id = :tenant_id AND operation_id = :operation_id AND status = 'RUNNING';

-- name: list_unexecuted
-- The analyses that nothing executed, those created first; every other operation has a worker or a request that
-- executes it. What another transaction has locked is skipped.
SELECT operation_id
FROM dpm_operations
WHERE tenant_id = :tenant_id AND status = 'PENDING' AND NOT is_queued AND created_at < :created_before
    AND operation_type = 'ANALYZE_SCENARIOS'
ORDER BY created_at, operation_id
LIMIT :limit
FOR UPDATE SKIP LOCKED;

-- name: expire_operation
-- Fails an operation that nothing executed.
UPDATE dpm_operations
SET status = 'FAILED', finished_at = :finished_at, error_code = :error_code, error_message = :error_message
WHERE tenant_id = :tenant_id AND operation_id = :operation_id AND status = 'PENDING';

-- name: fail_operation
-- Fails an operation that has not ended, whichever worker holds it. No row back means it has ended or was never there.
UPDATE dpm_operations
SET status = 'FAILED', finished_at = :finished_at, lease_until = NULL, error_code = :error_code,
    error_message = :error_message
WHERE tenant_id = :tenant_id AND operation_id = :operation_id AND status IN ('PENDING', 'RUNNING')
RETURNING operation_id;

-- name: list_overdue
-- The operations that began before an instant and have not ended, those that began first; what another transaction has
-- locked is skipped.
SELECT operation_id
FROM dpm_operations
WHERE tenant_id = :tenant_id AND first_started_at IS NOT NULL AND finished_at IS NULL
    AND first_started_at < :started_before
ORDER BY first_started_at, operation_id
LIMIT :limit
FOR UPDATE SKIP LOCKED;

-- name: find_operation
-- One operation, unless it has expired.
SELECT tenant_id, operation_id, operation_type, status, correlation_id, created_at, started_at, finished_at,
    error_code, error_message, is_queued, attempt, scenarios_total, scenarios_done, lease_until, lease_owner,
    first_started_at, last_error_code, last_error_message, last_error_attempt, last_error_at,
    request, result
FROM dpm_operations
WHERE tenant_id = :tenant_id AND operation_id = :operation_id
    AND (finished_at IS NULL OR finished_at >= :operations_since);

-- name: find_newest_operation_by_correlation
-- The operation a correlation id was last used for; equal instants fall back on the id.
SELECT tenant_id, operation_id, operation_type, status, correlation_id, created_at, started_at, finished_at,
    error_code, error_message, is_queued, attempt, scenarios_total, scenarios_done, lease_until, lease_owner,
    first_started_at, last_error_code, last_error_message, last_error_attempt, last_error_at,
    request, result
FROM dpm_operations
WHERE tenant_id = :tenant_id AND correlation_id = :correlation_id
    AND (finished_at IS NULL OR finished_at >= :operations_since)
ORDER BY created_at DESC, operation_id DESC
LIMIT 1;

-- name: find_operation_head
-- One operation without its request and result, unless it has expired.
SELECT tenant_id, operation_id, operation_type, status, correlation_id, created_at, started_at, finished_at,
    error_code, error_message, is_queued, attempt, scenarios_total, scenarios_done, lease_until, lease_owner,
    first_started_at, last_error_code, last_error_message, last_error_attempt, last_error_at
FROM dpm_operations
WHERE tenant_id = :tenant_id AND operation_id = :operation_id
    AND (finished_at IS NULL OR finished_at >= :operations_since);

-- name: list_operations
-- Operations before a position, newest first.
SELECT tenant_id, operation_id, operation_type, status, correlation_id, created_at, started_at, finished_at,
    error_code, error_message, is_queued, attempt, scenarios_total, scenarios_done, lease_until, lease_owner,
    first_started_at, last_error_code, last_error_message, last_error_attempt, last_error_at
FROM dpm_operations
WHERE tenant_id = :tenant_id
    AND (finished_at IS NULL OR finished_at >= :operations_since)
    AND created_at >= :created_from
    AND created_at <= :created_to
    AND (created_at, operation_id) < (:before_at, :before_id)
ORDER BY created_at DESC, operation_id DESC
LIMIT :limit;

-- name: list_operations_by_type
-- Operations of one type before a position, newest first.
SELECT tenant_id, operation_id, operation_type, status, correlation_id, created_at, started_at, finished_at,
    error_code, error_message, is_queued, attempt, scenarios_total, scenarios_done, lease_until, lease_owner,
    first_started_at, last_error_code, last_error_message, last_error_attempt, last_error_at
FROM dpm_operations
WHERE tenant_id = :tenant_id
    AND operation_type = :operation_type
    AND (finished_at IS NULL OR finished_at >= :operations_since)
    AND created_at >= :created_from
    AND created_at <= :created_to
    AND (created_at, operation_id) < (:before_at, :before_id)
ORDER BY created_at DESC, operation_id DESC
LIMIT :limit;

-- name: list_operations_by_status
-- Operations of one status before a position, newest first.
SELECT tenant_id, operation_id, operation_type, status, correlation_id, created_at, started_at, finished_at,
    error_code, error_message, is_queued, attempt, scenarios_total, scenarios_done, lease_until, lease_owner,
    first_started_at, last_error_code, last_error_message, last_error_attempt, last_error_at
FROM dpm_operations
WHERE tenant_id = :tenant_id
    AND status = :status
    AND (CAST(:operation_type AS text) IS NULL OR operation_type = :operation_type)
    AND (finished_at IS NULL OR finished_at >= :operations_since)
    AND created_at >= :created_from
    AND created_at <= :created_to
    AND (created_at, operation_id) < (:before_at, :before_id)
ORDER BY created_at DESC, operation_id DESC
LIMIT :limit;

-- name: list_operations_by_correlation
-- Operations of one correlation id before a position, newest first.
SELECT tenant_id, operation_id, operation_type, status, correlation_id, created_at, started_at, finished_at,
    error_code, error_message, is_queued, attempt, scenarios_total, scenarios_done, lease_until, lease_owner,
    first_started_at, last_error_code, last_error_message, last_error_attempt, last_error_at
FROM dpm_operations
WHERE tenant_id = :tenant_id
    AND correlation_id = :correlation_id
    AND (CAST(:status AS text) IS NULL OR status = :status)
    AND (CAST(:operation_type AS text) IS NULL OR operation_type = :operation_type)
    AND (finished_at IS NULL OR finished_at >= :operations_since)
    AND created_at >= :created_from
    AND created_at <= :created_to
    AND (created_at, operation_id) < (:before_at, :before_id)
ORDER BY created_at DESC, operation_id DESC
LIMIT :limit;

-- name: list_not_enqueued
-- The operations that wait for a worker and that no job tells a worker about, those created first. Workers take the
-- oldest first, so a lost offer comes to be among the oldest. The index of the engine goes by another collation than
-- our ids.
SELECT operation_id
FROM (
    SELECT operation_id, created_at
    FROM dpm_operations
    WHERE tenant_id = :tenant_id AND status = 'PENDING' AND is_queued AND created_at < :created_before
    ORDER BY created_at, operation_id
    LIMIT 1000
) AS waiting
WHERE NOT EXISTS (
    SELECT 1 FROM queue.pgqueuer AS job
    WHERE job.dedupe_key = waiting.operation_id COLLATE "default" AND job.status IN ('queued', 'picked')
)
ORDER BY created_at, operation_id
LIMIT :limit;

-- name: revive_jobs
-- Puts the jobs of waiting operations back into the queue whose worker took them and was silent since. One that begins
-- an operation does so at once, and says that it lives twice in a lease.
UPDATE queue.pgqueuer AS job
SET status = 'queued', queue_manager_id = NULL, execute_after = now(), updated = now()
WHERE job.entrypoint = 'operations' AND job.status = 'picked'
    AND job.heartbeat < now() - make_interval(secs => :silent_seconds)
    AND EXISTS (
        SELECT 1 FROM dpm_operations AS operation
        WHERE operation.tenant_id = :tenant_id AND operation.operation_id = job.dedupe_key COLLATE "C"
            AND operation.status = 'PENDING'
    )
RETURNING job.id;

-- name: count_waiting
-- How many jobs no worker has taken.
SELECT count(*) AS waiting
FROM queue.pgqueuer
WHERE entrypoint = 'operations' AND status = 'queued';

-- name: delete_job
-- Takes the job of an operation out of the queue; a worker that has taken it finds out that the operation has ended.
DELETE FROM queue.pgqueuer
WHERE dedupe_key = :operation_id AND entrypoint = 'operations' AND status IN ('queued', 'picked');
