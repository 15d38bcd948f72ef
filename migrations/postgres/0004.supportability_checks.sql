-- Looks at the edges written before the wider rules on them, while the table is in use.

SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '30min';

ALTER TABLE dpm_lineage_edges VALIDATE CONSTRAINT dpm_lineage_edges_type_known;
ALTER TABLE dpm_lineage_edges VALIDATE CONSTRAINT dpm_lineage_edges_lives_with_known;
