-- Proposals of advisers: what each came to, its versions, events and approvals, the keys that make acts repeatable, and
-- simulations that are only answered. The rules on edges and operations come to know proposals.
-- Of indexes that look alike the planner takes the newest until a table has statistics, so where one could be taken for
-- the primary key, that key comes after it.

SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- A proposal as its last event left it. That event and the current version come later in the act that brings them, so
-- the foreign keys to them are checked at commit.
CREATE TABLE proposals (
    tenant_id      text COLLATE "C" NOT NULL,
    proposal_id    text COLLATE "C" NOT NULL,
    portfolio_id   text COLLATE "C" NOT NULL,
    mandate_id     text COLLATE "C",
    jurisdiction   text COLLATE "C",
    title          text COLLATE "C",
    advisor_notes  text COLLATE "C",
    created_by     text COLLATE "C" NOT NULL,
    created_at     timestamptz      NOT NULL,
    last_event_at  timestamptz      NOT NULL,
    state          text COLLATE "C" NOT NULL,
    version_no     bigint           NOT NULL,
    version_status text COLLATE "C" NOT NULL,
    versioned_by   text COLLATE "C" NOT NULL,
    revision       bigint           NOT NULL,
    CONSTRAINT proposals_state_known
        CHECK (state IN (
            'DRAFT', 'RISK_REVIEW', 'COMPLIANCE_REVIEW', 'AWAITING_CLIENT_CONSENT', 'EXECUTION_READY', 'EXECUTED',
            'REJECTED', 'CANCELLED', 'EXPIRED'
        )),
    CONSTRAINT proposals_version_status_known
        CHECK (version_status IN ('READY', 'PENDING_REVIEW', 'BLOCKED')),
    -- Every version came with an event.
    CONSTRAINT proposals_version_no_within_revision
        CHECK (version_no BETWEEN 1 AND revision)
);

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

ALTER TABLE proposals ADD CONSTRAINT proposals_key PRIMARY KEY (tenant_id, proposal_id);

-- The documents are JSON, kept as the bytes that are answered.
CREATE TABLE proposal_versions (
    tenant_id           text COLLATE "C" NOT NULL,
    proposal_id         text COLLATE "C" NOT NULL,
    version_no          bigint           NOT NULL,
    proposal_version_id text COLLATE "C" NOT NULL,
    created_by          text COLLATE "C" NOT NULL,
    created_at          timestamptz      NOT NULL,
    status_at_creation  text COLLATE "C" NOT NULL,
    request_hash        text COLLATE "C" NOT NULL,
    simulation_hash     text COLLATE "C" NOT NULL,
    artifact_hash       text COLLATE "C" NOT NULL,
    artifact_id         text COLLATE "C" NOT NULL,
    request             bytea COMPRESSION lz4 NOT NULL,
    result              bytea COMPRESSION lz4 NOT NULL,
    artifact            bytea COMPRESSION lz4 NOT NULL,
    evidence            bytea COMPRESSION lz4 NOT NULL,
    gate_decision       bytea COMPRESSION lz4,
    CONSTRAINT proposal_versions_id_unique UNIQUE (proposal_version_id, tenant_id),
    CONSTRAINT proposal_versions_key PRIMARY KEY (tenant_id, proposal_id, version_no),
    CONSTRAINT proposal_versions_proposal_kept
        FOREIGN KEY (tenant_id, proposal_id) REFERENCES proposals (tenant_id, proposal_id),
    CONSTRAINT proposal_versions_number_from_one
        CHECK (version_no >= 1),
    CONSTRAINT proposal_versions_status_known
        CHECK (status_at_creation IN ('READY', 'PENDING_REVIEW', 'BLOCKED'))
);

-- Of two writers at once only one can write the next number. The version an event is about is as the caller names it,
-- and need not be there.
CREATE TABLE proposal_events (
    tenant_id          text COLLATE "C" NOT NULL,
    proposal_id        text COLLATE "C" NOT NULL,
    event_no           bigint           NOT NULL,
    event_id           text COLLATE "C" NOT NULL,
    event_type         text COLLATE "C" NOT NULL,
    from_state         text COLLATE "C",
    to_state           text COLLATE "C" NOT NULL,
    actor_id           text COLLATE "C" NOT NULL,
    occurred_at        timestamptz      NOT NULL,
    related_version_no bigint,
    reason             bytea COMPRESSION lz4 NOT NULL,
    CONSTRAINT proposal_events_id_unique UNIQUE (event_id, tenant_id),
    CONSTRAINT proposal_events_key PRIMARY KEY (tenant_id, proposal_id, event_no),
    CONSTRAINT proposal_events_proposal_kept
        FOREIGN KEY (tenant_id, proposal_id) REFERENCES proposals (tenant_id, proposal_id),
    CONSTRAINT proposal_events_type_known
        CHECK (event_type IN (
            'CREATED', 'NEW_VERSION_CREATED', 'SUBMITTED_FOR_RISK_REVIEW', 'RISK_APPROVED',
            'SUBMITTED_FOR_COMPLIANCE_REVIEW', 'COMPLIANCE_APPROVED', 'CLIENT_CONSENT_RECORDED', 'EXECUTION_REQUESTED',
            'EXECUTED', 'REJECTED', 'EXPIRED', 'CANCELLED'
        )),
    CONSTRAINT proposal_events_from_state_known
        CHECK (from_state IN ('DRAFT', 'RISK_REVIEW', 'COMPLIANCE_REVIEW', 'AWAITING_CLIENT_CONSENT', 'EXECUTION_READY')),
    CONSTRAINT proposal_events_to_state_known
        CHECK (to_state IN (
            'DRAFT', 'RISK_REVIEW', 'COMPLIANCE_REVIEW', 'AWAITING_CLIENT_CONSENT', 'EXECUTION_READY', 'EXECUTED',
            'REJECTED', 'CANCELLED', 'EXPIRED'
        )),
    CONSTRAINT proposal_events_number_from_one
        CHECK (event_no >= 1),
    CONSTRAINT proposal_events_first_from_nowhere
        CHECK ((event_no = 1) = (from_state IS NULL))
);

-- What was said at an event, which has the same number.
CREATE TABLE proposal_approvals (
    tenant_id          text COLLATE "C" NOT NULL,
    proposal_id        text COLLATE "C" NOT NULL,
    event_no           bigint           NOT NULL,
    approval_id        text COLLATE "C" NOT NULL,
    approval_type      text COLLATE "C" NOT NULL,
    approved           boolean          NOT NULL,
    actor_id           text COLLATE "C" NOT NULL,
    occurred_at        timestamptz      NOT NULL,
    related_version_no bigint,
    details            bytea COMPRESSION lz4 NOT NULL,
    CONSTRAINT proposal_approvals_id_unique UNIQUE (approval_id, tenant_id),
    CONSTRAINT proposal_approvals_key PRIMARY KEY (tenant_id, proposal_id, event_no),
    CONSTRAINT proposal_approvals_event_kept
        FOREIGN KEY (tenant_id, proposal_id, event_no)
        REFERENCES proposal_events (tenant_id, proposal_id, event_no),
    CONSTRAINT proposal_approvals_type_known
        CHECK (approval_type IN ('RISK', 'COMPLIANCE', 'CLIENT_CONSENT'))
);

ALTER TABLE proposals ADD CONSTRAINT proposals_version_kept
    FOREIGN KEY (tenant_id, proposal_id, version_no)
    REFERENCES proposal_versions (tenant_id, proposal_id, version_no)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE proposals ADD CONSTRAINT proposals_event_kept
    FOREIGN KEY (tenant_id, proposal_id, revision)
    REFERENCES proposal_events (tenant_id, proposal_id, event_no)
    DEFERRABLE INITIALLY DEFERRED;

-- What was answered under a key. The primary key is what makes an act race free; the key is claimed before anything
-- else is written, so what it stands for is checked at commit. The scope of a creation is empty.
CREATE TABLE proposal_keys (
    tenant_id       text COLLATE "C" NOT NULL,
    family          text COLLATE "C" NOT NULL,
    scope           text COLLATE "C" NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL,
    request_hash    text COLLATE "C" NOT NULL,
    proposal_id     text COLLATE "C" NOT NULL,
    version_no      bigint           NOT NULL,
    created_at      timestamptz      NOT NULL,
    answer          bytea COMPRESSION lz4 NOT NULL,
    CONSTRAINT proposal_keys_key PRIMARY KEY (tenant_id, family, scope, idempotency_key),
    CONSTRAINT proposal_keys_version_kept
        FOREIGN KEY (tenant_id, proposal_id, version_no)
        REFERENCES proposal_versions (tenant_id, proposal_id, version_no)
        DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT proposal_keys_family_known
        CHECK (family IN ('CREATE', 'VERSION', 'TRANSITION', 'APPROVAL')),
    CONSTRAINT proposal_keys_scope_of_family
        CHECK (scope = CASE family WHEN 'CREATE' THEN '' ELSE proposal_id END)
);

-- Simulations that are only answered; they expire, and then make room for what is asked next under their key.
CREATE TABLE proposal_simulations (
    tenant_id       text COLLATE "C" NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL,
    request_hash    text COLLATE "C" NOT NULL,
    created_at      timestamptz      NOT NULL,
    request         bytea COMPRESSION lz4 NOT NULL,
    result          bytea COMPRESSION lz4 NOT NULL
);

-- Finds the simulations that have expired, oldest first.
CREATE INDEX proposal_simulations_by_creation
    ON proposal_simulations (tenant_id, created_at, idempotency_key);

ALTER TABLE proposal_simulations ADD CONSTRAINT proposal_simulations_key PRIMARY KEY (tenant_id, idempotency_key);

-- Nothing of a proposal is ever removed, so a purge is refused like everybody else.
CREATE FUNCTION proposal_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER proposals_kept BEFORE DELETE OR TRUNCATE ON proposals
    FOR EACH STATEMENT EXECUTE FUNCTION proposal_refuse_change();

CREATE TRIGGER proposal_versions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON proposal_versions
    FOR EACH STATEMENT EXECUTE FUNCTION proposal_refuse_change();

CREATE TRIGGER proposal_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON proposal_events
    FOR EACH STATEMENT EXECUTE FUNCTION proposal_refuse_change();

CREATE TRIGGER proposal_approvals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON proposal_approvals
    FOR EACH STATEMENT EXECUTE FUNCTION proposal_refuse_change();

CREATE TRIGGER proposal_keys_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON proposal_keys
    FOR EACH STATEMENT EXECUTE FUNCTION proposal_refuse_change();

-- A simulation goes when it has expired; who may remove at all is a matter of privileges (roles.sql).
CREATE TRIGGER proposal_simulations_never_truncated BEFORE TRUNCATE ON proposal_simulations
    FOR EACH STATEMENT EXECUTE FUNCTION proposal_refuse_change();

-- A proposal moves on by one event at a time, and no further once it has ended.
CREATE FUNCTION proposal_check_advance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('EXECUTED', 'REJECTED', 'CANCELLED', 'EXPIRED') THEN
        RAISE EXCEPTION 'proposal % has ended', OLD.proposal_id USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.revision <> OLD.revision + 1 OR NEW.version_no NOT IN (OLD.version_no, OLD.version_no + 1) THEN
        RAISE EXCEPTION 'proposal % does not move from % to % like this', OLD.proposal_id, OLD.revision, NEW.revision
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER proposals_advance BEFORE UPDATE ON proposals
    FOR EACH ROW EXECUTE FUNCTION proposal_check_advance();

CREATE FUNCTION proposal_refuse_other() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what % are never changes', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER proposals_stay BEFORE UPDATE OF
    tenant_id, proposal_id, portfolio_id, mandate_id, jurisdiction, title, advisor_notes, created_by, created_at
    ON proposals FOR EACH STATEMENT EXECUTE FUNCTION proposal_refuse_other();

-- Only a later simulation takes the place of one.
CREATE FUNCTION proposal_check_replacement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.created_at <= OLD.created_at THEN
        RAISE EXCEPTION 'the simulation under key % is not replaced by an earlier one', OLD.idempotency_key
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER proposal_simulations_replaced BEFORE UPDATE ON proposal_simulations
    FOR EACH ROW EXECUTE FUNCTION proposal_check_replacement();

CREATE TRIGGER proposal_simulations_stay BEFORE UPDATE OF tenant_id, idempotency_key ON proposal_simulations
    FOR EACH STATEMENT EXECUTE FUNCTION proposal_refuse_other();

-- Versions bring edges, and are brought by operations.
ALTER TABLE dpm_lineage_edges DROP CONSTRAINT dpm_lineage_edges_lives_with_known;
ALTER TABLE dpm_lineage_edges ADD CONSTRAINT dpm_lineage_edges_lives_with_known
    CHECK (lives_with IN ('RUN', 'OPERATION', 'PROPOSAL')) NOT VALID;

ALTER TABLE dpm_operations DROP CONSTRAINT dpm_operations_type_known;
ALTER TABLE dpm_operations ADD CONSTRAINT dpm_operations_type_known
    CHECK (operation_type IN ('ANALYZE_SCENARIOS', 'CREATE_PROPOSAL', 'CREATE_PROPOSAL_VERSION')) NOT VALID;

-- Operations of proposals are not counted among the analyses.
CREATE OR REPLACE FUNCTION dpm_tally_operations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dpm_tally_changes (tenant_id, subject, value, change)
    SELECT tenant_id, 'OPERATION_STATUS', status, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END
    FROM changed
    WHERE operation_type = 'ANALYZE_SCENARIOS'
    GROUP BY tenant_id, status;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION dpm_tally_operation_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dpm_tally_changes (tenant_id, subject, value, change)
    SELECT tenant_id, 'OPERATION_STATUS', status, sum(change)
    FROM (
        SELECT tenant_id, status, 1 AS change FROM changed WHERE operation_type = 'ANALYZE_SCENARIOS'
        UNION ALL
        SELECT tenant_id, status, -1 AS change FROM changed_from WHERE operation_type = 'ANALYZE_SCENARIOS'
    ) AS moves
    GROUP BY tenant_id, status
    HAVING sum(change) <> 0;
    RETURN NULL;
END
$$;
