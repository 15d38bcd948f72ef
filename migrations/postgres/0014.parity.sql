-- Where a shadow did not do as the primary did; kept by the primary.

SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE dpm_parity_differences (
    tenant_id      text COLLATE "C" NOT NULL,
    difference_id  text COLLATE "C" NOT NULL,
    kind           text COLLATE "C" NOT NULL,
    act            text COLLATE "C" NOT NULL,
    entity_id      text COLLATE "C" NOT NULL,
    place          text COLLATE "C" NOT NULL,
    primary_text   text COLLATE "C" NOT NULL,
    shadow_text    text COLLATE "C" NOT NULL,
    found_at       timestamptz      NOT NULL,
    correlation_id text COLLATE "C",
    CONSTRAINT dpm_parity_differences_key PRIMARY KEY (tenant_id, difference_id),
    CONSTRAINT dpm_parity_differences_kind_known
        CHECK (kind IN ('OUTCOME', 'FAILED', 'MISSED', 'CONSEQUENCE'))
);

-- Pages through all differences, newest first, and finds those that were found first.
CREATE INDEX dpm_parity_differences_by_time
    ON dpm_parity_differences (tenant_id, found_at, difference_id);

-- Pages through the differences of one kind, newest first.
CREATE INDEX dpm_parity_differences_by_kind
    ON dpm_parity_differences (tenant_id, kind, found_at, difference_id);

CREATE TRIGGER dpm_parity_differences_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON dpm_parity_differences
    FOR EACH STATEMENT EXECUTE FUNCTION dpm_refuse_change();
