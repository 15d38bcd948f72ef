-- Operations that are claimed for a time, begun again when their holder is lost, and filled scenario by scenario.
-- A rule cannot be dropped in place, so the operations move to a table that has the other ones.

CREATE TABLE dpm_operations_leased (
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
        CHECK (operation_type IN ('ANALYZE_SCENARIOS')),
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

-- Nobody holds what was begun before there were leases, so it can be taken back at once.
INSERT INTO dpm_operations_leased (
    tenant_id, operation_id, operation_type, status, correlation_id, created_at, started_at, finished_at, error_code,
    error_message, lease_until, request_sha256, request, result
)
SELECT tenant_id, operation_id, operation_type, status, correlation_id, created_at, started_at, finished_at, error_code,
    error_message, iif(status = 'RUNNING', started_at, NULL), request_sha256, request, result
FROM dpm_operations;

-- Its triggers go with the table and are not asked, so nothing is counted: no operation came and none went.
DROP TABLE dpm_operations;
ALTER TABLE dpm_operations_leased RENAME TO dpm_operations;

-- Finds the newest operation of a correlation id, which any number of operations may share, and pages through all.
CREATE INDEX dpm_operations_by_correlation
    ON dpm_operations (tenant_id, correlation_id, created_at, operation_id);

-- Finds the oldest and the newest operation, and pages through all operations.
CREATE INDEX dpm_operations_by_creation
    ON dpm_operations (tenant_id, created_at, operation_id);

-- Finds the operations that have expired; one that has not ended is not in it.
CREATE INDEX dpm_operations_by_end
    ON dpm_operations (tenant_id, finished_at, operation_id) WHERE finished_at IS NOT NULL;

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

-- What came of the scenarios of an operation that has not ended; a scenario that failed has only its failure.
CREATE TABLE dpm_operation_scenarios (
    tenant_id    text NOT NULL,
    operation_id text NOT NULL,
    scenario     text NOT NULL,
    status       text,
    failure      text,
    metric       blob,
    result       blob,
    CONSTRAINT dpm_operation_scenarios_key PRIMARY KEY (tenant_id, operation_id, scenario),
    CONSTRAINT dpm_operation_scenarios_operation_kept
        FOREIGN KEY (tenant_id, operation_id) REFERENCES dpm_operations (tenant_id, operation_id),
    CONSTRAINT dpm_operation_scenarios_status_known
        CHECK (status IN ('READY', 'PENDING_REVIEW', 'BLOCKED')),
    CONSTRAINT dpm_operation_scenarios_ran_or_failed
        CHECK (
            (status IS NULL) = (failure IS NOT NULL)
            AND (result IS NULL) = (status IS NULL)
            AND (metric IS NULL) = (status IS NULL)
        )
) STRICT;

CREATE TRIGGER dpm_operation_scenarios_not_updated BEFORE UPDATE ON dpm_operation_scenarios
BEGIN
    SELECT RAISE(ABORT, 'what came of a scenario never changes');
END;

CREATE TRIGGER dpm_operation_scenarios_not_replaced BEFORE INSERT ON dpm_operation_scenarios
    WHEN EXISTS (
        SELECT 1 FROM dpm_operation_scenarios
        WHERE tenant_id = NEW.tenant_id AND operation_id = NEW.operation_id AND scenario = NEW.scenario
    )
BEGIN
    SELECT RAISE(IGNORE);
END;
