-- Operations that are run by workers: claims with a lease and a fence, the scenarios done so far, the moves there are.

SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- Whether workers are to run it, and how often it was begun.
ALTER TABLE dpm_operations ADD COLUMN is_queued boolean NOT NULL DEFAULT false;
ALTER TABLE dpm_operations ADD COLUMN attempt bigint NOT NULL DEFAULT 0;

-- Who holds it: the fence grows with each claim, so that what an earlier holder writes late is refused.
ALTER TABLE dpm_operations ADD COLUMN fence bigint NOT NULL DEFAULT 0;
ALTER TABLE dpm_operations ADD COLUMN lease_until timestamptz;

-- How far it has come.
ALTER TABLE dpm_operations ADD COLUMN scenarios_total bigint NOT NULL DEFAULT 0;
ALTER TABLE dpm_operations ADD COLUMN scenarios_done bigint NOT NULL DEFAULT 0;

-- Nobody holds what was begun before there were leases.
UPDATE dpm_operations SET lease_until = started_at WHERE status = 'RUNNING';

ALTER TABLE dpm_operations ADD CONSTRAINT dpm_operations_attempt_from_zero
    CHECK (attempt >= 0) NOT VALID;
ALTER TABLE dpm_operations ADD CONSTRAINT dpm_operations_fence_from_zero
    CHECK (fence >= 0) NOT VALID;
ALTER TABLE dpm_operations ADD CONSTRAINT dpm_operations_scenarios_done_of_total
    CHECK (
        scenarios_done >= 0 AND scenarios_done <= scenarios_total
        AND (status <> 'SUCCEEDED' OR scenarios_done = scenarios_total)
    ) NOT VALID;
ALTER TABLE dpm_operations ADD CONSTRAINT dpm_operations_lease_iff_running
    CHECK ((lease_until IS NOT NULL) = (status = 'RUNNING')) NOT VALID;

-- What nobody came for in its time fails without having been started.
ALTER TABLE dpm_operations DROP CONSTRAINT dpm_operations_started_unless_pending;
ALTER TABLE dpm_operations ADD CONSTRAINT dpm_operations_started_unless_pending
    CHECK (status = 'FAILED' OR (started_at IS NULL) = (status = 'PENDING')) NOT VALID;

-- What came of the scenarios so far; it goes in the act in which the operation ends.
CREATE TABLE dpm_operation_scenarios (
    tenant_id    text COLLATE "C" NOT NULL,
    operation_id text COLLATE "C" NOT NULL,
    scenario     text COLLATE "C" NOT NULL,
    status       text COLLATE "C",
    result       bytea COMPRESSION lz4,
    metric       bytea COMPRESSION lz4,
    failure      text COLLATE "C",
    CONSTRAINT dpm_operation_scenarios_key PRIMARY KEY (tenant_id, operation_id, scenario),
    CONSTRAINT dpm_operation_scenarios_operation_kept
        FOREIGN KEY (tenant_id, operation_id) REFERENCES dpm_operations (tenant_id, operation_id),
    CONSTRAINT dpm_operation_scenarios_status_known
        CHECK (status IN ('READY', 'PENDING_REVIEW', 'BLOCKED')),
    CONSTRAINT dpm_operation_scenarios_ran_or_failed
        CHECK (
            (status IS NULL) = (failure IS NOT NULL)
            AND (status IS NULL) = (result IS NULL)
            AND (status IS NULL) = (metric IS NULL)
        )
);

CREATE TRIGGER dpm_operation_scenarios_never_change BEFORE UPDATE OR TRUNCATE ON dpm_operation_scenarios
    FOR EACH STATEMENT EXECUTE FUNCTION dpm_refuse_change();

-- Every move there is; all others are refused to everybody, and so is any change of what has ended.
CREATE FUNCTION dpm_check_operation_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'PENDING' AND NEW.status = 'RUNNING' THEN
        IF NEW.fence = OLD.fence + 1 AND NEW.attempt = OLD.attempt + 1 THEN
            RETURN NEW;
        END IF;
    ELSIF OLD.status = 'PENDING' AND NEW.status = 'FAILED' THEN
        IF NEW.fence = OLD.fence AND NEW.attempt = OLD.attempt THEN
            RETURN NEW;
        END IF;
    ELSIF OLD.status = 'RUNNING' AND NEW.fence = OLD.fence THEN
        -- An attempt that was handed back is not counted.
        IF NEW.attempt = OLD.attempt OR (NEW.status = 'PENDING' AND NEW.attempt = OLD.attempt - 1) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'operation % does not move from % to % like this', OLD.operation_id, OLD.status, NEW.status
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER dpm_operations_move BEFORE UPDATE ON dpm_operations
    FOR EACH ROW EXECUTE FUNCTION dpm_check_operation_move();

CREATE FUNCTION dpm_refuse_other_operation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what an operation is never changes' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER dpm_operations_stay BEFORE UPDATE OF
    tenant_id, operation_id, operation_type, correlation_id, created_at, request_sha256, request, is_queued,
    scenarios_total
    ON dpm_operations FOR EACH STATEMENT EXECUTE FUNCTION dpm_refuse_other_operation();
