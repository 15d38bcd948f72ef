-- Looks at the operations written before the rules on leases and counts, while the table is in use.

SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '30min';

ALTER TABLE dpm_operations VALIDATE CONSTRAINT dpm_operations_attempt_from_zero;
ALTER TABLE dpm_operations VALIDATE CONSTRAINT dpm_operations_fence_from_zero;
ALTER TABLE dpm_operations VALIDATE CONSTRAINT dpm_operations_scenarios_done_of_total;
ALTER TABLE dpm_operations VALIDATE CONSTRAINT dpm_operations_lease_iff_running;
ALTER TABLE dpm_operations VALIDATE CONSTRAINT dpm_operations_started_unless_pending;
