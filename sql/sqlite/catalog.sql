-- name: list_columns
-- The columns of every table in their order, each with its type and its place in the primary key, 0 outside of it.
SELECT kept.name AS table_name, shape.name AS column_name, lower(shape.type) AS kind, shape.pk AS key_place
FROM pragma_table_list AS kept
JOIN pragma_table_info(kept.name) AS shape
WHERE kept.schema = 'main' AND kept.type = 'table' AND kept.name NOT LIKE 'sqlite\_%' ESCAPE '\'
ORDER BY kept.name, shape.cid;
