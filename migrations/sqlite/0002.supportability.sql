-- Artifacts, reviews, operations, tallies and the records of purges; new ways for edges to join entities.
-- What belongs to a run has the run's creation instant beside it, so that it can be seen to expire with its run.

-- The correlation id a batch was sent with; its runs carry it only as a part of theirs.
ALTER TABLE dpm_run_requests ADD COLUMN correlation_id text;

-- A rule cannot be widened in place, so the edges move to a table that has the wider one.
CREATE TABLE dpm_lineage_edges_wider (
    tenant_id        text NOT NULL,
    source_entity_id text NOT NULL,
    edge_type        text NOT NULL,
    target_entity_id text NOT NULL,
    created_at       text NOT NULL,
    metadata         text NOT NULL,
    lives_with       text NOT NULL DEFAULT 'RUN',
    CONSTRAINT dpm_lineage_edges_key
        PRIMARY KEY (tenant_id, source_entity_id, edge_type, target_entity_id),
    CONSTRAINT dpm_lineage_edges_type_known
        CHECK (edge_type IN (
            'CORRELATION_TO_RUN', 'IDEMPOTENCY_TO_RUN', 'OPERATION_TO_CORRELATION',
            'CAUSED_BY', 'REPLAYED_FROM', 'DERIVED_FROM'
        )),
    CONSTRAINT dpm_lineage_edges_lives_with_known
        CHECK (lives_with IN ('RUN', 'OPERATION')),
    CONSTRAINT dpm_lineage_edges_created_at_instant
        CHECK (created_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(created_at) IS NOT NULL),
    CONSTRAINT dpm_lineage_edges_metadata_object
        CHECK (json_valid(metadata) AND json_type(metadata) = 'object')
) STRICT, WITHOUT ROWID;

INSERT INTO dpm_lineage_edges_wider (
    tenant_id, source_entity_id, edge_type, target_entity_id, created_at, metadata
)
SELECT tenant_id, source_entity_id, edge_type, target_entity_id, created_at, metadata
FROM dpm_lineage_edges;

DROP TABLE dpm_lineage_edges;
ALTER TABLE dpm_lineage_edges_wider RENAME TO dpm_lineage_edges;

CREATE TABLE dpm_run_artifacts (
    tenant_id        text NOT NULL,
    rebalance_run_id text NOT NULL,
    artifact_id      text NOT NULL,
    artifact_hash    text NOT NULL,
    created_at       text NOT NULL,
    body             blob NOT NULL,
    CONSTRAINT dpm_run_artifacts_key PRIMARY KEY (tenant_id, rebalance_run_id),
    CONSTRAINT dpm_run_artifacts_run_kept
        FOREIGN KEY (tenant_id, rebalance_run_id) REFERENCES dpm_runs (tenant_id, rebalance_run_id),
    CONSTRAINT dpm_run_artifacts_created_at_instant
        CHECK (created_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(created_at) IS NOT NULL),
    CONSTRAINT dpm_run_artifacts_hash_form
        CHECK (artifact_hash GLOB 'sha256:*' AND length(artifact_hash) = 71)
) STRICT;

-- Of two reviewers at once only one can write the next number; the primary key is what makes reviews race free.
CREATE TABLE dpm_workflow_decisions (
    tenant_id        text    NOT NULL,
    rebalance_run_id text    NOT NULL,
    decision_no      integer NOT NULL,
    decision_id      text    NOT NULL,
    action           text    NOT NULL,
    reason_code      text    NOT NULL,
    comment          text,
    actor_id         text    NOT NULL,
    decided_at       text    NOT NULL,
    correlation_id   text    NOT NULL,
    run_created_at   text    NOT NULL,
    CONSTRAINT dpm_workflow_decisions_key PRIMARY KEY (tenant_id, rebalance_run_id, decision_no),
    CONSTRAINT dpm_workflow_decisions_id_unique UNIQUE (tenant_id, decision_id),
    CONSTRAINT dpm_workflow_decisions_run_kept
        FOREIGN KEY (tenant_id, rebalance_run_id) REFERENCES dpm_runs (tenant_id, rebalance_run_id),
    CONSTRAINT dpm_workflow_decisions_number_from_one
        CHECK (decision_no >= 1),
    CONSTRAINT dpm_workflow_decisions_action_known
        CHECK (action IN ('APPROVE', 'REJECT', 'REQUEST_CHANGES')),
    CONSTRAINT dpm_workflow_decisions_reason_code_form
        CHECK (reason_code GLOB '[A-Z]*' AND NOT reason_code GLOB '*[^A-Z0-9_]*'),
    CONSTRAINT dpm_workflow_decisions_decided_at_instant
        CHECK (decided_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(decided_at) IS NOT NULL),
    CONSTRAINT dpm_workflow_decisions_run_created_at_instant
        CHECK (run_created_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(run_created_at) IS NOT NULL)
) STRICT;

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
    tenant_id      text NOT NULL,
    operation_id   text NOT NULL,
    operation_type text NOT NULL,
    status         text NOT NULL,
    correlation_id text NOT NULL,
    created_at     text NOT NULL,
    started_at     text,
    finished_at    text,
    error_code     text,
    error_message  text,
    request_sha256 text NOT NULL,
    request        blob NOT NULL,
    result         blob,
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
        CHECK ((error_code IS NOT NULL) = (status = 'FAILED') AND (error_code IS NULL) = (error_message IS NULL)),
    CONSTRAINT dpm_operations_created_at_instant
        CHECK (created_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(created_at) IS NOT NULL),
    CONSTRAINT dpm_operations_started_at_instant
        CHECK (started_at IS NULL OR (started_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(started_at) IS NOT NULL)),
    CONSTRAINT dpm_operations_finished_at_instant
        CHECK (finished_at IS NULL OR (finished_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(finished_at) IS NOT NULL))
) STRICT;

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
    tenant_id         text    NOT NULL,
    purge_id          text    NOT NULL,
    purged_at         text    NOT NULL,
    runs_before       text    NOT NULL,
    operations_before text    NOT NULL,
    runs              integer NOT NULL,
    requests          integer NOT NULL,
    artifacts         integer NOT NULL,
    decisions         integer NOT NULL,
    keys              integer NOT NULL,
    uses              integer NOT NULL,
    edges             integer NOT NULL,
    operations        integer NOT NULL,
    CONSTRAINT dpm_purges_key PRIMARY KEY (tenant_id, purge_id),
    CONSTRAINT dpm_purges_purged_at_instant
        CHECK (purged_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(purged_at) IS NOT NULL)
) STRICT;

-- Lists the newest removals.
CREATE INDEX dpm_purges_by_time
    ON dpm_purges (tenant_id, purged_at, purge_id);

-- Counts up to some moment, and what changed since; the changes are added to the totals from time to time.
CREATE TABLE dpm_tallies (
    tenant_id text    NOT NULL,
    subject   text    NOT NULL,
    value     text    NOT NULL,
    total     integer NOT NULL,
    CONSTRAINT dpm_tallies_key PRIMARY KEY (tenant_id, subject, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE dpm_tally_changes (
    tenant_id text    NOT NULL,
    subject   text    NOT NULL,
    value     text    NOT NULL,
    change    integer NOT NULL
) STRICT;

INSERT INTO dpm_tallies (tenant_id, subject, value, total)
SELECT tenant_id, 'RUN_STATUS', status, count(*) FROM dpm_runs GROUP BY tenant_id, status
UNION ALL
SELECT tenant_id, 'LINEAGE_EDGE_TYPE', edge_type, count(*) FROM dpm_lineage_edges GROUP BY tenant_id, edge_type;

CREATE TRIGGER dpm_runs_tally_inserted AFTER INSERT ON dpm_runs
BEGIN
    INSERT INTO dpm_tally_changes (tenant_id, subject, value, change)
    VALUES (NEW.tenant_id, 'RUN_STATUS', NEW.status, 1);
END;

CREATE TRIGGER dpm_runs_tally_deleted AFTER DELETE ON dpm_runs
BEGIN
    INSERT INTO dpm_tally_changes (tenant_id, subject, value, change)
    VALUES (OLD.tenant_id, 'RUN_STATUS', OLD.status, -1);
END;

CREATE TRIGGER dpm_lineage_edges_tally_inserted AFTER INSERT ON dpm_lineage_edges
BEGIN
    INSERT INTO dpm_tally_changes (tenant_id, subject, value, change)
    VALUES (NEW.tenant_id, 'LINEAGE_EDGE_TYPE', NEW.edge_type, 1);
END;

CREATE TRIGGER dpm_lineage_edges_tally_deleted AFTER DELETE ON dpm_lineage_edges
BEGIN
    INSERT INTO dpm_tally_changes (tenant_id, subject, value, change)
    VALUES (OLD.tenant_id, 'LINEAGE_EDGE_TYPE', OLD.edge_type, -1);
END;

CREATE TRIGGER dpm_workflow_decisions_tally_inserted AFTER INSERT ON dpm_workflow_decisions
BEGIN
    INSERT INTO dpm_tally_changes (tenant_id, subject, value, change)
    VALUES (NEW.tenant_id, 'WORKFLOW_ACTION', NEW.action, 1),
        (NEW.tenant_id, 'WORKFLOW_REASON_CODE', NEW.reason_code, 1);
END;

CREATE TRIGGER dpm_workflow_decisions_tally_deleted AFTER DELETE ON dpm_workflow_decisions
BEGIN
    INSERT INTO dpm_tally_changes (tenant_id, subject, value, change)
    VALUES (OLD.tenant_id, 'WORKFLOW_ACTION', OLD.action, -1),
        (OLD.tenant_id, 'WORKFLOW_REASON_CODE', OLD.reason_code, -1);
END;

CREATE TRIGGER dpm_operations_tally_inserted AFTER INSERT ON dpm_operations
BEGIN
    INSERT INTO dpm_tally_changes (tenant_id, subject, value, change)
    VALUES (NEW.tenant_id, 'OPERATION_STATUS', NEW.status, 1);
END;

CREATE TRIGGER dpm_operations_tally_deleted AFTER DELETE ON dpm_operations
BEGIN
    INSERT INTO dpm_tally_changes (tenant_id, subject, value, change)
    VALUES (OLD.tenant_id, 'OPERATION_STATUS', OLD.status, -1);
END;

CREATE TRIGGER dpm_operations_tally_moved AFTER UPDATE OF status ON dpm_operations
BEGIN
    INSERT INTO dpm_tally_changes (tenant_id, subject, value, change)
    VALUES (OLD.tenant_id, 'OPERATION_STATUS', OLD.status, -1),
        (NEW.tenant_id, 'OPERATION_STATUS', NEW.status, 1);
END;

-- Holds a row only inside the transaction of a purge, which takes it back before it commits.
CREATE TABLE dpm_purging (
    purging integer NOT NULL
) STRICT;

-- What was answered stays as it was answered, until a purge removes it.
DROP TRIGGER dpm_run_requests_not_deleted;
DROP TRIGGER dpm_runs_not_deleted;
DROP TRIGGER dpm_run_idempotency_history_not_deleted;

CREATE TRIGGER dpm_run_requests_not_deleted BEFORE DELETE ON dpm_run_requests
    WHEN NOT EXISTS (SELECT 1 FROM dpm_purging)
BEGIN
    SELECT RAISE(ABORT, 'dpm_run_requests is append-only');
END;

CREATE TRIGGER dpm_runs_not_deleted BEFORE DELETE ON dpm_runs
    WHEN NOT EXISTS (SELECT 1 FROM dpm_purging)
BEGIN
    SELECT RAISE(ABORT, 'dpm_runs is append-only');
END;

CREATE TRIGGER dpm_run_idempotency_history_not_deleted BEFORE DELETE ON dpm_run_idempotency_history
    WHEN NOT EXISTS (SELECT 1 FROM dpm_purging)
BEGIN
    SELECT RAISE(ABORT, 'dpm_run_idempotency_history is append-only');
END;

CREATE TRIGGER dpm_lineage_edges_not_deleted BEFORE DELETE ON dpm_lineage_edges
    WHEN NOT EXISTS (SELECT 1 FROM dpm_purging)
BEGIN
    SELECT RAISE(ABORT, 'dpm_lineage_edges is append-only');
END;

CREATE TRIGGER dpm_run_artifacts_not_deleted BEFORE DELETE ON dpm_run_artifacts
    WHEN NOT EXISTS (SELECT 1 FROM dpm_purging)
BEGIN
    SELECT RAISE(ABORT, 'dpm_run_artifacts is append-only');
END;

CREATE TRIGGER dpm_workflow_decisions_not_deleted BEFORE DELETE ON dpm_workflow_decisions
    WHEN NOT EXISTS (SELECT 1 FROM dpm_purging)
BEGIN
    SELECT RAISE(ABORT, 'dpm_workflow_decisions is append-only');
END;

CREATE TRIGGER dpm_purges_not_deleted BEFORE DELETE ON dpm_purges
    WHEN NOT EXISTS (SELECT 1 FROM dpm_purging)
BEGIN
    SELECT RAISE(ABORT, 'dpm_purges is append-only');
END;

CREATE TRIGGER dpm_lineage_edges_not_updated BEFORE UPDATE ON dpm_lineage_edges
BEGIN
    SELECT RAISE(ABORT, 'dpm_lineage_edges is append-only');
END;

CREATE TRIGGER dpm_run_artifacts_not_updated BEFORE UPDATE ON dpm_run_artifacts
BEGIN
    SELECT RAISE(ABORT, 'dpm_run_artifacts is append-only');
END;

CREATE TRIGGER dpm_workflow_decisions_not_updated BEFORE UPDATE ON dpm_workflow_decisions
BEGIN
    SELECT RAISE(ABORT, 'dpm_workflow_decisions is append-only');
END;

CREATE TRIGGER dpm_purges_not_updated BEFORE UPDATE ON dpm_purges
BEGIN
    SELECT RAISE(ABORT, 'dpm_purges is append-only');
END;

-- A row that is replaced is deleted without its trigger being asked, so a row that is there keeps its place.
CREATE TRIGGER dpm_run_requests_not_replaced BEFORE INSERT ON dpm_run_requests
    WHEN EXISTS (
        SELECT 1 FROM dpm_run_requests
        WHERE tenant_id = NEW.tenant_id AND request_id = NEW.request_id
    )
BEGIN
    SELECT RAISE(IGNORE);
END;

CREATE TRIGGER dpm_runs_not_replaced BEFORE INSERT ON dpm_runs
    WHEN EXISTS (
        SELECT 1 FROM dpm_runs
        WHERE tenant_id = NEW.tenant_id AND rebalance_run_id = NEW.rebalance_run_id
    )
BEGIN
    SELECT RAISE(IGNORE);
END;

CREATE TRIGGER dpm_run_artifacts_not_replaced BEFORE INSERT ON dpm_run_artifacts
    WHEN EXISTS (
        SELECT 1 FROM dpm_run_artifacts
        WHERE tenant_id = NEW.tenant_id AND rebalance_run_id = NEW.rebalance_run_id
    )
BEGIN
    SELECT RAISE(IGNORE);
END;

CREATE TRIGGER dpm_workflow_decisions_not_replaced BEFORE INSERT ON dpm_workflow_decisions
    WHEN EXISTS (
        SELECT 1 FROM dpm_workflow_decisions
        WHERE tenant_id = NEW.tenant_id AND rebalance_run_id = NEW.rebalance_run_id AND decision_no = NEW.decision_no
    ) OR EXISTS (
        SELECT 1 FROM dpm_workflow_decisions WHERE tenant_id = NEW.tenant_id AND decision_id = NEW.decision_id
    )
BEGIN
    SELECT RAISE(IGNORE);
END;

CREATE TRIGGER dpm_run_idempotency_history_not_replaced BEFORE INSERT ON dpm_run_idempotency_history
    WHEN EXISTS (
        SELECT 1 FROM dpm_run_idempotency_history
        WHERE tenant_id = NEW.tenant_id AND family = NEW.family AND idempotency_key = NEW.idempotency_key AND rebalance_run_id = NEW.rebalance_run_id
    )
BEGIN
    SELECT RAISE(ABORT, 'dpm_run_idempotency_history is append-only');
END;

CREATE TRIGGER dpm_lineage_edges_not_replaced BEFORE INSERT ON dpm_lineage_edges
    WHEN EXISTS (
        SELECT 1 FROM dpm_lineage_edges
        WHERE tenant_id = NEW.tenant_id AND source_entity_id = NEW.source_entity_id AND edge_type = NEW.edge_type AND target_entity_id = NEW.target_entity_id
    )
BEGIN
    SELECT RAISE(ABORT, 'dpm_lineage_edges is append-only');
END;

CREATE TRIGGER dpm_purges_not_replaced BEFORE INSERT ON dpm_purges
    WHEN EXISTS (
        SELECT 1 FROM dpm_purges
        WHERE tenant_id = NEW.tenant_id AND purge_id = NEW.purge_id
    )
BEGIN
    SELECT RAISE(ABORT, 'dpm_purges is append-only');
END;
