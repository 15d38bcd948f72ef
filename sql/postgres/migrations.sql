-- name: create_checksums
-- Makes room for the text digests of applied migrations, which the runner's own tables do not hold.
CREATE TABLE IF NOT EXISTS schema_checksums (
    migration_id text NOT NULL PRIMARY KEY,
    sha256       text NOT NULL
);

-- name: insert_checksum
-- Remembers the text a migration had when it was applied.
INSERT INTO schema_checksums (migration_id, sha256)
VALUES (:migration_id, :sha256);

-- name: count_history_tables
-- How many of the two tables of the history are there: 0 before the first runner, 1 by another tool or a runner that died at once.
SELECT CASE
    WHEN to_regclass('_yoyo_migration') IS NULL THEN 0
    WHEN to_regclass('schema_checksums') IS NULL THEN 1
    ELSE 2
END AS tables;

-- name: list_applied
-- Every applied migration with the digest of its text, if one was kept.
SELECT applied.migration_id, kept.sha256
FROM _yoyo_migration AS applied
LEFT JOIN schema_checksums AS kept ON kept.migration_id = applied.migration_id
ORDER BY applied.migration_id;

-- name: list_applied_without_digests
-- The same from the first book alone: nobody has kept a digest.
SELECT applied.migration_id, NULL::text AS sha256
FROM _yoyo_migration AS applied
ORDER BY applied.migration_id;

-- name: try_lock
-- Lets one runner at a time into a database, for as long as its session lives. Waiting inside the statement would
-- hold a snapshot that an index built CONCURRENTLY waits for in turn.
SELECT pg_try_advisory_lock(7272746180117) AS locked;

-- name: list_invalid_indexes
-- The indexes of this schema that a broken CONCURRENTLY has left, each with the statement that repairs it.
-- An index that somebody is building at this moment is none of them, nor is one that waits for its partitions.
SELECT index.relname AS index_name,
    format(
        CASE WHEN index.relname ~ '_cc(new|old)[0-9]*$'
            THEN 'DROP INDEX CONCURRENTLY IF EXISTS %I.%I' ELSE 'REINDEX INDEX CONCURRENTLY %I.%I' END,
        space.nspname, index.relname
    ) AS repair
FROM pg_index AS kept
JOIN pg_class AS index ON index.oid = kept.indexrelid AND index.relkind = 'i'
JOIN pg_namespace AS space ON space.oid = index.relnamespace AND space.nspname = current_schema()
WHERE NOT kept.indisvalid
AND NOT EXISTS (
    SELECT 1
    FROM pg_stat_progress_create_index AS building
    WHERE building.datname = current_database() AND building.relid = kept.indrelid
)
ORDER BY index.relname ~ '_cc(new|old)[0-9]*$' DESC, index.relname;

-- name: reset_session
-- Takes back what a file has set for its session.
RESET ALL;

-- name: get_clock
-- The instant the server has, as it answers.
SELECT clock_timestamp() AS present;

-- name: get_login
-- Who is connected, and whether as somebody who is, or may become, a superuser, to whom nothing is refused.
SELECT
    current_user::text AS login,
    EXISTS (
        SELECT 1 FROM pg_roles WHERE rolsuper AND pg_has_role(pg_roles.oid, 'MEMBER')
    ) AS is_superuser;

-- name: list_rights
-- The tables, sequences and schemas of the service with what whoever is connected may do there, a privilege a row.
-- A table may be owned, which is no privilege but all of them; columns are told one by one where not all may change.
WITH tables AS (
    SELECT
        class.oid AS table_id,
        CASE WHEN space.nspname = 'public' THEN '' ELSE space.nspname || '.' END || class.relname AS thing,
        class.relkind AS kind,
        class.relowner AS owner
    FROM pg_class AS class
    JOIN pg_namespace AS space ON space.oid = class.relnamespace
    WHERE space.nspname IN ('public', 'queue') AND class.relkind IN ('r', 'p', 'S')
)
SELECT tables.thing, asked.privilege
FROM tables
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS asked (privilege)
WHERE tables.kind <> 'S' AND has_table_privilege(tables.table_id, asked.privilege)
UNION ALL
SELECT tables.thing, 'UPDATE (' || kept.attname || ')'
FROM tables
JOIN pg_attribute AS kept ON kept.attrelid = tables.table_id AND kept.attnum > 0 AND NOT kept.attisdropped
WHERE tables.kind <> 'S'
AND has_column_privilege(tables.table_id, kept.attnum, 'UPDATE')
AND NOT has_table_privilege(tables.table_id, 'UPDATE')
UNION ALL
SELECT tables.thing, CASE WHEN pg_has_role(tables.owner, 'MEMBER') THEN 'OWNER' ELSE 'THERE' END
FROM tables
WHERE tables.kind <> 'S'
UNION ALL
SELECT 'SEQUENCE ' || tables.thing, 'USAGE'
FROM tables
-- A table that is asked about as a sequence is an error, and conditions have no order.
WHERE CASE WHEN tables.kind = 'S' THEN has_sequence_privilege(tables.table_id, 'USAGE') END
UNION ALL
SELECT 'SCHEMA ' || nspname, 'USAGE'
FROM pg_namespace
WHERE nspname IN ('public', 'queue') AND has_schema_privilege(pg_namespace.oid, 'USAGE');

-- name: get_write_state
-- Whether this server is a standby, and whether it would refuse a write.
SELECT pg_is_in_recovery() AS in_recovery, current_setting('transaction_read_only') = 'on' AS read_only;
