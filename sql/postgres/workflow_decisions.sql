-- name: insert_decision
-- Appends a decision under its number. No row back means that somebody else has that number or that id.
INSERT INTO dpm_workflow_decisions (
    tenant_id, rebalance_run_id, decision_no, decision_id, action, reason_code, comment, actor_id, decided_at,
    correlation_id, run_created_at
)
VALUES (
    :tenant_id, :rebalance_run_id, :decision_no, :decision_id, :action, :reason_code, :comment, :actor_id, :decided_at,
    :correlation_id, :run_created_at
)
ON CONFLICT DO NOTHING
RETURNING decision_no;

-- name: find_latest_decision
-- The decision a run's state follows from.
SELECT tenant_id, rebalance_run_id, decision_no, decision_id, action, reason_code, comment, actor_id, decided_at,
    correlation_id
FROM dpm_workflow_decisions
WHERE tenant_id = :tenant_id AND rebalance_run_id = :rebalance_run_id
ORDER BY decision_no DESC
LIMIT 1;

-- name: find_decision
-- One decision, unless its run has expired.
SELECT tenant_id, rebalance_run_id, decision_no, decision_id, action, reason_code, comment, actor_id, decided_at,
    correlation_id
FROM dpm_workflow_decisions
WHERE tenant_id = :tenant_id AND decision_id = :decision_id AND run_created_at >= :runs_since;

-- name: list_decisions_of_run
-- The decisions on a run behind one, in the order they were taken; no more once their comments are a page.
SELECT tenant_id, rebalance_run_id, decision_no, decision_id, action, reason_code, comment, actor_id, decided_at,
    correlation_id
FROM (
    SELECT tenant_id, rebalance_run_id, decision_no, decision_id, action, reason_code, comment, actor_id,
        decided_at, correlation_id,
        sum(coalesce(octet_length(comment), 0)) OVER (ORDER BY decision_no) - coalesce(octet_length(comment), 0) AS bytes_before
    FROM dpm_workflow_decisions
    WHERE tenant_id = :tenant_id AND rebalance_run_id = :rebalance_run_id
    AND decision_no > coalesce(
            (
                SELECT before.decision_no
                FROM dpm_workflow_decisions AS before
                WHERE before.tenant_id = :tenant_id AND before.rebalance_run_id = :rebalance_run_id
                    AND before.decision_id = :after_id
            ),
            CASE WHEN CAST(:after_id AS text) IS NULL THEN 0 ELSE 2147483647 END
        )
    ORDER BY decision_no
    LIMIT :limit
) AS listed
WHERE bytes_before <= :page_bytes_max
ORDER BY decision_no;

-- name: list_decisions
-- Decisions before a place, newest first; a comment that is long is left out.
SELECT tenant_id, rebalance_run_id, decision_no, decision_id, action, reason_code,
    CASE WHEN octet_length(comment) <= :text_bytes_max THEN comment END AS comment,
    coalesce(octet_length(comment) > :text_bytes_max, FALSE) AS is_long, actor_id, decided_at, correlation_id
FROM dpm_workflow_decisions
WHERE tenant_id = :tenant_id
    AND run_created_at >= :runs_since
    AND decided_at >= :decided_from
    AND decided_at <= :decided_to
    AND (decided_at, decision_id) < (:before_at, :before_id)
ORDER BY decided_at DESC, decision_id DESC
LIMIT :limit;

-- name: list_decisions_by_action
-- Decisions of one kind before a place, newest first; a comment that is long is left out.
SELECT tenant_id, rebalance_run_id, decision_no, decision_id, action, reason_code,
    CASE WHEN octet_length(comment) <= :text_bytes_max THEN comment END AS comment,
    coalesce(octet_length(comment) > :text_bytes_max, FALSE) AS is_long, actor_id, decided_at, correlation_id
FROM dpm_workflow_decisions
WHERE tenant_id = :tenant_id
    AND action = :action
    AND run_created_at >= :runs_since
    AND decided_at >= :decided_from
    AND decided_at <= :decided_to
    AND (decided_at, decision_id) < (:before_at, :before_id)
ORDER BY decided_at DESC, decision_id DESC
LIMIT :limit;

-- name: list_decisions_by_reason_code
-- Decisions for one reason before a place, newest first; a comment that is long is left out.
SELECT tenant_id, rebalance_run_id, decision_no, decision_id, action, reason_code,
    CASE WHEN octet_length(comment) <= :text_bytes_max THEN comment END AS comment,
    coalesce(octet_length(comment) > :text_bytes_max, FALSE) AS is_long, actor_id, decided_at, correlation_id
FROM dpm_workflow_decisions
WHERE tenant_id = :tenant_id
    AND reason_code = :reason_code
    AND (CAST(:action AS text) IS NULL OR action = :action)
    AND run_created_at >= :runs_since
    AND decided_at >= :decided_from
    AND decided_at <= :decided_to
    AND (decided_at, decision_id) < (:before_at, :before_id)
ORDER BY decided_at DESC, decision_id DESC
LIMIT :limit;

-- name: list_decisions_by_actor
-- Decisions of one reviewer before a place, newest first; a comment that is long is left out.
SELECT tenant_id, rebalance_run_id, decision_no, decision_id, action, reason_code,
    CASE WHEN octet_length(comment) <= :text_bytes_max THEN comment END AS comment,
    coalesce(octet_length(comment) > :text_bytes_max, FALSE) AS is_long, actor_id, decided_at, correlation_id
FROM dpm_workflow_decisions
WHERE tenant_id = :tenant_id
    AND actor_id = :actor_id
    AND (CAST(:reason_code AS text) IS NULL OR reason_code = :reason_code)
    AND (CAST(:action AS text) IS NULL OR action = :action)
    AND run_created_at >= :runs_since
    AND decided_at >= :decided_from
    AND decided_at <= :decided_to
    AND (decided_at, decision_id) < (:before_at, :before_id)
ORDER BY decided_at DESC, decision_id DESC
LIMIT :limit;

-- name: list_decisions_by_run
-- Decisions on one run before a place, newest first; a comment that is long is left out.
SELECT tenant_id, rebalance_run_id, decision_no, decision_id, action, reason_code,
    CASE WHEN octet_length(comment) <= :text_bytes_max THEN comment END AS comment,
    coalesce(octet_length(comment) > :text_bytes_max, FALSE) AS is_long, actor_id, decided_at, correlation_id
FROM dpm_workflow_decisions
WHERE tenant_id = :tenant_id
    AND rebalance_run_id = :rebalance_run_id
    AND (CAST(:actor_id AS text) IS NULL OR actor_id = :actor_id)
    AND (CAST(:reason_code AS text) IS NULL OR reason_code = :reason_code)
    AND (CAST(:action AS text) IS NULL OR action = :action)
    AND run_created_at >= :runs_since
    AND decided_at >= :decided_from
    AND decided_at <= :decided_to
    AND (decided_at, decision_id) < (:before_at, :before_id)
ORDER BY decided_at DESC, decision_id DESC
LIMIT :limit;
