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
-- The edges that start or end at an entity after a place, each once: two walks along an index, merged.
(
    SELECT source_entity_id, edge_type, target_entity_id, created_at, metadata, lives_with
    FROM dpm_lineage_edges
    WHERE tenant_id = :tenant_id AND source_entity_id = :entity_id AND CAST(:goes_down AS boolean)
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
    WHERE tenant_id = :tenant_id AND target_entity_id = :entity_id AND CAST(:goes_up AS boolean)
        AND (source_entity_id <> :entity_id OR NOT CAST(:goes_down AS boolean))
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
-- The edges met on walks from an entity, nearest first. A walk does not turn back on the edge it came by, ends at its
-- depth whatever circles there are, and all walks together end after a number of steps, which `steps` tells.
WITH RECURSIVE trail (
    source_entity_id, edge_type, target_entity_id, created_at, metadata, lives_with, reached_id, distance
) AS (
    SELECT CAST('' AS text) COLLATE "C", CAST('' AS text) COLLATE "C", CAST('' AS text) COLLATE "C",
        CAST(:runs_since AS timestamptz), CAST('' AS text) COLLATE "C", CAST('' AS text) COLLATE "C",
        CAST(:entity_id AS text) COLLATE "C", 0
    UNION
    SELECT step.source_entity_id, step.edge_type, step.target_entity_id, step.created_at, step.metadata,
        step.lives_with, step.reached_id, trail.distance + 1
    FROM trail
    CROSS JOIN LATERAL (
        SELECT edge.source_entity_id, edge.edge_type, edge.target_entity_id, edge.created_at, edge.metadata,
            edge.lives_with, edge.target_entity_id AS reached_id
        FROM dpm_lineage_edges AS edge
        WHERE edge.tenant_id = :tenant_id AND edge.source_entity_id = trail.reached_id
            AND CAST(:goes_down AS boolean)
        UNION ALL
        SELECT edge.source_entity_id, edge.edge_type, edge.target_entity_id, edge.created_at, edge.metadata,
            edge.lives_with, edge.source_entity_id AS reached_id
        FROM dpm_lineage_edges AS edge
        WHERE edge.tenant_id = :tenant_id AND edge.target_entity_id = trail.reached_id
            AND CAST(:goes_up AS boolean)
    ) AS step
    WHERE trail.distance < :depth
        AND (step.lives_with <> 'RUN' OR step.created_at >= :runs_since)
        AND (step.source_entity_id, step.edge_type, step.target_entity_id)
            <> (trail.source_entity_id, trail.edge_type, trail.target_entity_id)
), met AS (
    SELECT source_entity_id, edge_type, target_entity_id, created_at, metadata, lives_with, distance
    FROM trail
    LIMIT :steps_max
)
SELECT source_entity_id, edge_type, target_entity_id, created_at, metadata, lives_with,
    min(distance) AS distance, (SELECT count(*) FROM met) AS steps
FROM met
WHERE distance > 0
GROUP BY source_entity_id, edge_type, target_entity_id, created_at, metadata, lives_with
ORDER BY distance, created_at, source_entity_id, edge_type, target_entity_id
LIMIT :limit;
