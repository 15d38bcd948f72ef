-- The logins of a deployment, one for each duty. Run by an administrator before `migrate apply`, with the passwords in
-- the environment: psql -v ON_ERROR_STOP=1 -f deploy/postgres/logins.sql. It may be run any number of times.
\getenv migrator LOTUS_MIGRATOR_PASSWORD
\getenv application LOTUS_APPLICATION_PASSWORD
\getenv worker LOTUS_WORKER_PASSWORD
\getenv retention LOTUS_RETENTION_PASSWORD

SELECT format('CREATE ROLE %I', wanted)
FROM unnest(ARRAY['lotus_migrator', 'lotus_application', 'lotus_worker', 'lotus_retention']) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted)
\gexec

ALTER ROLE lotus_migrator LOGIN PASSWORD :'migrator';
ALTER ROLE lotus_application LOGIN PASSWORD :'application';
ALTER ROLE lotus_worker LOGIN PASSWORD :'worker';
ALTER ROLE lotus_retention LOGIN PASSWORD :'retention';

-- Migrations make tables and a schema; nobody else may.
SELECT format('ALTER DATABASE %I OWNER TO lotus_migrator', current_database())
\gexec
