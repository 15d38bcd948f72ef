-- name: claim_key
-- Keeps a key with the answer it stands for. No row back means the key is taken; a concurrent transaction at the same
-- key is waited for.
INSERT INTO proposal_keys (
    tenant_id, family, scope, idempotency_key, request_hash, proposal_id, version_no, created_at, answer
)
VALUES (
    :tenant_id, :family, :scope, :idempotency_key, :request_hash, :proposal_id, :version_no, :created_at, :answer
)
ON CONFLICT (tenant_id, family, scope, idempotency_key) DO NOTHING
RETURNING idempotency_key;

-- name: create_proposal
-- Keeps a proposal with its first version, its first event, its key and its edges, in one trip to the server. What the
-- row that comes back does not report as written was in the way: the key, or one of the ids.
WITH claimed AS (
    INSERT INTO proposal_keys (
        tenant_id, family, scope, idempotency_key, request_hash, proposal_id, version_no, created_at, answer
    )
    VALUES (
        :tenant_id, :key_family, :key_scope, :key_idempotency_key, :key_request_hash, :proposal_id, :key_version_no,
        :key_created_at, :key_answer
    )
    ON CONFLICT (tenant_id, family, scope, idempotency_key) DO NOTHING
    RETURNING tenant_id, proposal_id
), created AS (
    INSERT INTO proposals (
        tenant_id, proposal_id, portfolio_id, mandate_id, jurisdiction, title, advisor_notes, created_by, created_at,
        last_event_at, state, version_no, version_status, versioned_by, revision
    )
    SELECT tenant_id, proposal_id, CAST(:portfolio_id AS text), CAST(:mandate_id AS text),
        CAST(:jurisdiction AS text), CAST(:title AS text), CAST(:advisor_notes AS text), CAST(:created_by AS text),
        CAST(:created_at AS timestamptz), CAST(:last_event_at AS timestamptz), CAST(:state AS text),
        CAST(:version_no AS integer), CAST(:version_status AS text), CAST(:versioned_by AS text),
        CAST(:revision AS integer)
    FROM claimed
    ON CONFLICT (tenant_id, proposal_id) DO NOTHING
    RETURNING tenant_id, proposal_id
), versioned AS (
    INSERT INTO proposal_versions (
        tenant_id, proposal_id, version_no, proposal_version_id, created_by, created_at, status_at_creation,
        request_hash, simulation_hash, artifact_hash, artifact_id, request, result, artifact, evidence, gate_decision
    )
    SELECT tenant_id, proposal_id, CAST(:version_version_no AS integer), CAST(:version_proposal_version_id AS text),
        CAST(:version_created_by AS text), CAST(:version_created_at AS timestamptz),
        CAST(:version_status_at_creation AS text), CAST(:version_request_hash AS text),
        CAST(:version_simulation_hash AS text), CAST(:version_artifact_hash AS text),
        CAST(:version_artifact_id AS text), CAST(:version_request AS bytea), CAST(:version_result AS bytea),
        CAST(:version_artifact AS bytea), CAST(:version_evidence AS bytea), CAST(:version_gate_decision AS bytea)
    FROM created
    ON CONFLICT DO NOTHING
    RETURNING tenant_id
), happened AS (
    INSERT INTO proposal_events (
        tenant_id, proposal_id, event_no, event_id, event_type, from_state, to_state, actor_id, occurred_at,
        related_version_no, reason
    )
    SELECT tenant_id, proposal_id, CAST(:event_event_no AS integer), CAST(:event_event_id AS text),
        CAST(:event_event_type AS text), CAST(:event_from_state AS text), CAST(:event_to_state AS text),
        CAST(:event_actor_id AS text), CAST(:event_occurred_at AS timestamptz),
        CAST(:event_related_version_no AS integer), CAST(:event_reason AS bytea)
    FROM created
    ON CONFLICT DO NOTHING
    RETURNING event_id
), joined AS (
    INSERT INTO dpm_lineage_edges (
        tenant_id, source_entity_id, edge_type, target_entity_id, created_at, metadata, lives_with
    )
    SELECT versioned.tenant_id, edge.source_entity_id, edge.edge_type, edge.target_entity_id, edge.created_at,
        edge.metadata, edge.lives_with
    FROM versioned
    CROSS JOIN json_to_recordset(CAST(:edges AS json)) AS edge (
        source_entity_id text, edge_type text, target_entity_id text, created_at timestamptz, metadata text,
        lives_with text
    )
)
SELECT
    EXISTS (SELECT 1 FROM claimed) AS claimed,
    EXISTS (SELECT 1 FROM versioned) AND EXISTS (SELECT 1 FROM happened) AS recorded;

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
ON CONFLICT (tenant_id, proposal_id) DO NOTHING
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
    CASE WHEN octet_length(title) <= :text_bytes_max THEN title END AS title,
    CASE WHEN octet_length(advisor_notes) <= :text_bytes_max THEN advisor_notes END AS advisor_notes,
    coalesce(octet_length(title) > :text_bytes_max OR octet_length(advisor_notes) > :text_bytes_max, FALSE) AS is_long,
    created_by, created_at, last_event_at, state, version_no, version_status, versioned_by, revision
FROM proposals
WHERE tenant_id = :tenant_id
    AND created_at >= :created_from
    AND created_at <= :created_to
    AND (created_at, proposal_id) < (:before_at, :before_id)
ORDER BY created_at DESC, proposal_id DESC
LIMIT :limit;

-- name: list_proposals_by_portfolio
-- Proposals for one portfolio before a position, newest first; texts that are long are left out.
SELECT tenant_id, proposal_id, portfolio_id, mandate_id, jurisdiction,
    CASE WHEN octet_length(title) <= :text_bytes_max THEN title END AS title,
    CASE WHEN octet_length(advisor_notes) <= :text_bytes_max THEN advisor_notes END AS advisor_notes,
    coalesce(octet_length(title) > :text_bytes_max OR octet_length(advisor_notes) > :text_bytes_max, FALSE) AS is_long,
    created_by, created_at, last_event_at, state, version_no, version_status, versioned_by, revision
FROM proposals
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
    CASE WHEN octet_length(title) <= :text_bytes_max THEN title END AS title,
    CASE WHEN octet_length(advisor_notes) <= :text_bytes_max THEN advisor_notes END AS advisor_notes,
    coalesce(octet_length(title) > :text_bytes_max OR octet_length(advisor_notes) > :text_bytes_max, FALSE) AS is_long,
    created_by, created_at, last_event_at, state, version_no, version_status, versioned_by, revision
FROM proposals
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
    CASE WHEN octet_length(title) <= :text_bytes_max THEN title END AS title,
    CASE WHEN octet_length(advisor_notes) <= :text_bytes_max THEN advisor_notes END AS advisor_notes,
    coalesce(octet_length(title) > :text_bytes_max OR octet_length(advisor_notes) > :text_bytes_max, FALSE) AS is_long,
    created_by, created_at, last_event_at, state, version_no, version_status, versioned_by, revision
FROM proposals
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
        CASE WHEN CAST(:after_id AS text) IS NULL THEN 0 ELSE 2147483647 END
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
        sum(octet_length(reason)) OVER (ORDER BY event_no) - octet_length(reason) AS bytes_before
    FROM proposal_events
    WHERE tenant_id = :tenant_id AND proposal_id = :proposal_id
    AND event_no > coalesce(
            (
                SELECT before.event_no
                FROM proposal_events AS before
                WHERE before.tenant_id = :tenant_id AND before.proposal_id = :proposal_id
                    AND before.event_id = :after_id
            ),
            CASE WHEN CAST(:after_id AS text) IS NULL THEN 0 ELSE 2147483647 END
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
        sum(octet_length(details)) OVER (ORDER BY event_no) - octet_length(details) AS bytes_before
    FROM proposal_approvals
    WHERE tenant_id = :tenant_id AND proposal_id = :proposal_id
    AND event_no > coalesce(
            (
                SELECT before.event_no
                FROM proposal_approvals AS before
                WHERE before.tenant_id = :tenant_id AND before.proposal_id = :proposal_id
                    AND before.approval_id = :after_id
            ),
            CASE WHEN CAST(:after_id AS text) IS NULL THEN 0 ELSE 2147483647 END
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
