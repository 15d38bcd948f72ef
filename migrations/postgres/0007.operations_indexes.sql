-- An index for each filter of the list of operations, built while the table is in use.
-- Each statement bears being repeated; the runner rebuilds an index that a break left invalid.
-- transactional: false

SET lock_timeout = '3s';
SET statement_timeout = '0';

-- Pages through the operations of one status, newest first, and finds those that wait or run, oldest first.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dpm_operations_by_status
    ON dpm_operations (tenant_id, status, created_at, operation_id);

-- Pages through the operations of one type, newest first.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dpm_operations_by_type
    ON dpm_operations (tenant_id, operation_type, created_at, operation_id);
