-- The catalog of policy packs as the history of its changes; the pack and the options a run was computed with.

SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- What is in a catalog is the last that was said of each pack; without a definition it was removed. Of two changes at
-- once only one can write the next revision; the primary key is what makes them race free, and revisions without gap.
CREATE TABLE dpm_policy_pack_changes (
    tenant_id         text COLLATE "C" NOT NULL,
    revision          bigint           NOT NULL,
    policy_pack_id    text COLLATE "C" NOT NULL,
    version           text COLLATE "C",
    changed_at        timestamptz      NOT NULL,
    correlation_id    text COLLATE "C" NOT NULL,
    definition_sha256 text COLLATE "C",
    definition        bytea COMPRESSION lz4,
    CONSTRAINT dpm_policy_pack_changes_key PRIMARY KEY (tenant_id, revision),
    CONSTRAINT dpm_policy_pack_changes_revision_from_one
        CHECK (revision >= 1),
    CONSTRAINT dpm_policy_pack_changes_defined_or_removed
        CHECK (num_nonnulls(version, definition_sha256, definition) IN (0, 3)),
    CONSTRAINT dpm_policy_pack_changes_definition_sha256_form
        CHECK (definition_sha256 ~ '^sha256:[0-9a-f]{64}$')
);

-- Finds the last change of each pack.
CREATE INDEX dpm_policy_pack_changes_by_pack
    ON dpm_policy_pack_changes (tenant_id, policy_pack_id, revision);

-- Nothing of a catalog's history is ever removed, so a purge is refused here as it is where proposals are kept.
CREATE TRIGGER dpm_policy_pack_changes_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON dpm_policy_pack_changes
    FOR EACH STATEMENT EXECUTE FUNCTION proposal_refuse_change();

-- Under which pack a run was computed, and with which options; none of it where no pack was applied.
ALTER TABLE dpm_runs ADD COLUMN policy_pack_id text COLLATE "C";
ALTER TABLE dpm_runs ADD COLUMN policy_pack_version text COLLATE "C";
ALTER TABLE dpm_runs ADD COLUMN policy_pack_source text COLLATE "C";
ALTER TABLE dpm_runs ADD COLUMN policy_pack_sha256 text COLLATE "C";
ALTER TABLE dpm_runs ADD COLUMN effective_options bytea;
ALTER TABLE dpm_runs ALTER COLUMN effective_options SET COMPRESSION lz4;

ALTER TABLE dpm_runs ADD CONSTRAINT dpm_runs_policy_whole
    CHECK (
        num_nonnulls(
            policy_pack_id, policy_pack_version, policy_pack_source, policy_pack_sha256, effective_options
        ) IN (0, 5)
    ) NOT VALID;
ALTER TABLE dpm_runs ADD CONSTRAINT dpm_runs_policy_pack_source_known
    CHECK (policy_pack_source IN ('REQUEST', 'TENANT_DEFAULT', 'GLOBAL_DEFAULT')) NOT VALID;
ALTER TABLE dpm_runs ADD CONSTRAINT dpm_runs_policy_pack_sha256_form
    CHECK (policy_pack_sha256 ~ '^sha256:[0-9a-f]{64}$') NOT VALID;

-- A key asks for the same only under the same pack.
ALTER TABLE dpm_run_idempotency ADD COLUMN policy_pack_sha256 text COLLATE "C";
ALTER TABLE dpm_run_idempotency ADD CONSTRAINT dpm_run_idempotency_policy_pack_sha256_form
    CHECK (policy_pack_sha256 ~ '^sha256:[0-9a-f]{64}$') NOT VALID;
