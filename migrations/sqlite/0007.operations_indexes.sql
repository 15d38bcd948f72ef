-- An index for every filter of the list of operations.

-- Pages through the operations of one status, newest first, and finds those that wait or run, oldest first.
CREATE INDEX dpm_operations_by_status
    ON dpm_operations (tenant_id, status, created_at, operation_id);

-- Pages through the operations of one type, newest first.
CREATE INDEX dpm_operations_by_type
    ON dpm_operations (tenant_id, operation_type, created_at, operation_id);
