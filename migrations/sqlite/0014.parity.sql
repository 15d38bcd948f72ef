-- Where a shadow did not do as the primary did; kept by the primary.

CREATE TABLE dpm_parity_differences (
    tenant_id      text NOT NULL,
    difference_id  text NOT NULL,
    kind           text NOT NULL,
    act            text NOT NULL,
    entity_id      text NOT NULL,
    place          text NOT NULL,
    primary_text   text NOT NULL,
    shadow_text    text NOT NULL,
    found_at       text NOT NULL,
    correlation_id text,
    CONSTRAINT dpm_parity_differences_key PRIMARY KEY (tenant_id, difference_id),
    CONSTRAINT dpm_parity_differences_kind_known
        CHECK (kind IN ('OUTCOME', 'FAILED', 'MISSED', 'CONSEQUENCE')),
    CONSTRAINT dpm_parity_differences_found_at_instant
        CHECK (found_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(found_at) IS NOT NULL)
) STRICT;

-- Pages through all differences, newest first, and finds those that were found first.
CREATE INDEX dpm_parity_differences_by_time
    ON dpm_parity_differences (tenant_id, found_at, difference_id);

-- Pages through the differences of one kind, newest first.
CREATE INDEX dpm_parity_differences_by_kind
    ON dpm_parity_differences (tenant_id, kind, found_at, difference_id);

CREATE TRIGGER dpm_parity_differences_not_updated BEFORE UPDATE ON dpm_parity_differences
BEGIN
    SELECT RAISE(ABORT, 'dpm_parity_differences is append-only');
END;

CREATE TRIGGER dpm_parity_differences_not_deleted BEFORE DELETE ON dpm_parity_differences
    WHEN NOT EXISTS (SELECT 1 FROM dpm_purging)
BEGIN
    SELECT RAISE(ABORT, 'dpm_parity_differences is append-only');
END;

-- A row that is replaced is deleted without its trigger being asked, so a row that is there keeps its place.
CREATE TRIGGER dpm_parity_differences_not_replaced BEFORE INSERT ON dpm_parity_differences
    WHEN EXISTS (
        SELECT 1 FROM dpm_parity_differences
        WHERE tenant_id = NEW.tenant_id AND difference_id = NEW.difference_id
    )
BEGIN
    SELECT RAISE(IGNORE);
END;
