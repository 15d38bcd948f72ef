-- What is over its deadline is found among what has begun and not ended.

-- Finds the operations that began first of those that have not ended; all others are not in it.
CREATE INDEX dpm_operations_by_first_start
    ON dpm_operations (tenant_id, first_started_at, operation_id)
    WHERE first_started_at IS NOT NULL AND finished_at IS NULL;
