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

-- name: count_books
-- How many of the two books are kept: 0 before the first runner, 1 by another tool or a runner that died at once.
SELECT CASE
    WHEN to_regclass('_yoyo_migration') IS NULL THEN 0
    WHEN to_regclass('schema_checksums') IS NULL THEN 1
    ELSE 2
END AS books;

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
