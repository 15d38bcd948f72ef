-- Artifacts, reviews, operations, tallies and the records of purges; new ways for edges to join entities.
-- What belongs to a run has the run's creation instant beside it, so that it can be seen to expire with its run.

SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- The correlation id a batch was sent with; its runs carry it only as a part of theirs.
ALTER TABLE dpm_run_requests ADD COLUMN correlation_id text COLLATE "C";

-- The bytes are JSON of some kilobytes: a third of their size with this, in less time than writing them plain.
ALTER TABLE dpm_run_requests ALTER COLUMN body SET COMPRESSION lz4;
ALTER TABLE dpm_runs ALTER COLUMN result SET COMPRESSION lz4;

-- The kind of entity an edge came with, and goes with.
ALTER TABLE dpm_lineage_edges ADD COLUMN lives_with text COLLATE "C" NOT NULL DEFAULT 'RUN';
ALTER TABLE dpm_lineage_edges DROP CONSTRAINT dpm_lineage_edges_type_known;
ALTER TABLE dpm_lineage_edges ADD CONSTRAINT dpm_lineage_edges_type_known
    CHECK (edge_type IN (
        'CORRELATION_TO_RUN', 'IDEMPOTENCY_TO_RUN', 'OPERATION_TO_CORRELATION',
        'CAUSED_BY', 'REPLAYED_FROM', 'DERIVED_FROM'
    )) NOT VALID;
ALTER TABLE dpm_lineage_edges ADD CONSTRAINT dpm_lineage_edges_lives_with_known
    CHECK (lives_with IN ('RUN', 'OPERATION')) NOT VALID;

CREATE TABLE dpm_run_artifacts (
    tenant_id        text COLLATE "C" NOT NULL,
    rebalance_run_id text COLLATE "C" NOT NULL,
    artifact_id      text COLLATE "C" NOT NULL,
    artifact_hash    text COLLATE "C" NOT NULL,
    created_at       timestamptz      NOT NULL,
    body             bytea COMPRESSION lz4 NOT NULL,
    CONSTRAINT dpm_run_artifacts_key PRIMARY KEY (tenant_id, rebalance_run_id),
    CONSTRAINT dpm_run_artifacts_run_kept
        FOREIGN KEY (tenant_id, rebalance_run_id) REFERENCES dpm_runs (tenant_id, rebalance_run_id),
    CONSTRAINT dpm_run_artifacts_hash_form
        CHECK (artifact_hash ~ '^sha256:[0-9a-f]{64}$')
);

-- Of two reviewers at once only one can write the next number; the primary key is what makes reviews race free.
CREATE TABLE dpm_workflow_decisions (
    tenant_id        text COLLATE "C" NOT NULL,
    rebalance_run_id text COLLATE "C" NOT NULL,
    decision_no      bigint           NOT NULL,
    decision_id      text COLLATE "C" NOT NULL,
    action           text COLLATE "C" NOT NULL,
    reason_code      text COLLATE "C" NOT NULL,
    comment          text COLLATE "C",
    actor_id         text COLLATE "C" NOT NULL,
    decided_at       timestamptz      NOT NULL,
    correlation_id   text COLLATE "C" NOT NULL,
    run_created_at   timestamptz      NOT NULL,
    CONSTRAINT dpm_workflow_decisions_key PRIMARY KEY (tenant_id, rebalance_run_id, decision_no),
    CONSTRAINT dpm_workflow_decisions_id_unique UNIQUE (tenant_id, decision_id),
    CONSTRAINT dpm_workflow_decisions_run_kept
        FOREIGN KEY (tenant_id, rebalance_run_id) REFERENCES dpm_runs (tenant_id, rebalance_run_id),
    CONSTRAINT dpm_workflow_decisions_number_from_one
        CHECK (decision_no >= 1),
    CONSTRAINT dpm_workflow_decisions_action_known
        CHECK (action IN ('APPROVE', 'REJECT', 'REQUEST_CHANGES')),
    CONSTRAINT dpm_workflow_decisions_reason_code_form
        CHECK (reason_code ~ '^[A-Z][A-Z0-9_]*$')
);

-- Pages through all decisions, newest first.
CREATE INDEX dpm_workflow_decisions_by_time
    ON dpm_workflow_decisions (tenant_id, decided_at, decision_id);

-- Pages through the decisions of one reviewer, newest first.
CREATE INDEX dpm_workflow_decisions_by_actor
    ON dpm_workflow_decisions (tenant_id, actor_id, decided_at, decision_id);

-- Pages through the decisions for one reason, newest first.
CREATE INDEX dpm_workflow_decisions_by_reason_code
    ON dpm_workflow_decisions (tenant_id, reason_code, decided_at, decision_id);

-- Pages through the decisions of one kind, newest first.
CREATE INDEX dpm_workflow_decisions_by_action
    ON dpm_workflow_decisions (tenant_id, action, decided_at, decision_id);

CREATE TABLE dpm_operations (
    tenant_id      text COLLATE "C" NOT NULL,
    operation_id   text COLLATE "C" NOT NULL,
    operation_type text COLLATE "C" NOT NULL,
    status         text COLLATE "C" NOT NULL,
    correlation_id text COLLATE "C" NOT NULL,
    created_at     timestamptz      NOT NULL,
    started_at     timestamptz,
    finished_at    timestamptz,
    error_code     text COLLATE "C",
    error_message  text COLLATE "C",
    request_sha256 text COLLATE "C" NOT NULL,
    request        bytea COMPRESSION lz4 NOT NULL,
    result         bytea COMPRESSION lz4,
    CONSTRAINT dpm_operations_key PRIMARY KEY (tenant_id, operation_id),
    CONSTRAINT dpm_operations_type_known
        CHECK (operation_type IN ('ANALYZE_SCENARIOS')),
    CONSTRAINT dpm_operations_status_known
        CHECK (status IN ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED')),
    CONSTRAINT dpm_operations_started_unless_pending
        CHECK ((started_at IS NULL) = (status = 'PENDING')),
    CONSTRAINT dpm_operations_finished_iff_final
        CHECK ((finished_at IS NOT NULL) = (status IN ('SUCCEEDED', 'FAILED'))),
    CONSTRAINT dpm_operations_result_iff_succeeded
        CHECK ((result IS NOT NULL) = (status = 'SUCCEEDED')),
    CONSTRAINT dpm_operations_error_iff_failed
        CHECK ((error_code IS NOT NULL) = (status = 'FAILED') AND (error_code IS NULL) = (error_message IS NULL))
);

-- Finds the newest operation of a correlation id, which any number of operations may share.
CREATE INDEX dpm_operations_by_correlation
    ON dpm_operations (tenant_id, correlation_id, created_at, operation_id);

-- Finds the oldest and the newest operation.
CREATE INDEX dpm_operations_by_creation
    ON dpm_operations (tenant_id, created_at, operation_id);

-- Finds the operations that have expired; one that has not ended is not in it.
CREATE INDEX dpm_operations_by_end
    ON dpm_operations (tenant_id, finished_at, operation_id) WHERE finished_at IS NOT NULL;

-- What was removed when, one row for each act of removal.
CREATE TABLE dpm_purges (
    tenant_id         text COLLATE "C" NOT NULL,
    purge_id          text COLLATE "C" NOT NULL,
    purged_at         timestamptz      NOT NULL,
    runs_before       timestamptz      NOT NULL,
    operations_before timestamptz      NOT NULL,
    runs              bigint           NOT NULL,
    requests          bigint           NOT NULL,
    artifacts         bigint           NOT NULL,
    decisions         bigint           NOT NULL,
    keys              bigint           NOT NULL,
    uses              bigint           NOT NULL,
    edges             bigint           NOT NULL,
    operations        bigint           NOT NULL,
    CONSTRAINT dpm_purges_key PRIMARY KEY (tenant_id, purge_id)
);

-- Lists the newest removals.
CREATE INDEX dpm_purges_by_time
    ON dpm_purges (tenant_id, purged_at, purge_id);

-- Counts up to some moment, and what changed since. Changes are only ever inserted, so that no two writers meet in
-- one row; they are added to the totals from time to time.
CREATE TABLE dpm_tallies (
    tenant_id text COLLATE "C" NOT NULL,
    subject   text COLLATE "C" NOT NULL,
    value     text COLLATE "C" NOT NULL,
    total     bigint           NOT NULL,
    CONSTRAINT dpm_tallies_key PRIMARY KEY (tenant_id, subject, value)
);

CREATE TABLE dpm_tally_changes (
    tenant_id text COLLATE "C" NOT NULL,
    subject   text COLLATE "C" NOT NULL,
    value     text COLLATE "C" NOT NULL,
    change    bigint           NOT NULL
);

CREATE FUNCTION dpm_tally_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dpm_tally_changes (tenant_id, subject, value, change)
    SELECT tenant_id, 'RUN_STATUS', status, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END
    FROM changed
    GROUP BY tenant_id, status;
    RETURN NULL;
END
$$;

CREATE FUNCTION dpm_tally_edges() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dpm_tally_changes (tenant_id, subject, value, change)
    SELECT tenant_id, 'LINEAGE_EDGE_TYPE', edge_type, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END
    FROM changed
    GROUP BY tenant_id, edge_type;
    RETURN NULL;
END
$$;

CREATE FUNCTION dpm_tally_decisions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dpm_tally_changes (tenant_id, subject, value, change)
    SELECT tenant_id, 'WORKFLOW_ACTION', action, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END
    FROM changed
    GROUP BY tenant_id, action
    UNION ALL
    SELECT tenant_id, 'WORKFLOW_REASON_CODE', reason_code, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END
    FROM changed
    GROUP BY tenant_id, reason_code;
    RETURN NULL;
END
$$;

CREATE FUNCTION dpm_tally_operations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dpm_tally_changes (tenant_id, subject, value, change)
    SELECT tenant_id, 'OPERATION_STATUS', status, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END
    FROM changed
    GROUP BY tenant_id, status;
    RETURN NULL;
END
$$;

CREATE FUNCTION dpm_tally_operation_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dpm_tally_changes (tenant_id, subject, value, change)
    SELECT tenant_id, 'OPERATION_STATUS', status, sum(change)
    FROM (
        SELECT tenant_id, status, 1 AS change FROM changed
        UNION ALL
        SELECT tenant_id, status, -1 AS change FROM changed_from
    ) AS moves
    GROUP BY tenant_id, status
    HAVING sum(change) <> 0;
    RETURN NULL;
END
$$;

CREATE TRIGGER dpm_runs_tally_inserted AFTER INSERT ON dpm_runs
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION dpm_tally_runs();

CREATE TRIGGER dpm_runs_tally_deleted AFTER DELETE ON dpm_runs
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION dpm_tally_runs();

CREATE TRIGGER dpm_lineage_edges_tally_inserted AFTER INSERT ON dpm_lineage_edges
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION dpm_tally_edges();

CREATE TRIGGER dpm_lineage_edges_tally_deleted AFTER DELETE ON dpm_lineage_edges
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION dpm_tally_edges();

CREATE TRIGGER dpm_workflow_decisions_tally_inserted AFTER INSERT ON dpm_workflow_decisions
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION dpm_tally_decisions();

CREATE TRIGGER dpm_workflow_decisions_tally_deleted AFTER DELETE ON dpm_workflow_decisions
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION dpm_tally_decisions();

CREATE TRIGGER dpm_operations_tally_inserted AFTER INSERT ON dpm_operations
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION dpm_tally_operations();

CREATE TRIGGER dpm_operations_tally_deleted AFTER DELETE ON dpm_operations
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION dpm_tally_operations();

CREATE TRIGGER dpm_operations_tally_moved AFTER UPDATE ON dpm_operations
    REFERENCING OLD TABLE AS changed_from NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION dpm_tally_operation_moves();

-- The triggers hold the tables against writers until this commits, so no row is counted twice or not at all.
INSERT INTO dpm_tallies (tenant_id, subject, value, total)
SELECT tenant_id, 'RUN_STATUS', status, count(*) FROM dpm_runs GROUP BY tenant_id, status
UNION ALL
SELECT tenant_id, 'LINEAGE_EDGE_TYPE', edge_type, count(*) FROM dpm_lineage_edges GROUP BY tenant_id, edge_type;

-- A purge says in its own transaction that it is one; who may delete at all is a matter of privileges (roles.sql).
CREATE OR REPLACE FUNCTION dpm_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('dpm.purging', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER dpm_run_artifacts_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON dpm_run_artifacts
    FOR EACH STATEMENT EXECUTE FUNCTION dpm_refuse_change();

CREATE TRIGGER dpm_workflow_decisions_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON dpm_workflow_decisions
    FOR EACH STATEMENT EXECUTE FUNCTION dpm_refuse_change();

CREATE TRIGGER dpm_purges_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON dpm_purges
    FOR EACH STATEMENT EXECUTE FUNCTION dpm_refuse_change();
