-- Looks at the runs and keys written before the rules about policy packs, while the tables are in use.

SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '30min';

ALTER TABLE dpm_runs VALIDATE CONSTRAINT dpm_runs_policy_whole;
ALTER TABLE dpm_runs VALIDATE CONSTRAINT dpm_runs_policy_pack_source_known;
ALTER TABLE dpm_runs VALIDATE CONSTRAINT dpm_runs_policy_pack_sha256_form;
ALTER TABLE dpm_run_idempotency VALIDATE CONSTRAINT dpm_run_idempotency_policy_pack_sha256_form;
