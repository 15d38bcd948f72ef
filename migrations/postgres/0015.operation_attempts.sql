-- Who runs an operation, when it first began, why an earlier attempt was over; answers that are kept under a key.

SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- Which process runs it; of interest only while it is RUNNING, and earlier builds leave it as it is.
ALTER TABLE dpm_operations ADD COLUMN lease_owner text COLLATE "C";

-- Its deadline counts from the start of its first attempt.
ALTER TABLE dpm_operations ADD COLUMN first_started_at timestamptz;

-- Why the latest attempt was over that did not end the operation.
ALTER TABLE dpm_operations ADD COLUMN last_error_code text COLLATE "C";
ALTER TABLE dpm_operations ADD COLUMN last_error_message text COLLATE "C";
ALTER TABLE dpm_operations ADD COLUMN last_error_attempt bigint;
ALTER TABLE dpm_operations ADD COLUMN last_error_at timestamptz;

-- The first answer to a request with a key, for as long as the run or the operation that it is about is kept. The
-- primary key is what makes equal requests race free; the foreign keys are checked at commit, so that the key can be
-- claimed before anything else is written. A key whose run or operation has expired is claimed anew.
CREATE TABLE dpm_idempotent_answers (
    tenant_id        text COLLATE "C" NOT NULL,
    family           text COLLATE "C" NOT NULL,
    idempotency_key  text COLLATE "C" NOT NULL,
    request_hash     text COLLATE "C" NOT NULL,
    rebalance_run_id text COLLATE "C",
    operation_id     text COLLATE "C",
    created_at       timestamptz      NOT NULL,
    answer           bytea COMPRESSION lz4 NOT NULL,
    CONSTRAINT dpm_idempotent_answers_key PRIMARY KEY (tenant_id, family, idempotency_key),
    CONSTRAINT dpm_idempotent_answers_run_kept
        FOREIGN KEY (tenant_id, rebalance_run_id) REFERENCES dpm_runs (tenant_id, rebalance_run_id)
        DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT dpm_idempotent_answers_operation_kept
        FOREIGN KEY (tenant_id, operation_id) REFERENCES dpm_operations (tenant_id, operation_id)
        DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT dpm_idempotent_answers_about_one
        CHECK (
            (family = 'DPM_WORKFLOW_ACTION' AND rebalance_run_id IS NOT NULL AND operation_id IS NULL)
            OR (family = 'DPM_ANALYZE_ASYNC' AND rebalance_run_id IS NULL AND operation_id IS NOT NULL)
        ),
    CONSTRAINT dpm_idempotent_answers_request_hash_form
        CHECK (request_hash ~ '^sha256:[0-9a-f]{64}$')
);

-- Finds the answers about a run, as the foreign key asks whenever a run is removed.
CREATE INDEX dpm_idempotent_answers_of_run
    ON dpm_idempotent_answers (rebalance_run_id, tenant_id) WHERE rebalance_run_id IS NOT NULL;

-- Finds the answers about an operation, as the foreign key asks whenever an operation is removed.
CREATE INDEX dpm_idempotent_answers_of_operation
    ON dpm_idempotent_answers (operation_id, tenant_id) WHERE operation_id IS NOT NULL;
