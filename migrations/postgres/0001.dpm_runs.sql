-- Requests as received, the runs computed from them, the keys that make them repeatable, the edges that explain them.
-- Ids and other compared text collate "C": their order is byte order, as on every other backend.
-- JSON is kept as the bytes that were hashed and answered.

SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE dpm_run_requests (
    tenant_id    text COLLATE "C" NOT NULL,
    request_id   text COLLATE "C" NOT NULL,
    request_hash text COLLATE "C" NOT NULL,
    created_at   timestamptz      NOT NULL,
    body_sha256  text COLLATE "C" NOT NULL,
    body         bytea            NOT NULL,
    CONSTRAINT dpm_run_requests_key PRIMARY KEY (tenant_id, request_id),
    CONSTRAINT dpm_run_requests_body_sha256_form
        CHECK (body_sha256 ~ '^sha256:[0-9a-f]{64}$')
);

CREATE TABLE dpm_runs (
    tenant_id        text COLLATE "C" NOT NULL,
    rebalance_run_id text COLLATE "C" NOT NULL,
    request_id       text COLLATE "C" NOT NULL,
    correlation_id   text COLLATE "C" NOT NULL,
    idempotency_key  text COLLATE "C",
    request_hash     text COLLATE "C" NOT NULL,
    portfolio_id     text COLLATE "C" NOT NULL,
    status           text COLLATE "C" NOT NULL,
    engine_version   text COLLATE "C" NOT NULL,
    scenario         text COLLATE "C",
    created_at       timestamptz      NOT NULL,
    result_sha256    text COLLATE "C" NOT NULL,
    result           bytea            NOT NULL,
    CONSTRAINT dpm_runs_key PRIMARY KEY (tenant_id, rebalance_run_id),
    CONSTRAINT dpm_runs_request_kept
        FOREIGN KEY (tenant_id, request_id) REFERENCES dpm_run_requests (tenant_id, request_id),
    CONSTRAINT dpm_runs_status_known
        CHECK (status IN ('READY', 'PENDING_REVIEW', 'BLOCKED')),
    CONSTRAINT dpm_runs_scenario_without_key
        CHECK (scenario IS NULL OR idempotency_key IS NULL),
    CONSTRAINT dpm_runs_result_sha256_form
        CHECK (result_sha256 ~ '^sha256:[0-9a-f]{64}$')
);

-- Finds the newest run of a correlation id, which any number of runs may share, in one step.
CREATE INDEX dpm_runs_by_correlation
    ON dpm_runs (tenant_id, correlation_id, created_at, rebalance_run_id);

-- The run a key stands for now. The primary key is what makes admission race free.
-- The foreign key is checked at commit, so that the key can be claimed before its run is written.
CREATE TABLE dpm_run_idempotency (
    tenant_id        text COLLATE "C" NOT NULL,
    family           text COLLATE "C" NOT NULL,
    idempotency_key  text COLLATE "C" NOT NULL,
    request_hash     text COLLATE "C" NOT NULL,
    rebalance_run_id text COLLATE "C" NOT NULL,
    created_at       timestamptz      NOT NULL,
    CONSTRAINT dpm_run_idempotency_key PRIMARY KEY (tenant_id, family, idempotency_key),
    CONSTRAINT dpm_run_idempotency_run_kept
        FOREIGN KEY (tenant_id, rebalance_run_id) REFERENCES dpm_runs (tenant_id, rebalance_run_id)
        DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT dpm_run_idempotency_family_known
        CHECK (family IN ('DPM_SIMULATE'))
);

-- Finds the key that stands for a run, as the foreign key asks whenever a run is removed.
CREATE INDEX dpm_run_idempotency_by_run
    ON dpm_run_idempotency (tenant_id, rebalance_run_id);

-- Every run ever recorded under a key, also those the key has moved on from.
CREATE TABLE dpm_run_idempotency_history (
    tenant_id        text COLLATE "C" NOT NULL,
    family           text COLLATE "C" NOT NULL,
    idempotency_key  text COLLATE "C" NOT NULL,
    rebalance_run_id text COLLATE "C" NOT NULL,
    correlation_id   text COLLATE "C" NOT NULL,
    request_hash     text COLLATE "C" NOT NULL,
    created_at       timestamptz      NOT NULL,
    CONSTRAINT dpm_run_idempotency_history_key
        PRIMARY KEY (tenant_id, family, idempotency_key, rebalance_run_id),
    CONSTRAINT dpm_run_idempotency_history_run_kept
        FOREIGN KEY (tenant_id, rebalance_run_id) REFERENCES dpm_runs (tenant_id, rebalance_run_id),
    CONSTRAINT dpm_run_idempotency_history_family_known
        CHECK (family IN ('DPM_SIMULATE'))
);

-- The primary key also answers which edges start at an entity.
CREATE TABLE dpm_lineage_edges (
    tenant_id        text COLLATE "C" NOT NULL,
    source_entity_id text COLLATE "C" NOT NULL,
    edge_type        text COLLATE "C" NOT NULL,
    target_entity_id text COLLATE "C" NOT NULL,
    created_at       timestamptz      NOT NULL,
    metadata         text COLLATE "C" NOT NULL,
    CONSTRAINT dpm_lineage_edges_key
        PRIMARY KEY (tenant_id, source_entity_id, edge_type, target_entity_id),
    CONSTRAINT dpm_lineage_edges_type_known
        CHECK (edge_type IN ('CORRELATION_TO_RUN', 'IDEMPOTENCY_TO_RUN', 'OPERATION_TO_CORRELATION')),
    CONSTRAINT dpm_lineage_edges_metadata_object
        CHECK (metadata IS JSON OBJECT)
);

-- Answers which edges end at an entity.
CREATE INDEX dpm_lineage_edges_by_target
    ON dpm_lineage_edges (tenant_id, target_entity_id);

-- What was answered stays as it was answered.
CREATE FUNCTION dpm_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER dpm_run_requests_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON dpm_run_requests
    FOR EACH STATEMENT EXECUTE FUNCTION dpm_refuse_change();

CREATE TRIGGER dpm_runs_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON dpm_runs
    FOR EACH STATEMENT EXECUTE FUNCTION dpm_refuse_change();

CREATE TRIGGER dpm_run_idempotency_history_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON dpm_run_idempotency_history
    FOR EACH STATEMENT EXECUTE FUNCTION dpm_refuse_change();

CREATE TRIGGER dpm_lineage_edges_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON dpm_lineage_edges
    FOR EACH STATEMENT EXECUTE FUNCTION dpm_refuse_change();
