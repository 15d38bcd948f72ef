-- Proposals of advisers: what each is as its last event left it, its versions, events and approvals, and the keys that
-- make every act on them repeatable. A proposal changes by one event at a time and is never removed.
-- Documents are kept as the bytes that are answered; those columns come last, as a row's head is read without them.

-- A proposal as its last event left it. That event and the current version come later in the act that brings them, so
-- the foreign keys to them are checked at commit.
CREATE TABLE proposals (
    tenant_id      text    NOT NULL,
    proposal_id    text    NOT NULL,
    portfolio_id   text    NOT NULL,
    mandate_id     text,
    jurisdiction   text,
    title          text,
    advisor_notes  text,
    created_by     text    NOT NULL,
    created_at     text    NOT NULL,
    last_event_at  text    NOT NULL,
    state          text    NOT NULL,
    version_no     integer NOT NULL,
    version_status text    NOT NULL,
    versioned_by   text    NOT NULL,
    revision       integer NOT NULL,
    CONSTRAINT proposals_key PRIMARY KEY (tenant_id, proposal_id),
    CONSTRAINT proposals_version_kept
        FOREIGN KEY (tenant_id, proposal_id, version_no)
        REFERENCES proposal_versions (tenant_id, proposal_id, version_no)
        DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT proposals_event_kept
        FOREIGN KEY (tenant_id, proposal_id, revision)
        REFERENCES proposal_events (tenant_id, proposal_id, event_no)
        DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT proposals_state_known
        CHECK (state IN (
            'DRAFT', 'RISK_REVIEW', 'COMPLIANCE_REVIEW', 'AWAITING_CLIENT_CONSENT', 'EXECUTION_READY', 'EXECUTED',
            'REJECTED', 'CANCELLED', 'EXPIRED'
        )),
    CONSTRAINT proposals_version_status_known
        CHECK (version_status IN ('READY', 'PENDING_REVIEW', 'BLOCKED')),
    -- Every version came with an event.
    CONSTRAINT proposals_version_no_within_revision
        CHECK (version_no BETWEEN 1 AND revision),
    CONSTRAINT proposals_created_at_instant
        CHECK (created_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(created_at) IS NOT NULL),
    CONSTRAINT proposals_last_event_at_instant
        CHECK (last_event_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(last_event_at) IS NOT NULL)
) STRICT;

-- Pages through all proposals, newest first.
CREATE INDEX proposals_by_creation
    ON proposals (tenant_id, created_at, proposal_id);

-- Pages through the proposals for one portfolio, newest first.
CREATE INDEX proposals_by_portfolio
    ON proposals (tenant_id, portfolio_id, created_at, proposal_id);

-- Pages through the proposals in one state, newest first.
CREATE INDEX proposals_by_state
    ON proposals (tenant_id, state, created_at, proposal_id);

-- Pages through the proposals of one adviser, newest first.
CREATE INDEX proposals_by_creator
    ON proposals (tenant_id, created_by, created_at, proposal_id);

CREATE TABLE proposal_versions (
    tenant_id           text    NOT NULL,
    proposal_id         text    NOT NULL,
    version_no          integer NOT NULL,
    proposal_version_id text    NOT NULL,
    created_by          text    NOT NULL,
    created_at          text    NOT NULL,
    status_at_creation  text    NOT NULL,
    request_hash        text    NOT NULL,
    simulation_hash     text    NOT NULL,
    artifact_hash       text    NOT NULL,
    artifact_id         text    NOT NULL,
    request             blob    NOT NULL,
    result              blob    NOT NULL,
    artifact            blob    NOT NULL,
    evidence            blob    NOT NULL,
    gate_decision       blob,
    CONSTRAINT proposal_versions_key PRIMARY KEY (tenant_id, proposal_id, version_no),
    CONSTRAINT proposal_versions_id_unique UNIQUE (proposal_version_id, tenant_id),
    CONSTRAINT proposal_versions_proposal_kept
        FOREIGN KEY (tenant_id, proposal_id) REFERENCES proposals (tenant_id, proposal_id),
    CONSTRAINT proposal_versions_number_from_one
        CHECK (version_no >= 1),
    CONSTRAINT proposal_versions_status_known
        CHECK (status_at_creation IN ('READY', 'PENDING_REVIEW', 'BLOCKED')),
    CONSTRAINT proposal_versions_created_at_instant
        CHECK (created_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(created_at) IS NOT NULL)
) STRICT;

-- Of two who change a proposal at once only one can write the next number. The version an event is about is as its
-- author named it.
CREATE TABLE proposal_events (
    tenant_id          text    NOT NULL,
    proposal_id        text    NOT NULL,
    event_no           integer NOT NULL,
    event_id           text    NOT NULL,
    event_type         text    NOT NULL,
    from_state         text,
    to_state           text    NOT NULL,
    actor_id           text    NOT NULL,
    occurred_at        text    NOT NULL,
    related_version_no integer,
    reason             blob    NOT NULL,
    CONSTRAINT proposal_events_key PRIMARY KEY (tenant_id, proposal_id, event_no),
    CONSTRAINT proposal_events_id_unique UNIQUE (event_id, tenant_id),
    CONSTRAINT proposal_events_proposal_kept
        FOREIGN KEY (tenant_id, proposal_id) REFERENCES proposals (tenant_id, proposal_id),
    CONSTRAINT proposal_events_number_from_one
        CHECK (event_no >= 1),
    CONSTRAINT proposal_events_type_known
        CHECK (event_type IN (
            'CREATED', 'NEW_VERSION_CREATED', 'SUBMITTED_FOR_RISK_REVIEW', 'RISK_APPROVED',
            'SUBMITTED_FOR_COMPLIANCE_REVIEW', 'COMPLIANCE_APPROVED', 'CLIENT_CONSENT_RECORDED',
            'EXECUTION_REQUESTED', 'EXECUTED', 'REJECTED', 'EXPIRED', 'CANCELLED'
        )),
    CONSTRAINT proposal_events_from_state_known
        CHECK (from_state IN (
            'DRAFT', 'RISK_REVIEW', 'COMPLIANCE_REVIEW', 'AWAITING_CLIENT_CONSENT', 'EXECUTION_READY'
        )),
    CONSTRAINT proposal_events_to_state_known
        CHECK (to_state IN (
            'DRAFT', 'RISK_REVIEW', 'COMPLIANCE_REVIEW', 'AWAITING_CLIENT_CONSENT', 'EXECUTION_READY', 'EXECUTED',
            'REJECTED', 'CANCELLED', 'EXPIRED'
        )),
    CONSTRAINT proposal_events_first_from_nowhere
        CHECK ((event_no = 1) = (from_state IS NULL)),
    CONSTRAINT proposal_events_occurred_at_instant
        CHECK (occurred_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(occurred_at) IS NOT NULL)
) STRICT;

-- What was said at an event, which has the same number.
CREATE TABLE proposal_approvals (
    tenant_id          text    NOT NULL,
    proposal_id        text    NOT NULL,
    event_no           integer NOT NULL,
    approval_id        text    NOT NULL,
    approval_type      text    NOT NULL,
    approved           integer NOT NULL,
    actor_id           text    NOT NULL,
    occurred_at        text    NOT NULL,
    related_version_no integer,
    details            blob    NOT NULL,
    CONSTRAINT proposal_approvals_key PRIMARY KEY (tenant_id, proposal_id, event_no),
    CONSTRAINT proposal_approvals_id_unique UNIQUE (approval_id, tenant_id),
    CONSTRAINT proposal_approvals_event_kept
        FOREIGN KEY (tenant_id, proposal_id, event_no)
        REFERENCES proposal_events (tenant_id, proposal_id, event_no),
    CONSTRAINT proposal_approvals_type_known
        CHECK (approval_type IN ('RISK', 'COMPLIANCE', 'CLIENT_CONSENT')),
    CONSTRAINT proposal_approvals_approved_boolean
        CHECK (approved IN (0, 1)),
    CONSTRAINT proposal_approvals_occurred_at_instant
        CHECK (occurred_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(occurred_at) IS NOT NULL)
) STRICT;

-- What was answered under a key. The primary key is what makes an act race free; the key is claimed before anything
-- else is written, so what it stands for is checked at commit. The scope of a creation is empty.
CREATE TABLE proposal_keys (
    tenant_id       text    NOT NULL,
    family          text    NOT NULL,
    scope           text    NOT NULL,
    idempotency_key text    NOT NULL,
    request_hash    text    NOT NULL,
    proposal_id     text    NOT NULL,
    version_no      integer NOT NULL,
    created_at      text    NOT NULL,
    answer          blob    NOT NULL,
    CONSTRAINT proposal_keys_key PRIMARY KEY (tenant_id, family, scope, idempotency_key),
    CONSTRAINT proposal_keys_version_kept
        FOREIGN KEY (tenant_id, proposal_id, version_no)
        REFERENCES proposal_versions (tenant_id, proposal_id, version_no)
        DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT proposal_keys_family_known
        CHECK (family IN ('CREATE', 'VERSION', 'TRANSITION', 'APPROVAL')),
    CONSTRAINT proposal_keys_scope_of_family
        CHECK (scope = CASE family WHEN 'CREATE' THEN '' ELSE proposal_id END),
    CONSTRAINT proposal_keys_created_at_instant
        CHECK (created_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(created_at) IS NOT NULL)
) STRICT;

-- Finds the keys that stand for a version, as the foreign key asks when a version is written after its key; without it,
-- each would read the whole table.
CREATE INDEX proposal_keys_of_version
    ON proposal_keys (proposal_id, version_no, tenant_id);

-- Simulations that are only answered; they expire, and then make room for what is asked next under their key.
CREATE TABLE proposal_simulations (
    tenant_id       text NOT NULL,
    idempotency_key text NOT NULL,
    request_hash    text NOT NULL,
    created_at      text NOT NULL,
    request         blob NOT NULL,
    result          blob NOT NULL,
    CONSTRAINT proposal_simulations_key PRIMARY KEY (tenant_id, idempotency_key),
    CONSTRAINT proposal_simulations_created_at_instant
        CHECK (created_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(created_at) IS NOT NULL)
) STRICT;

-- Finds the simulations that have expired, oldest first.
CREATE INDEX proposal_simulations_by_creation
    ON proposal_simulations (tenant_id, created_at, idempotency_key);

CREATE TRIGGER proposals_stay BEFORE UPDATE ON proposals
    WHEN NEW.tenant_id IS NOT OLD.tenant_id
        OR NEW.proposal_id IS NOT OLD.proposal_id
        OR NEW.portfolio_id IS NOT OLD.portfolio_id
        OR NEW.mandate_id IS NOT OLD.mandate_id
        OR NEW.jurisdiction IS NOT OLD.jurisdiction
        OR NEW.title IS NOT OLD.title
        OR NEW.advisor_notes IS NOT OLD.advisor_notes
        OR NEW.created_by IS NOT OLD.created_by
        OR NEW.created_at IS NOT OLD.created_at
BEGIN
    SELECT RAISE(ABORT, 'what a proposal is never changes');
END;

-- A proposal moves on by one event at a time, and no further once it has ended.
CREATE TRIGGER proposals_end BEFORE UPDATE ON proposals
    WHEN OLD.state IN ('EXECUTED', 'REJECTED', 'CANCELLED', 'EXPIRED')
BEGIN
    SELECT RAISE(ABORT, 'the proposal has ended');
END;

CREATE TRIGGER proposals_advance BEFORE UPDATE ON proposals
    WHEN OLD.state NOT IN ('EXECUTED', 'REJECTED', 'CANCELLED', 'EXPIRED') AND (
        NEW.revision <> OLD.revision + 1 OR NEW.version_no NOT IN (OLD.version_no, OLD.version_no + 1)
    )
BEGIN
    SELECT RAISE(ABORT, 'a proposal does not move like this');
END;

CREATE TRIGGER proposals_not_deleted BEFORE DELETE ON proposals
BEGIN
    SELECT RAISE(ABORT, 'a proposal is never removed');
END;

-- A row that is replaced is deleted without its trigger being asked, so a row that is there keeps its place.
CREATE TRIGGER proposals_not_replaced BEFORE INSERT ON proposals
    WHEN EXISTS (
        SELECT 1 FROM proposals WHERE tenant_id = NEW.tenant_id AND proposal_id = NEW.proposal_id
    )
BEGIN
    SELECT RAISE(IGNORE);
END;

-- Only a later simulation takes the place of one under its key.
CREATE TRIGGER proposal_simulations_replaced BEFORE UPDATE ON proposal_simulations
    WHEN NEW.tenant_id IS NOT OLD.tenant_id
        OR NEW.idempotency_key IS NOT OLD.idempotency_key
        OR NEW.created_at <= OLD.created_at
BEGIN
    SELECT RAISE(ABORT, 'a simulation is replaced by a later one');
END;

CREATE TRIGGER proposal_simulations_not_replaced BEFORE INSERT ON proposal_simulations
    WHEN EXISTS (
        SELECT 1 FROM proposal_simulations
        WHERE tenant_id = NEW.tenant_id AND idempotency_key = NEW.idempotency_key
    )
BEGIN
    SELECT RAISE(IGNORE);
END;

-- What was said and answered stays as it was.
CREATE TRIGGER proposal_versions_not_updated BEFORE UPDATE ON proposal_versions
BEGIN
    SELECT RAISE(ABORT, 'proposal_versions is append-only');
END;

CREATE TRIGGER proposal_versions_not_deleted BEFORE DELETE ON proposal_versions
BEGIN
    SELECT RAISE(ABORT, 'proposal_versions is append-only');
END;

CREATE TRIGGER proposal_versions_not_replaced BEFORE INSERT ON proposal_versions
    WHEN EXISTS (
        SELECT 1 FROM proposal_versions
        WHERE tenant_id = NEW.tenant_id AND proposal_id = NEW.proposal_id AND version_no = NEW.version_no
    ) OR EXISTS (
        SELECT 1 FROM proposal_versions WHERE proposal_version_id = NEW.proposal_version_id AND tenant_id = NEW.tenant_id
    )
BEGIN
    SELECT RAISE(IGNORE);
END;

CREATE TRIGGER proposal_events_not_updated BEFORE UPDATE ON proposal_events
BEGIN
    SELECT RAISE(ABORT, 'proposal_events is append-only');
END;

CREATE TRIGGER proposal_events_not_deleted BEFORE DELETE ON proposal_events
BEGIN
    SELECT RAISE(ABORT, 'proposal_events is append-only');
END;

CREATE TRIGGER proposal_events_not_replaced BEFORE INSERT ON proposal_events
    WHEN EXISTS (
        SELECT 1 FROM proposal_events
        WHERE tenant_id = NEW.tenant_id AND proposal_id = NEW.proposal_id AND event_no = NEW.event_no
    ) OR EXISTS (
        SELECT 1 FROM proposal_events WHERE event_id = NEW.event_id AND tenant_id = NEW.tenant_id
    )
BEGIN
    SELECT RAISE(IGNORE);
END;

CREATE TRIGGER proposal_approvals_not_updated BEFORE UPDATE ON proposal_approvals
BEGIN
    SELECT RAISE(ABORT, 'proposal_approvals is append-only');
END;

CREATE TRIGGER proposal_approvals_not_deleted BEFORE DELETE ON proposal_approvals
BEGIN
    SELECT RAISE(ABORT, 'proposal_approvals is append-only');
END;

CREATE TRIGGER proposal_approvals_not_replaced BEFORE INSERT ON proposal_approvals
    WHEN EXISTS (
        SELECT 1 FROM proposal_approvals
        WHERE tenant_id = NEW.tenant_id AND proposal_id = NEW.proposal_id AND event_no = NEW.event_no
    ) OR EXISTS (
        SELECT 1 FROM proposal_approvals WHERE approval_id = NEW.approval_id AND tenant_id = NEW.tenant_id
    )
BEGIN
    SELECT RAISE(IGNORE);
END;

CREATE TRIGGER proposal_keys_not_updated BEFORE UPDATE ON proposal_keys
BEGIN
    SELECT RAISE(ABORT, 'proposal_keys is append-only');
END;

CREATE TRIGGER proposal_keys_not_deleted BEFORE DELETE ON proposal_keys
BEGIN
    SELECT RAISE(ABORT, 'proposal_keys is append-only');
END;

CREATE TRIGGER proposal_keys_not_replaced BEFORE INSERT ON proposal_keys
    WHEN EXISTS (
        SELECT 1 FROM proposal_keys
        WHERE tenant_id = NEW.tenant_id AND family = NEW.family AND scope = NEW.scope AND idempotency_key = NEW.idempotency_key
    )
BEGIN
    SELECT RAISE(IGNORE);
END;

-- A rule cannot be widened in place, so the edges move to a table that has the wider one. Its triggers go with the table
-- and are not asked, so nothing is counted: no edge came and none went.
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
        CHECK (lives_with IN ('RUN', 'OPERATION', 'PROPOSAL')),
    CONSTRAINT dpm_lineage_edges_created_at_instant
        CHECK (created_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(created_at) IS NOT NULL),
    CONSTRAINT dpm_lineage_edges_metadata_object
        CHECK (json_valid(metadata) AND json_type(metadata) = 'object')
) STRICT, WITHOUT ROWID;

INSERT INTO dpm_lineage_edges_wider (
    tenant_id, source_entity_id, edge_type, target_entity_id, created_at, metadata, lives_with
)
SELECT tenant_id, source_entity_id, edge_type, target_entity_id, created_at, metadata, lives_with
FROM dpm_lineage_edges;

DROP TABLE dpm_lineage_edges;
ALTER TABLE dpm_lineage_edges_wider RENAME TO dpm_lineage_edges;

-- Pages through the edges that start at an entity, oldest first.
CREATE INDEX dpm_lineage_edges_from_source
    ON dpm_lineage_edges (tenant_id, source_entity_id, created_at, edge_type, target_entity_id);

-- Pages through the edges that end at an entity, oldest first.
CREATE INDEX dpm_lineage_edges_to_target
    ON dpm_lineage_edges (tenant_id, target_entity_id, created_at, source_entity_id, edge_type);

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

CREATE TRIGGER dpm_lineage_edges_not_deleted BEFORE DELETE ON dpm_lineage_edges
    WHEN NOT EXISTS (SELECT 1 FROM dpm_purging)
BEGIN
    SELECT RAISE(ABORT, 'dpm_lineage_edges is append-only');
END;

CREATE TRIGGER dpm_lineage_edges_not_updated BEFORE UPDATE ON dpm_lineage_edges
BEGIN
    SELECT RAISE(ABORT, 'dpm_lineage_edges is append-only');
END;

CREATE TRIGGER dpm_lineage_edges_not_replaced BEFORE INSERT ON dpm_lineage_edges
    WHEN EXISTS (
        SELECT 1 FROM dpm_lineage_edges
        WHERE tenant_id = NEW.tenant_id AND source_entity_id = NEW.source_entity_id AND edge_type = NEW.edge_type AND target_entity_id = NEW.target_entity_id
    )
BEGIN
    SELECT RAISE(ABORT, 'dpm_lineage_edges is append-only');
END;

-- The operations move for the same reason. What came of their scenarios is bound to the table by its name and stays.
CREATE TABLE dpm_operations_wider (
    tenant_id       text    NOT NULL,
    operation_id    text    NOT NULL,
    operation_type  text    NOT NULL,
    status          text    NOT NULL,
    correlation_id  text    NOT NULL,
    created_at      text    NOT NULL,
    started_at      text,
    finished_at     text,
    error_code      text,
    error_message   text,
    is_queued       integer NOT NULL DEFAULT 0,
    attempt         integer NOT NULL DEFAULT 0,
    fence           integer NOT NULL DEFAULT 0,
    lease_until     text,
    scenarios_total integer NOT NULL DEFAULT 0,
    scenarios_done  integer NOT NULL DEFAULT 0,
    request_sha256  text    NOT NULL,
    request         blob    NOT NULL,
    result          blob,
    CONSTRAINT dpm_operations_key PRIMARY KEY (tenant_id, operation_id),
    CONSTRAINT dpm_operations_type_known
        CHECK (operation_type IN ('ANALYZE_SCENARIOS', 'CREATE_PROPOSAL', 'CREATE_PROPOSAL_VERSION')),
    CONSTRAINT dpm_operations_status_known
        CHECK (status IN ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED')),
    -- One that nobody came for in its time has failed without having started.
    CONSTRAINT dpm_operations_started_unless_pending
        CHECK (status = 'FAILED' OR (started_at IS NULL) = (status = 'PENDING')),
    CONSTRAINT dpm_operations_finished_iff_final
        CHECK ((finished_at IS NOT NULL) = (status IN ('SUCCEEDED', 'FAILED'))),
    CONSTRAINT dpm_operations_result_iff_succeeded
        CHECK ((result IS NOT NULL) = (status = 'SUCCEEDED')),
    CONSTRAINT dpm_operations_error_iff_failed
        CHECK ((error_code IS NOT NULL) = (status = 'FAILED') AND (error_code IS NULL) = (error_message IS NULL)),
    CONSTRAINT dpm_operations_leased_iff_running
        CHECK ((lease_until IS NOT NULL) = (status = 'RUNNING')),
    CONSTRAINT dpm_operations_is_queued_boolean
        CHECK (is_queued IN (0, 1)),
    CONSTRAINT dpm_operations_attempt_counted
        CHECK (attempt >= 0),
    CONSTRAINT dpm_operations_fence_counted
        CHECK (fence >= 0),
    CONSTRAINT dpm_operations_scenarios_counted
        CHECK (
            scenarios_done >= 0 AND scenarios_done <= scenarios_total
            AND (status <> 'SUCCEEDED' OR scenarios_done = scenarios_total)
        ),
    CONSTRAINT dpm_operations_created_at_instant
        CHECK (created_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(created_at) IS NOT NULL),
    CONSTRAINT dpm_operations_started_at_instant
        CHECK (started_at IS NULL OR (started_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(started_at) IS NOT NULL)),
    CONSTRAINT dpm_operations_finished_at_instant
        CHECK (finished_at IS NULL OR (finished_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(finished_at) IS NOT NULL)),
    CONSTRAINT dpm_operations_lease_until_instant
        CHECK (lease_until IS NULL OR (lease_until GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(lease_until) IS NOT NULL))
) STRICT;

INSERT INTO dpm_operations_wider (
    tenant_id, operation_id, operation_type, status, correlation_id, created_at, started_at, finished_at, error_code,
    error_message, is_queued, attempt, fence, lease_until, scenarios_total, scenarios_done, request_sha256, request, result
)
SELECT tenant_id, operation_id, operation_type, status, correlation_id, created_at, started_at, finished_at, error_code,
    error_message, is_queued, attempt, fence, lease_until, scenarios_total, scenarios_done, request_sha256, request, result
FROM dpm_operations;

DROP TABLE dpm_operations;
ALTER TABLE dpm_operations_wider RENAME TO dpm_operations;

-- Finds the newest operation of a correlation id, which any number of operations may share, and pages through all.
CREATE INDEX dpm_operations_by_correlation
    ON dpm_operations (tenant_id, correlation_id, created_at, operation_id);

-- Finds the oldest and the newest operation, and pages through all operations.
CREATE INDEX dpm_operations_by_creation
    ON dpm_operations (tenant_id, created_at, operation_id);

-- Finds the analyses that have expired; what has not ended is not in it, nor what never expires.
CREATE INDEX dpm_operations_expiring
    ON dpm_operations (tenant_id, finished_at, operation_id)
    WHERE finished_at IS NOT NULL AND operation_type = 'ANALYZE_SCENARIOS';

-- Pages through the operations of one status, newest first, and finds those that wait or run, oldest first.
CREATE INDEX dpm_operations_by_status
    ON dpm_operations (tenant_id, status, created_at, operation_id);

-- Pages through the operations of one type, newest first.
CREATE INDEX dpm_operations_by_type
    ON dpm_operations (tenant_id, operation_type, created_at, operation_id);

-- Operations of proposals are not counted among the analyses.
CREATE TRIGGER dpm_operations_tally_inserted AFTER INSERT ON dpm_operations
    WHEN NEW.operation_type = 'ANALYZE_SCENARIOS'
BEGIN
    INSERT INTO dpm_tally_changes (tenant_id, subject, value, change)
    VALUES (NEW.tenant_id, 'OPERATION_STATUS', NEW.status, 1);
END;

CREATE TRIGGER dpm_operations_tally_deleted AFTER DELETE ON dpm_operations
    WHEN OLD.operation_type = 'ANALYZE_SCENARIOS'
BEGIN
    INSERT INTO dpm_tally_changes (tenant_id, subject, value, change)
    VALUES (OLD.tenant_id, 'OPERATION_STATUS', OLD.status, -1);
END;

CREATE TRIGGER dpm_operations_tally_moved AFTER UPDATE OF status ON dpm_operations
    WHEN NEW.operation_type = 'ANALYZE_SCENARIOS'
BEGIN
    INSERT INTO dpm_tally_changes (tenant_id, subject, value, change)
    VALUES (OLD.tenant_id, 'OPERATION_STATUS', OLD.status, -1),
        (NEW.tenant_id, 'OPERATION_STATUS', NEW.status, 1);
END;

-- Every move there is; all others are refused to everybody, and so is any change of what has ended or was asked.
CREATE TRIGGER dpm_operations_stay BEFORE UPDATE ON dpm_operations
    WHEN NEW.tenant_id IS NOT OLD.tenant_id
        OR NEW.operation_id IS NOT OLD.operation_id
        OR NEW.operation_type IS NOT OLD.operation_type
        OR NEW.correlation_id IS NOT OLD.correlation_id
        OR NEW.created_at IS NOT OLD.created_at
        OR NEW.request IS NOT OLD.request
        OR NEW.request_sha256 IS NOT OLD.request_sha256
        OR NEW.is_queued IS NOT OLD.is_queued
        OR NEW.scenarios_total IS NOT OLD.scenarios_total
BEGIN
    SELECT RAISE(ABORT, 'what an operation is never changes');
END;

-- The fence grows with each claim, and by nothing else, so that what an earlier holder writes late is refused; an
-- attempt that was handed back is not counted.
CREATE TRIGGER dpm_operations_move BEFORE UPDATE ON dpm_operations
    WHEN NOT (
        (
            OLD.status = 'PENDING' AND NEW.status = 'RUNNING'
            AND NEW.fence = OLD.fence + 1 AND NEW.attempt = OLD.attempt + 1
        )
        OR (
            OLD.status = 'PENDING' AND NEW.status = 'FAILED'
            AND NEW.fence = OLD.fence AND NEW.attempt = OLD.attempt
        )
        OR (
            OLD.status = 'RUNNING' AND NEW.fence = OLD.fence
            AND (NEW.attempt = OLD.attempt OR (NEW.status = 'PENDING' AND NEW.attempt = OLD.attempt - 1))
        )
    )
BEGIN
    SELECT RAISE(ABORT, 'an operation does not move like this');
END;

-- A row that is replaced is deleted without its trigger being asked, so a row that is there keeps its place.
CREATE TRIGGER dpm_operations_not_replaced BEFORE INSERT ON dpm_operations
    WHEN EXISTS (
        SELECT 1 FROM dpm_operations WHERE tenant_id = NEW.tenant_id AND operation_id = NEW.operation_id
    )
BEGIN
    SELECT RAISE(IGNORE);
END;
