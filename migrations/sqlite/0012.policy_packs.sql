-- The catalog of policy packs as the history of its changes; the pack and the options a run was computed with.

-- What is in a catalog is the last that was said of each pack; without a definition it was removed.
CREATE TABLE dpm_policy_pack_changes (
    tenant_id         text    NOT NULL,
    revision          integer NOT NULL,
    policy_pack_id    text    NOT NULL,
    version           text,
    changed_at        text    NOT NULL,
    correlation_id    text    NOT NULL,
    definition_sha256 text,
    definition        blob,
    CONSTRAINT dpm_policy_pack_changes_key PRIMARY KEY (tenant_id, revision),
    CONSTRAINT dpm_policy_pack_changes_revision_from_one
        CHECK (revision >= 1),
    CONSTRAINT dpm_policy_pack_changes_defined_or_removed
        CHECK ((version IS NULL) = (definition IS NULL) AND (definition_sha256 IS NULL) = (definition IS NULL)),
    CONSTRAINT dpm_policy_pack_changes_changed_at_instant
        CHECK (changed_at GLOB '????-??-??T??:??:??.??????+00:00' AND julianday(changed_at) IS NOT NULL),
    CONSTRAINT dpm_policy_pack_changes_definition_sha256_form
        CHECK (definition_sha256 GLOB 'sha256:*' AND length(definition_sha256) = 71)
) STRICT;

-- Finds the last change of each pack.
CREATE INDEX dpm_policy_pack_changes_by_pack
    ON dpm_policy_pack_changes (tenant_id, policy_pack_id, revision);

-- Nothing of a catalog's history is ever changed or removed, also not by a purge.
CREATE TRIGGER dpm_policy_pack_changes_not_updated BEFORE UPDATE ON dpm_policy_pack_changes
BEGIN
    SELECT RAISE(ABORT, 'dpm_policy_pack_changes is append-only');
END;

CREATE TRIGGER dpm_policy_pack_changes_not_deleted BEFORE DELETE ON dpm_policy_pack_changes
BEGIN
    SELECT RAISE(ABORT, 'dpm_policy_pack_changes is append-only');
END;

CREATE TRIGGER dpm_policy_pack_changes_not_replaced BEFORE INSERT ON dpm_policy_pack_changes
    WHEN EXISTS (
        SELECT 1 FROM dpm_policy_pack_changes WHERE tenant_id = NEW.tenant_id AND revision = NEW.revision
    )
BEGIN
    SELECT RAISE(IGNORE);
END;

-- Under which pack a run was computed, and with which options; none of it where no pack was applied. The rule of a
-- column may look at the others, so the last one has the rule about all of them.
ALTER TABLE dpm_runs ADD COLUMN policy_pack_id text;
ALTER TABLE dpm_runs ADD COLUMN policy_pack_version text;
ALTER TABLE dpm_runs ADD COLUMN policy_pack_source text
    CONSTRAINT dpm_runs_policy_pack_source_known
        CHECK (policy_pack_source IN ('REQUEST', 'TENANT_DEFAULT', 'GLOBAL_DEFAULT'));
ALTER TABLE dpm_runs ADD COLUMN policy_pack_sha256 text
    CONSTRAINT dpm_runs_policy_pack_sha256_form
        CHECK (policy_pack_sha256 GLOB 'sha256:*' AND length(policy_pack_sha256) = 71);
ALTER TABLE dpm_runs ADD COLUMN effective_options blob
    CONSTRAINT dpm_runs_policy_whole
        CHECK (
            (policy_pack_id IS NULL) = (effective_options IS NULL)
            AND (policy_pack_version IS NULL) = (effective_options IS NULL)
            AND (policy_pack_source IS NULL) = (effective_options IS NULL)
            AND (policy_pack_sha256 IS NULL) = (effective_options IS NULL)
        );

-- A key asks for the same only under the same pack.
ALTER TABLE dpm_run_idempotency ADD COLUMN policy_pack_sha256 text
    CONSTRAINT dpm_run_idempotency_policy_pack_sha256_form
        CHECK (policy_pack_sha256 GLOB 'sha256:*' AND length(policy_pack_sha256) = 71);
