-- The five roles of a PostgreSQL deployment, and what each may do. Run by a database owner after every
-- `migrate apply`: psql -v ON_ERROR_STOP=1 -f migrations/roles.sql. It may be run any number of times.
--
-- Nobody logs in as one of these; a deployment grants them to its own logins:
--   dpm_migrator     runs the migrations and owns the tables
--   dpm_application  serves: it adds, and changes only what has a state (DPM_SUPPORTABILITY_POSTGRES_DSN)
--   dpm_worker       serves and runs queued operations: it also takes jobs out of the queue
--   dpm_retention    removes what has expired and records it (DPM_RETENTION_POSTGRES_DSN)
--   dpm_reader       looks: support, audit, reporting

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['dpm_migrator', 'dpm_application', 'dpm_worker', 'dpm_retention', 'dpm_reader'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
    END LOOP;
END
$$;

GRANT USAGE, CREATE ON SCHEMA public TO dpm_migrator;
GRANT USAGE ON SCHEMA public TO dpm_application, dpm_retention, dpm_reader;

-- Nothing is left over from an earlier version of this file.
REVOKE ALL ON ALL TABLES IN SCHEMA public, queue FROM dpm_application, dpm_worker, dpm_retention, dpm_reader;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA queue FROM dpm_application, dpm_worker, dpm_retention, dpm_reader;

-- Everybody may read, also which migrations were applied: readiness depends on it.
GRANT SELECT ON
    dpm_run_requests, dpm_runs, dpm_run_idempotency, dpm_run_idempotency_history, dpm_lineage_edges,
    dpm_run_artifacts, dpm_workflow_decisions, dpm_operations, dpm_operation_scenarios, dpm_idempotent_answers,
    dpm_purges, dpm_tallies,
    dpm_tally_changes, dpm_policy_pack_changes, proposals, proposal_versions, proposal_events, proposal_approvals,
    proposal_keys, proposal_simulations, dpm_parity_differences, _yoyo_migration, schema_checksums
TO dpm_application, dpm_retention, dpm_reader;

-- What is append-only is only added to.
GRANT INSERT ON
    dpm_run_requests, dpm_runs, dpm_run_idempotency, dpm_run_idempotency_history, dpm_lineage_edges,
    dpm_run_artifacts, dpm_workflow_decisions, dpm_operations, dpm_operation_scenarios, dpm_idempotent_answers,
    dpm_tally_changes, dpm_policy_pack_changes, proposals, proposal_versions, proposal_events, proposal_approvals, proposal_keys,
    proposal_simulations, dpm_parity_differences
TO dpm_application;

-- A key moves to another run or operation, an operation to another state, a proposal to its next revision, and the key of a
-- simulation that has expired to another; nothing else of them changes.
GRANT UPDATE (request_hash, rebalance_run_id, created_at, policy_pack_sha256) ON dpm_run_idempotency TO dpm_application;
GRANT UPDATE (
    status, started_at, finished_at, lease_until, attempt, fence, scenarios_done, result, error_code, error_message,
    lease_owner, first_started_at, last_error_code, last_error_message, last_error_attempt, last_error_at
) ON dpm_operations TO dpm_application;
GRANT UPDATE (request_hash, rebalance_run_id, operation_id, created_at, answer) ON dpm_idempotent_answers
TO dpm_application;
GRANT UPDATE (last_event_at, state, version_no, version_status, versioned_by, revision) ON proposals TO dpm_application;
GRANT UPDATE (request_hash, created_at, request, result) ON proposal_simulations TO dpm_application;

-- What came of scenarios so far goes in the act in which their operation ends.
GRANT DELETE ON dpm_operation_scenarios TO dpm_application;

-- Accepting puts a job into the queue, and looks whether it is there; cancelling takes it out.
GRANT USAGE ON SCHEMA queue TO dpm_application, dpm_worker, dpm_retention, dpm_reader;
GRANT SELECT ON queue.pgqueuer, queue.pgqueuer_log, queue.pgqueuer_statistics, queue.pgqueuer_schedules
TO dpm_application, dpm_worker, dpm_retention, dpm_reader;
GRANT INSERT ON queue.pgqueuer, queue.pgqueuer_log TO dpm_application;
GRANT DELETE ON queue.pgqueuer TO dpm_application;
GRANT USAGE ON SEQUENCE queue.pgqueuer_id_seq TO dpm_application;

-- A worker does what an application does, takes jobs, says that it lives and removes what it has done.
GRANT dpm_application TO dpm_worker;
GRANT UPDATE ON queue.pgqueuer TO dpm_worker;

-- A purge removes what has expired and says so; it also adds up the tallies. Proposals and the changes of a catalog never
-- expire.
GRANT DELETE ON
    dpm_run_requests, dpm_runs, dpm_run_idempotency, dpm_run_idempotency_history, dpm_lineage_edges,
    dpm_run_artifacts, dpm_workflow_decisions, dpm_operations, dpm_idempotent_answers, dpm_tally_changes,
    proposal_simulations, dpm_parity_differences
TO dpm_retention;
GRANT DELETE ON queue.pgqueuer_log, queue.pgqueuer_statistics TO dpm_retention;
GRANT INSERT ON dpm_purges, dpm_tally_changes TO dpm_retention;
GRANT INSERT, UPDATE ON dpm_tallies TO dpm_retention;
