-- name: list_columns
-- The columns of every table in their order, each with its type and its place in the primary key, 0 outside of it.
SELECT kept.relname AS table_name, shape.attname AS column_name, format_type(shape.atttypid, NULL) AS kind,
    coalesce(array_position(keys.conkey, shape.attnum), 0) AS key_place
FROM pg_class AS kept
JOIN pg_namespace AS space ON space.oid = kept.relnamespace AND space.nspname = current_schema()
JOIN pg_attribute AS shape ON shape.attrelid = kept.oid AND shape.attnum > 0 AND NOT shape.attisdropped
LEFT JOIN pg_constraint AS keys ON keys.conrelid = kept.oid AND keys.contype = 'p'
WHERE kept.relkind IN ('r', 'p')
ORDER BY kept.relname, shape.attnum;

-- name: list_references
-- What each foreign key refers to, with its columns in their order, and whether it is only looked at on commit.
SELECT kept.relname AS table_name, referred.relname AS referred_name, keys.condeferred AS is_deferred,
    ARRAY(
        SELECT shape.attname::text
        FROM unnest(keys.conkey) WITH ORDINALITY AS place (attnum, number)
        JOIN pg_attribute AS shape ON shape.attrelid = keys.conrelid AND shape.attnum = place.attnum
        ORDER BY place.number
    ) AS columns,
    ARRAY(
        SELECT shape.attname::text
        FROM unnest(keys.confkey) WITH ORDINALITY AS place (attnum, number)
        JOIN pg_attribute AS shape ON shape.attrelid = keys.confrelid AND shape.attnum = place.attnum
        ORDER BY place.number
    ) AS referred_columns
FROM pg_constraint AS keys
JOIN pg_class AS kept ON kept.oid = keys.conrelid
JOIN pg_class AS referred ON referred.oid = keys.confrelid
JOIN pg_namespace AS space ON space.oid = kept.relnamespace AND space.nspname = current_schema()
WHERE keys.contype = 'f'
ORDER BY kept.relname, keys.conname;

-- name: list_sequences
-- The columns that are numbered by a sequence of their own, each with that sequence.
SELECT kept.relname AS table_name, shape.attname AS column_name,
    pg_get_serial_sequence(format('%I.%I', space.nspname, kept.relname), shape.attname) AS sequence_name
FROM pg_class AS kept
JOIN pg_namespace AS space ON space.oid = kept.relnamespace AND space.nspname = current_schema()
JOIN pg_attribute AS shape ON shape.attrelid = kept.oid AND shape.attnum > 0 AND NOT shape.attisdropped
WHERE kept.relkind IN ('r', 'p')
AND pg_get_serial_sequence(format('%I.%I', space.nspname, kept.relname), shape.attname) IS NOT NULL
ORDER BY kept.relname, shape.attname;
