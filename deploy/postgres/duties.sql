-- What each login may do is what its role may. Run by an administrator after `migrate apply` and migrations/roles.sql:
-- psql -v ON_ERROR_STOP=1 -f migrations/roles.sql -f deploy/postgres/duties.sql. It may be run any number of times.
GRANT dpm_migrator TO lotus_migrator;
GRANT dpm_application TO lotus_application;
GRANT dpm_worker TO lotus_worker;
GRANT dpm_retention TO lotus_retention;
