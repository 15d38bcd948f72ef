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
-- How many of the two tables that remember migrations exist: 2 once a runner has been here.
SELECT count(to_regclass(book)) AS books
FROM (VALUES ('_yoyo_migration'), ('schema_checksums')) AS books (book);

-- name: list_applied
-- Every applied migration with the digest of its text, if one was kept.
SELECT applied.migration_id, kept.sha256
FROM _yoyo_migration AS applied
LEFT JOIN schema_checksums AS kept ON kept.migration_id = applied.migration_id
ORDER BY applied.migration_id;
