-- name: insert_difference
-- Keeps a difference; one whose id is taken stays as it is.
INSERT INTO dpm_parity_differences (
    tenant_id, difference_id, kind, act, entity_id, place, primary_text, shadow_text, found_at, correlation_id
)
VALUES (
    :tenant_id, :difference_id, :kind, :act, :entity_id, :place, :primary_text, :shadow_text, :found_at,
    :correlation_id
)
ON CONFLICT (tenant_id, difference_id) DO NOTHING;

-- name: find_difference
-- One difference.
SELECT tenant_id, difference_id, kind, act, entity_id, place, primary_text, shadow_text, found_at, correlation_id
FROM dpm_parity_differences
WHERE tenant_id = :tenant_id AND difference_id = :difference_id;

-- name: list_differences
-- Differences before a place, newest first.
SELECT tenant_id, difference_id, kind, act, entity_id, place, primary_text, shadow_text, found_at, correlation_id
FROM dpm_parity_differences
WHERE tenant_id = :tenant_id
    AND found_at >= :found_from
    AND found_at <= :found_to
    AND (found_at, difference_id) < (:before_at, :before_id)
ORDER BY found_at DESC, difference_id DESC
LIMIT :limit;

-- name: list_differences_by_kind
-- Differences of one kind before a place, newest first.
SELECT tenant_id, difference_id, kind, act, entity_id, place, primary_text, shadow_text, found_at, correlation_id
FROM dpm_parity_differences
WHERE tenant_id = :tenant_id
    AND kind = :kind
    AND found_at >= :found_from
    AND found_at <= :found_to
    AND (found_at, difference_id) < (:before_at, :before_id)
ORDER BY found_at DESC, difference_id DESC
LIMIT :limit;

-- name: count_differences
-- How many differences of each kind are kept; they are bounded in number by the time they are kept.
SELECT kind, count(*) AS differences
FROM dpm_parity_differences
WHERE tenant_id = :tenant_id
GROUP BY kind;

-- name: delete_old_differences
-- Removes the differences that were found first.
DELETE FROM dpm_parity_differences
WHERE tenant_id = :tenant_id AND difference_id = ANY (ARRAY(
    SELECT difference_id
    FROM dpm_parity_differences
    WHERE tenant_id = :tenant_id AND found_at < :found_before
    ORDER BY found_at, difference_id
    LIMIT :limit
))
RETURNING 1 AS deleted;
