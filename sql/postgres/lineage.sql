-- name: insert_edges
-- Says which entities led to which: a JSON list of edges, each with its metadata as JSON text.
INSERT INTO dpm_lineage_edges (
    tenant_id, source_entity_id, edge_type, target_entity_id, created_at, metadata, lives_with
)
SELECT :tenant_id, source_entity_id, edge_type, target_entity_id, created_at, metadata, lives_with
FROM json_to_recordset(CAST(:edges AS json)) AS edge (
    source_entity_id text, edge_type text, target_entity_id text, created_at timestamptz, metadata text,
    lives_with text
);

-- name: find_edge
-- One edge.
SELECT source_entity_id, edge_type, target_entity_id, created_at, metadata, lives_with
FROM dpm_lineage_edges
WHERE tenant_id = :tenant_id AND source_entity_id = :source_entity_id AND edge_type = :edge_type
    AND target_entity_id = :target_entity_id AND (lives_with <> 'RUN' OR created_at >= :runs_since);

-- name: list_edges
-- The edges that start or end at an entity after a place, each once: two walks along an index, merged. The
-- types say in which direction each is followed.
(
    SELECT source_entity_id, edge_type, target_entity_id, created_at, metadata, lives_with
    FROM dpm_lineage_edges
    WHERE tenant_id = :tenant_id AND source_entity_id = :entity_id
        AND edge_type = ANY (CAST(:types_from_source AS text[]))
        AND (CAST(:edge_type AS text) IS NULL OR edge_type = :edge_type)
        AND created_at >= :created_from AND created_at <= :created_to
        AND (lives_with <> 'RUN' OR created_at >= :runs_since)
        AND (created_at, source_entity_id, edge_type, target_entity_id)
            > (:after_at, :after_source, :after_type, :after_target)
    ORDER BY created_at, source_entity_id, edge_type, target_entity_id
    LIMIT :limit
)
UNION ALL
(
    SELECT source_entity_id, edge_type, target_entity_id, created_at, metadata, lives_with
    FROM dpm_lineage_edges
    WHERE tenant_id = :tenant_id AND target_entity_id = :entity_id
        AND edge_type = ANY (CAST(:types_to_source AS text[]))
        AND (source_entity_id <> :entity_id OR edge_type <> ALL (CAST(:types_from_source AS text[])))
        AND (CAST(:edge_type AS text) IS NULL OR edge_type = :edge_type)
        AND created_at >= :created_from AND created_at <= :created_to
        AND (lives_with <> 'RUN' OR created_at >= :runs_since)
        AND (created_at, source_entity_id, edge_type, target_entity_id)
            > (:after_at, :after_source, :after_type, :after_target)
    ORDER BY created_at, source_entity_id, edge_type, target_entity_id
    LIMIT :limit
)
ORDER BY created_at, source_entity_id, edge_type, target_entity_id
LIMIT :limit;

-- name: trace_edges
-- The edges met on walks from an entity, nearest first. Walks go from entity to entity, each entity once for every
-- distance it can be reached at, so that circles end; all of them end after a number of steps, which `steps` tells.
-- The types say in which direction each is followed.
WITH RECURSIVE reached (entity_id, distance) AS (
    SELECT CAST(:entity_id AS text) COLLATE "C", 0
    UNION
    SELECT step.entity_id, reached.distance + 1
    FROM reached
    CROSS JOIN LATERAL (
        SELECT target_entity_id AS entity_id
        FROM dpm_lineage_edges
        WHERE tenant_id = :tenant_id AND source_entity_id = reached.entity_id
            AND edge_type = ANY (CAST(:types_from_source AS text[]))
            AND (lives_with <> 'RUN' OR created_at >= :runs_since)
        UNION ALL
        SELECT source_entity_id AS entity_id
        FROM dpm_lineage_edges
        WHERE tenant_id = :tenant_id AND target_entity_id = reached.entity_id
            AND edge_type = ANY (CAST(:types_to_source AS text[]))
            AND (lives_with <> 'RUN' OR created_at >= :runs_since)
    ) AS step
    WHERE reached.distance + 1 < :depth
), walked AS MATERIALIZED (
    SELECT entity_id, distance
    FROM reached
    LIMIT :steps_max
), nearest AS MATERIALIZED (
    SELECT entity_id, min(distance) AS distance
    FROM walked
    GROUP BY entity_id
), met AS (
    SELECT edge.source_entity_id, edge.edge_type, edge.target_entity_id, edge.created_at, edge.metadata,
        edge.lives_with, nearest.distance + 1 AS distance
    FROM nearest
    CROSS JOIN LATERAL (
        SELECT source_entity_id, edge_type, target_entity_id, created_at, metadata, lives_with
        FROM dpm_lineage_edges
        WHERE tenant_id = :tenant_id AND source_entity_id = nearest.entity_id
            AND edge_type = ANY (CAST(:types_from_source AS text[]))
            AND (lives_with <> 'RUN' OR created_at >= :runs_since)
        UNION ALL
        SELECT source_entity_id, edge_type, target_entity_id, created_at, metadata, lives_with
        FROM dpm_lineage_edges
        WHERE tenant_id = :tenant_id AND target_entity_id = nearest.entity_id
            AND edge_type = ANY (CAST(:types_to_source AS text[]))
            AND (lives_with <> 'RUN' OR created_at >= :runs_since)
    ) AS edge
)
SELECT source_entity_id, edge_type, target_entity_id, created_at, metadata, lives_with,
    min(distance) AS distance, (SELECT count(*) FROM walked) AS steps
FROM met
GROUP BY source_entity_id, edge_type, target_entity_id, created_at, metadata, lives_with
ORDER BY distance, created_at, source_entity_id, edge_type, target_entity_id
LIMIT :limit;
