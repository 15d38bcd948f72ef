-- Requests as received, the runs computed from them, the keys that make them repeatable, the edges that explain them.
-- Instants are text: UTC, six fractional digits, always, so that text order is time order.
-- JSON is kept as the bytes that were hashed and answered; those columns come last, as a row's head is read without them.

CREATE TABLE dpm_run_requests (
    tenant_id    text NOT NULL,
    request_id   text NOT NULL,
    request_hash text NOT NULL,
    created_at   text NOT NULL,
    body_sha256  text NOT NULL,
    body         blob NOT NULL,
    CONSTRAINT dpm_run_requests_key PRIMARY KEY (tenant_id, request_id),
    CONSTRAINT dpm_run_requests_created_at_instant
        CHECK (created_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(created_at) IS NOT NULL),
    CONSTRAINT dpm_run_requests_body_sha256_form
        CHECK (body_sha256 GLOB 'sha256:*' AND length(body_sha256) = 71)
) STRICT;

CREATE TABLE dpm_runs (
    tenant_id        text NOT NULL,
    rebalance_run_id text NOT NULL,
    request_id       text NOT NULL,
    correlation_id   text NOT NULL,
    idempotency_key  text,
    request_hash     text NOT NULL,
    portfolio_id     text NOT NULL,
    status           text NOT NULL,
    engine_version   text NOT NULL,
    scenario         text,
    created_at       text NOT NULL,
    result_sha256    text NOT NULL,
    result           blob NOT NULL,
    CONSTRAINT dpm_runs_key PRIMARY KEY (tenant_id, rebalance_run_id),
    CONSTRAINT dpm_runs_request_kept
        FOREIGN KEY (tenant_id, request_id) REFERENCES dpm_run_requests (tenant_id, request_id),
    CONSTRAINT dpm_runs_status_known
        CHECK (status IN ('READY', 'PENDING_REVIEW', 'BLOCKED')),
    CONSTRAINT dpm_runs_scenario_without_key
        CHECK (scenario IS NULL OR idempotency_key IS NULL),
    CONSTRAINT dpm_runs_created_at_instant
        CHECK (created_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(created_at) IS NOT NULL),
    CONSTRAINT dpm_runs_result_sha256_form
        CHECK (result_sha256 GLOB 'sha256:*' AND length(result_sha256) = 71)
) STRICT;

-- Finds the newest run of a correlation id, which any number of runs may share, in one step.
CREATE INDEX dpm_runs_by_correlation
    ON dpm_runs (tenant_id, correlation_id, created_at, rebalance_run_id);

-- The run a key stands for now. The primary key is what makes admission race free.
-- The foreign key is checked at commit, so that the key can be claimed before its run is written.
CREATE TABLE dpm_run_idempotency (
    tenant_id        text NOT NULL,
    family           text NOT NULL,
    idempotency_key  text NOT NULL,
    request_hash     text NOT NULL,
    rebalance_run_id text NOT NULL,
    created_at       text NOT NULL,
    CONSTRAINT dpm_run_idempotency_key PRIMARY KEY (tenant_id, family, idempotency_key),
    CONSTRAINT dpm_run_idempotency_run_kept
        FOREIGN KEY (tenant_id, rebalance_run_id) REFERENCES dpm_runs (tenant_id, rebalance_run_id)
        DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT dpm_run_idempotency_family_known
        CHECK (family IN ('DPM_SIMULATE')),
    CONSTRAINT dpm_run_idempotency_created_at_instant
        CHECK (created_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(created_at) IS NOT NULL)
) STRICT, WITHOUT ROWID;

-- Finds the key that stands for a run, as the foreign key asks whenever a run is written or removed; without
-- it, each run written would read the whole table.
CREATE INDEX dpm_run_idempotency_by_run
    ON dpm_run_idempotency (tenant_id, rebalance_run_id);

-- Every run ever recorded under a key, also those the key has moved on from.
CREATE TABLE dpm_run_idempotency_history (
    tenant_id        text NOT NULL,
    family           text NOT NULL,
    idempotency_key  text NOT NULL,
    rebalance_run_id text NOT NULL,
    correlation_id   text NOT NULL,
    request_hash     text NOT NULL,
    created_at       text NOT NULL,
    CONSTRAINT dpm_run_idempotency_history_key
        PRIMARY KEY (tenant_id, family, idempotency_key, rebalance_run_id),
    CONSTRAINT dpm_run_idempotency_history_run_kept
        FOREIGN KEY (tenant_id, rebalance_run_id) REFERENCES dpm_runs (tenant_id, rebalance_run_id),
    CONSTRAINT dpm_run_idempotency_history_family_known
        CHECK (family IN ('DPM_SIMULATE')),
    CONSTRAINT dpm_run_idempotency_history_created_at_instant
        CHECK (created_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(created_at) IS NOT NULL)
) STRICT, WITHOUT ROWID;

-- The primary key also answers which edges start at an entity.
CREATE TABLE dpm_lineage_edges (
    tenant_id        text NOT NULL,
    source_entity_id text NOT NULL,
    edge_type        text NOT NULL,
    target_entity_id text NOT NULL,
    created_at       text NOT NULL,
    metadata         text NOT NULL,
    CONSTRAINT dpm_lineage_edges_key
        PRIMARY KEY (tenant_id, source_entity_id, edge_type, target_entity_id),
    CONSTRAINT dpm_lineage_edges_type_known
        CHECK (edge_type IN ('CORRELATION_TO_RUN', 'IDEMPOTENCY_TO_RUN', 'OPERATION_TO_CORRELATION')),
    CONSTRAINT dpm_lineage_edges_created_at_instant
        CHECK (created_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(created_at) IS NOT NULL),
    CONSTRAINT dpm_lineage_edges_metadata_object
        CHECK (json_valid(metadata) AND json_type(metadata) = 'object')
) STRICT, WITHOUT ROWID;

-- Answers which edges end at an entity.
CREATE INDEX dpm_lineage_edges_by_target
    ON dpm_lineage_edges (tenant_id, target_entity_id);

-- What was answered stays as it was answered.
CREATE TRIGGER dpm_run_requests_not_updated BEFORE UPDATE ON dpm_run_requests
BEGIN
    SELECT RAISE(ABORT, 'dpm_run_requests is append-only');
END;

CREATE TRIGGER dpm_run_requests_not_deleted BEFORE DELETE ON dpm_run_requests
BEGIN
    SELECT RAISE(ABORT, 'dpm_run_requests is append-only');
END;

CREATE TRIGGER dpm_runs_not_updated BEFORE UPDATE ON dpm_runs
BEGIN
    SELECT RAISE(ABORT, 'dpm_runs is append-only');
END;

CREATE TRIGGER dpm_runs_not_deleted BEFORE DELETE ON dpm_runs
BEGIN
    SELECT RAISE(ABORT, 'dpm_runs is append-only');
END;

CREATE TRIGGER dpm_run_idempotency_history_not_updated BEFORE UPDATE ON dpm_run_idempotency_history
BEGIN
    SELECT RAISE(ABORT, 'dpm_run_idempotency_history is append-only');
END;

CREATE TRIGGER dpm_run_idempotency_history_not_deleted BEFORE DELETE ON dpm_run_idempotency_history
BEGIN
    SELECT RAISE(ABORT, 'dpm_run_idempotency_history is append-only');
END;

CREATE TRIGGER dpm_lineage_edges_not_updated BEFORE UPDATE ON dpm_lineage_edges
BEGIN
    SELECT RAISE(ABORT, 'dpm_lineage_edges is append-only');
END;

CREATE TRIGGER dpm_lineage_edges_not_deleted BEFORE DELETE ON dpm_lineage_edges
BEGIN
    SELECT RAISE(ABORT, 'dpm_lineage_edges is append-only');
END;
