-- name: insert_edge
-- Says that one entity led to another.
INSERT INTO dpm_lineage_edges (
    tenant_id, source_entity_id, edge_type, target_entity_id, created_at, metadata
)
VALUES (:tenant_id, :source_entity_id, :edge_type, :target_entity_id, :created_at, :metadata);

-- name: list_edges
-- The edges that start or end at an entity, each once: two index look-ups instead of one OR.
SELECT source_entity_id, edge_type, target_entity_id, created_at, metadata
FROM dpm_lineage_edges
WHERE tenant_id = :tenant_id AND source_entity_id = :entity_id
UNION ALL
SELECT source_entity_id, edge_type, target_entity_id, created_at, metadata
FROM dpm_lineage_edges
WHERE tenant_id = :tenant_id AND target_entity_id = :entity_id AND source_entity_id <> :entity_id
ORDER BY created_at, source_entity_id, edge_type, target_entity_id;
