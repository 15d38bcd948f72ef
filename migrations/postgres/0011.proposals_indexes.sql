-- What expires is found among the analyses alone, built while the table is in use.
-- Each statement bears being repeated; the runner rebuilds an index that a break left invalid.
-- transactional: false

SET lock_timeout = '3s';
SET statement_timeout = '0';

-- Finds the analyses that have expired; what has not ended is not in it, nor what never expires.
CREATE INDEX CONCURRENTLY IF NOT EXISTS dpm_operations_expiring
    ON dpm_operations (tenant_id, finished_at, operation_id)
    WHERE finished_at IS NOT NULL AND operation_type = 'ANALYZE_SCENARIOS';

DROP INDEX CONCURRENTLY IF EXISTS dpm_operations_by_end;
