-- name: create_checksums
-- Makes room for the text digests of applied migrations, which the runner's own tables do not hold.
CREATE TABLE IF NOT EXISTS schema_checksums (
    migration_id text NOT NULL PRIMARY KEY,
    sha256       text NOT NULL
) STRICT, WITHOUT ROWID;

-- name: insert_checksum
-- Remembers the text a migration had when it was applied.
INSERT INTO schema_checksums (migration_id, sha256)
VALUES (:migration_id, :sha256);

-- name: count_history_tables
-- How many of the two tables of the history are there: 0 before the first runner, 1 by another tool or a runner that died at once.
SELECT CASE
    WHEN NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_yoyo_migration') THEN 0
    WHEN NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_checksums') THEN 1
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
SELECT applied.migration_id, NULL AS sha256
FROM _yoyo_migration AS applied
ORDER BY applied.migration_id;
