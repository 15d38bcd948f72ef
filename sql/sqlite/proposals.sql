-- name: claim_key
-- Keeps a key with the answer it stands for. No row back means the key is taken.
INSERT INTO proposal_keys (
    tenant_id, family, scope, idempotency_key, request_hash, proposal_id, version_no, created_at, answer
)
VALUES (
    :tenant_id, :family, :scope, :idempotency_key, :request_hash, :proposal_id, :version_no, :created_at, :answer
)
ON CONFLICT DO NOTHING
RETURNING proposal_id;

-- name: find_key
-- The request hash and the answer of a key, with the documents that were cut out of the answer.
SELECT held.tenant_id, held.family, held.scope, held.idempotency_key, held.request_hash, held.proposal_id,
    held.version_no, held.created_at, held.answer, brought.result, brought.artifact, brought.evidence
FROM proposal_keys AS held
LEFT JOIN proposal_versions AS brought
    ON held.family IN ('CREATE', 'VERSION') AND brought.tenant_id = held.tenant_id
    AND brought.proposal_id = held.proposal_id AND brought.version_no = held.version_no
WHERE held.tenant_id = :tenant_id AND held.family = :family AND held.scope = :scope
    AND held.idempotency_key = :idempotency_key;

-- name: insert_proposal
-- Keeps a proposal as its first event leaves it. No row back means its id is taken.
INSERT INTO proposals (
    tenant_id, proposal_id, portfolio_id, mandate_id, jurisdiction, title, advisor_notes, created_by, created_at,
    last_event_at, state, version_no, version_status, versioned_by, revision
)
VALUES (
    :tenant_id, :proposal_id, :portfolio_id, :mandate_id, :jurisdiction, :title, :advisor_notes, :created_by,
    :created_at, :last_event_at, :state, :version_no, :version_status, :versioned_by, :revision
)
ON CONFLICT DO NOTHING
RETURNING proposal_id;

-- name: advance_proposal
-- Updates a proposal to what its next event leaves. No row back means it is not at the revision before, or not there.
UPDATE proposals
SET last_event_at = :last_event_at, state = :state, version_no = :version_no, version_status = :version_status,
    versioned_by = :versioned_by, revision = :revision
WHERE tenant_id = :tenant_id AND proposal_id = :proposal_id AND revision = :revision - 1
RETURNING proposal_id;

-- name: insert_version
-- Keeps a version with its documents. No row back means its number or its id is taken.
INSERT INTO proposal_versions (
    tenant_id, proposal_id, version_no, proposal_version_id, created_by, created_at, status_at_creation, request_hash,
    simulation_hash, artifact_hash, artifact_id, request, result, artifact, evidence, gate_decision
)
VALUES (
    :tenant_id, :proposal_id, :version_no, :proposal_version_id, :created_by, :created_at, :status_at_creation,
    :request_hash, :simulation_hash, :artifact_hash, :artifact_id, :request, :result, :artifact, :evidence,
    :gate_decision
)
ON CONFLICT DO NOTHING
RETURNING proposal_version_id;

-- name: insert_event
-- Keeps an event. No row back means its number or its id is taken.
INSERT INTO proposal_events (
    tenant_id, proposal_id, event_no, event_id, event_type, from_state, to_state, actor_id, occurred_at,
    related_version_no, reason
)
VALUES (
    :tenant_id, :proposal_id, :event_no, :event_id, :event_type, :from_state, :to_state, :actor_id, :occurred_at,
    :related_version_no, :reason
)
ON CONFLICT DO NOTHING
RETURNING event_id;

-- name: insert_approval
-- Keeps the approval or rejection of an event. No row back means its id is taken.
INSERT INTO proposal_approvals (
    tenant_id, proposal_id, event_no, approval_id, approval_type, approved, actor_id, occurred_at,
    related_version_no, details
)
VALUES (
    :tenant_id, :proposal_id, :event_no, :approval_id, :approval_type, :approved, :actor_id, :occurred_at,
    :related_version_no, :details
)
ON CONFLICT DO NOTHING
RETURNING approval_id;

-- name: find_version_id
-- The id of a version, by its number.
SELECT proposal_version_id
FROM proposal_versions
WHERE tenant_id = :tenant_id AND proposal_id = :proposal_id AND version_no = :version_no;

-- name: find_proposal
-- One proposal.
SELECT tenant_id, proposal_id, portfolio_id, mandate_id, jurisdiction, title, advisor_notes, created_by, created_at,
    last_event_at, state, version_no, version_status, versioned_by, revision
FROM proposals
WHERE tenant_id = :tenant_id AND proposal_id = :proposal_id;

-- name: list_proposals
-- Proposals before a position, newest first; texts that are long are left out.
SELECT tenant_id, proposal_id, portfolio_id, mandate_id, jurisdiction,
    CASE WHEN length(CAST(title AS BLOB)) <= :text_bytes_max THEN title END AS title,
    CASE WHEN length(CAST(advisor_notes AS BLOB)) <= :text_bytes_max THEN advisor_notes END AS advisor_notes,
    coalesce(length(CAST(title AS BLOB)) > :text_bytes_max OR length(CAST(advisor_notes AS BLOB)) > :text_bytes_max, FALSE) AS is_long,
    created_by, created_at, last_event_at, state, version_no, version_status, versioned_by, revision
FROM proposals INDEXED BY proposals_by_creation
WHERE tenant_id = :tenant_id
    AND created_at >= :created_from
    AND created_at <= :created_to
    AND (created_at, proposal_id) < (:before_at, :before_id)
ORDER BY created_at DESC, proposal_id DESC
LIMIT :limit;

-- name: list_proposals_by_portfolio
-- Proposals for one portfolio before a position, newest first; texts that are long are left out.
SELECT tenant_id, proposal_id, portfolio_id, mandate_id, jurisdiction,
    CASE WHEN length(CAST(title AS BLOB)) <= :text_bytes_max THEN title END AS title,
    CASE WHEN length(CAST(advisor_notes AS BLOB)) <= :text_bytes_max THEN advisor_notes END AS advisor_notes,
    coalesce(length(CAST(title AS BLOB)) > :text_bytes_max OR length(CAST(advisor_notes AS BLOB)) > :text_bytes_max, FALSE) AS is_long,
    created_by, created_at, last_event_at, state, version_no, version_status, versioned_by, revision
FROM proposals INDEXED BY proposals_by_portfolio
WHERE tenant_id = :tenant_id
    AND portfolio_id = :portfolio_id
    AND (CAST(:created_by AS text) IS NULL OR created_by = :created_by)
    AND (CAST(:state AS text) IS NULL OR state = :state)
    AND created_at >= :created_from
    AND created_at <= :created_to
    AND (created_at, proposal_id) < (:before_at, :before_id)
ORDER BY created_at DESC, proposal_id DESC
LIMIT :limit;

-- name: list_proposals_by_creator
-- Proposals of one adviser before a position, newest first; texts that are long are left out.
SELECT tenant_id, proposal_id, portfolio_id, mandate_id, jurisdiction,
    CASE WHEN length(CAST(title AS BLOB)) <= :text_bytes_max THEN title END AS title,
    CASE WHEN length(CAST(advisor_notes AS BLOB)) <= :text_bytes_max THEN advisor_notes END AS advisor_notes,
    coalesce(length(CAST(title AS BLOB)) > :text_bytes_max OR length(CAST(advisor_notes AS BLOB)) > :text_bytes_max, FALSE) AS is_long,
    created_by, created_at, last_event_at, state, version_no, version_status, versioned_by, revision
FROM proposals INDEXED BY proposals_by_creator
WHERE tenant_id = :tenant_id
    AND created_by = :created_by
    AND (CAST(:state AS text) IS NULL OR state = :state)
    AND created_at >= :created_from
    AND created_at <= :created_to
    AND (created_at, proposal_id) < (:before_at, :before_id)
ORDER BY created_at DESC, proposal_id DESC
LIMIT :limit;

-- name: list_proposals_by_state
-- Proposals in one state before a position, newest first; texts that are long are left out.
SELECT tenant_id, proposal_id, portfolio_id, mandate_id, jurisdiction,
    CASE WHEN length(CAST(title AS BLOB)) <= :text_bytes_max THEN title END AS title,
    CASE WHEN length(CAST(advisor_notes AS BLOB)) <= :text_bytes_max THEN advisor_notes END AS advisor_notes,
    coalesce(length(CAST(title AS BLOB)) > :text_bytes_max OR length(CAST(advisor_notes AS BLOB)) > :text_bytes_max, FALSE) AS is_long,
    created_by, created_at, last_event_at, state, version_no, version_status, versioned_by, revision
FROM proposals INDEXED BY proposals_by_state
WHERE tenant_id = :tenant_id
    AND state = :state
    AND created_at >= :created_from
    AND created_at <= :created_to
    AND (created_at, proposal_id) < (:before_at, :before_id)
ORDER BY created_at DESC, proposal_id DESC
LIMIT :limit;

-- name: find_version
-- One version with its documents.
SELECT tenant_id, proposal_id, version_no, proposal_version_id, created_by, created_at, status_at_creation,
    request_hash, simulation_hash, artifact_hash, artifact_id, request, result, artifact, evidence, gate_decision
FROM proposal_versions
WHERE tenant_id = :tenant_id AND proposal_id = :proposal_id AND version_no = :version_no;

-- name: list_versions
-- The versions of a proposal after one, without their documents, in the order of their numbers.
SELECT tenant_id, proposal_id, version_no, proposal_version_id, created_by, created_at, status_at_creation,
    request_hash, simulation_hash, artifact_hash
FROM proposal_versions
WHERE tenant_id = :tenant_id AND proposal_id = :proposal_id
    AND version_no > coalesce(
        (
            SELECT before.version_no
            FROM proposal_versions AS before
            WHERE before.tenant_id = :tenant_id AND before.proposal_id = :proposal_id
                AND before.proposal_version_id = :after_id
        ),
        CASE WHEN :after_id IS NULL THEN 0 ELSE 9223372036854775807 END
    )
ORDER BY version_no
LIMIT :limit;

-- name: list_events
-- The events of a proposal after one, in the order of their numbers; no more once their texts fill a page.
SELECT tenant_id, proposal_id, event_no, event_id, event_type, from_state, to_state, actor_id, occurred_at,
    related_version_no, reason
FROM (
    SELECT tenant_id, proposal_id, event_no, event_id, event_type, from_state, to_state, actor_id, occurred_at,
        related_version_no, reason,
        sum(length(reason)) OVER (ORDER BY event_no) - length(reason) AS bytes_before
    FROM proposal_events
    WHERE tenant_id = :tenant_id AND proposal_id = :proposal_id
    AND event_no > coalesce(
            (
                SELECT before.event_no
                FROM proposal_events AS before
                WHERE before.tenant_id = :tenant_id AND before.proposal_id = :proposal_id
                    AND before.event_id = :after_id
            ),
            CASE WHEN :after_id IS NULL THEN 0 ELSE 9223372036854775807 END
        )
    ORDER BY event_no
    LIMIT :limit
) AS listed
WHERE bytes_before <= :page_bytes_max
ORDER BY event_no;

-- name: list_approvals
-- The approvals of a proposal after one, in the order of their events; no more once they fill a page.
SELECT tenant_id, proposal_id, event_no, approval_id, approval_type, approved, actor_id, occurred_at,
    related_version_no, details
FROM (
    SELECT tenant_id, proposal_id, event_no, approval_id, approval_type, approved, actor_id, occurred_at,
        related_version_no, details,
        sum(length(details)) OVER (ORDER BY event_no) - length(details) AS bytes_before
    FROM proposal_approvals
    WHERE tenant_id = :tenant_id AND proposal_id = :proposal_id
    AND event_no > coalesce(
            (
                SELECT before.event_no
                FROM proposal_approvals AS before
                WHERE before.tenant_id = :tenant_id AND before.proposal_id = :proposal_id
                    AND before.approval_id = :after_id
            ),
            CASE WHEN :after_id IS NULL THEN 0 ELSE 9223372036854775807 END
        )
    ORDER BY event_no
    LIMIT :limit
) AS listed
WHERE bytes_before <= :page_bytes_max
ORDER BY event_no;

-- name: list_valid_approvals
-- The approvals of a proposal since its current version was created, in the order of their events.
SELECT tenant_id, proposal_id, event_no, approval_id, approval_type, approved, actor_id, occurred_at,
    related_version_no, details
FROM proposal_approvals
WHERE tenant_id = :tenant_id AND proposal_id = :proposal_id
    AND event_no > (
        SELECT max(came.event_no)
        FROM proposal_events AS came
        WHERE came.tenant_id = :tenant_id AND came.proposal_id = :proposal_id
            AND came.event_type IN ('CREATED', 'NEW_VERSION_CREATED')
    )
ORDER BY event_no;
