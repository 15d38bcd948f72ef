-- Looks at the edges and operations written before the rules that know proposals, while the tables are in use.

SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '30min';

ALTER TABLE dpm_lineage_edges VALIDATE CONSTRAINT dpm_lineage_edges_lives_with_known;
ALTER TABLE dpm_operations VALIDATE CONSTRAINT dpm_operations_type_known;
