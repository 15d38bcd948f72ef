-- name: insert_change
-- Appends a change to the history of a catalog. No row back means that it does not follow the last one.
INSERT INTO dpm_policy_pack_changes (
    tenant_id, revision, policy_pack_id, version, changed_at, correlation_id, definition_sha256, definition
)
SELECT :tenant_id, :revision, :policy_pack_id, :version, :changed_at, :correlation_id, :definition_sha256, :definition
WHERE :revision = 1
    OR EXISTS (
        SELECT 1 FROM dpm_policy_pack_changes WHERE tenant_id = :tenant_id AND revision = :revision - 1
    )
ON CONFLICT (tenant_id, revision) DO NOTHING
RETURNING revision;

-- name: find_revision
-- The revision of the last change of a catalog.
SELECT revision
FROM dpm_policy_pack_changes
WHERE tenant_id = :tenant_id
ORDER BY revision DESC
LIMIT 1;

-- name: list_amendments
-- The last change of every pack that was ever changed; the last of all is among them.
SELECT change.revision, change.policy_pack_id, change.definition
FROM (
    SELECT tenant_id, max(revision) AS revision
    FROM dpm_policy_pack_changes
    WHERE tenant_id = :tenant_id
    GROUP BY tenant_id, policy_pack_id
) AS latest
JOIN dpm_policy_pack_changes AS change
    ON change.tenant_id = latest.tenant_id AND change.revision = latest.revision
ORDER BY change.policy_pack_id;
