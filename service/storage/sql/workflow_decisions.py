"""Reviews of runs in SQL."""

from __future__ import annotations

from service.domains.dpm_runs.values import RunSummary
from service.domains.idempotency import IdempotentAnswer
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.domains.values.pages import (
    EARLIEST,
    LATEST,
    LISTED_TEXT_BYTES_MAX,
    PAGE_BYTES_MAX,
    Page,
    page_of,
)
from service.domains.workflow_decisions import (
    DecisionFilter,
    ReviewAction,
    ReviewRule,
    WorkflowAction,
    WorkflowDecision,
    facts_of,
)
from service.errors.dpm_runs import RunNotFound
from service.errors.workflow_decisions import DecisionExists, WorkflowInvalidTransition, WorkflowStateConflict
from service.storage.sql import idempotent_answers
from service.storage.sql.acts import Act, ReferenceMissing, Row, SqlDatabase, every, one
from service.storage.sql.dpm_runs import runs
from service.storage.sql.listing import Listing
from service.storage.texts import require_storable

NOUN = "workflow_decisions"


class SqlWorkflowDecisions:
    def __init__(self, database: SqlDatabase) -> None:
        self.database = database

    async def decide(
        self, verdict: ReviewAction, rule: ReviewRule, cutoff: RetentionCutoff
    ) -> tuple[RunSummary, WorkflowDecision]:
        return await self.database.write(decide, verdict, rule, cutoff)

    async def decide_once(
        self, verdict: ReviewAction, rule: ReviewRule, cutoff: RetentionCutoff, answer: IdempotentAnswer
    ) -> IdempotentAnswer | None:
        return await self.database.write(decide_once, verdict, rule, cutoff, answer)

    async def list_of_run(
        self, tenant_id: str, rebalance_run_id: str, *, limit: int, cursor: str | None
    ) -> Page[WorkflowDecision]:
        rows = await self.database.read(
            every,
            NOUN,
            "list_decisions_of_run",
            tenant_id=tenant_id,
            rebalance_run_id=rebalance_run_id,
            after_id=cursor,
            limit=limit + 1,
            page_bytes_max=PAGE_BYTES_MAX,
        )
        return page_of([decision_of(row) for row in rows], limit, lambda decision: decision.decision_id)

    async def find_latest(self, tenant_id: str, rebalance_run_id: str) -> WorkflowDecision | None:
        return await self.database.read(find_latest, tenant_id, rebalance_run_id)

    async def list(
        self,
        tenant_id: str,
        decisions: DecisionFilter,
        *,
        limit: int,
        cursor: str | None,
        cutoff: RetentionCutoff,
    ) -> Page[WorkflowDecision]:
        return await self.database.read(
            list_decisions, tenant_id, decisions, limit=limit, cursor=cursor, cutoff=cutoff
        )


def decide(
    verdict: ReviewAction, rule: ReviewRule, cutoff: RetentionCutoff
) -> Act[tuple[RunSummary, WorkflowDecision]]:
    require_storable(verdict)
    place = (verdict.tenant_id, verdict.rebalance_run_id)
    head = yield from runs.get_head(*place, cutoff)
    latest = yield from find_latest(*place)
    rule.require_allowed(verdict, head.status, latest)
    decision = verdict.numbered(1 if latest is None else latest.decision_no + 1)
    row = row_of(decision) | {"run_created_at": head.created_at}
    try:
        inserted = yield from one(NOUN, "insert_decision", **row)
    except ReferenceMissing:
        # The run was removed after we had seen it.
        raise RunNotFound(rebalance_run_id=verdict.rebalance_run_id) from None
    if inserted is not None:
        return head, decision
    if (yield from find_decision(verdict.tenant_id, verdict.decision_id, KEEP_ALL)) is not None:
        raise DecisionExists(id=verdict.decision_id)
    # Another reviewer decided on the state we saw, and theirs is the next number.
    winner = facts_of((yield from find_latest(*place)))
    raise (
        WorkflowStateConflict(**winner) if verdict.expected_status else WorkflowInvalidTransition(**winner)
    )


def decide_once(
    verdict: ReviewAction, rule: ReviewRule, cutoff: RetentionCutoff, answer: IdempotentAnswer
) -> Act[IdempotentAnswer | None]:
    held = yield from idempotent_answers.claim(answer, cutoff)
    if held is None:
        yield from decide(verdict, rule, cutoff)
    return held


def find_latest(tenant_id: str, rebalance_run_id: str) -> Act[WorkflowDecision | None]:
    named = {"tenant_id": tenant_id, "rebalance_run_id": rebalance_run_id}
    row = yield from one(NOUN, "find_latest_decision", **named)
    return None if row is None else decision_of(row)


def find_decision(tenant_id: str, decision_id: str, cutoff: RetentionCutoff) -> Act[WorkflowDecision | None]:
    named = {"tenant_id": tenant_id, "decision_id": decision_id}
    row = yield from one(NOUN, "find_decision", **named, runs_since=cutoff.runs_since)
    return None if row is None else decision_of(row)


def list_decisions(
    tenant_id: str,
    decisions: DecisionFilter,
    *,
    limit: int,
    cursor: str | None,
    cutoff: RetentionCutoff,
) -> Act[Page[WorkflowDecision]]:
    rows = yield from DECISIONS.rows(
        filters={
            "rebalance_run_id": decisions.rebalance_run_id,
            "actor_id": decisions.actor_id,
            "reason_code": decisions.reason_code,
            "action": None if decisions.action is None else decisions.action.value,
        },
        matches=lambda row: decisions.matches(decision_of(row)),
        cursor=cursor,
        limit=limit,
        found={"tenant_id": tenant_id, "runs_since": cutoff.runs_since},
        bounds={
            "decided_from": decisions.decided_from or EARLIEST,
            "decided_to": decisions.decided_to or LATEST,
            "text_bytes_max": LISTED_TEXT_BYTES_MAX,
        },
    )
    items, size = [decision_of(row) for row in rows], 0
    for at, item in enumerate(items):
        if rows[at]["is_long"] and size <= PAGE_BYTES_MAX:
            items[at] = (yield from find_decision(tenant_id, item.decision_id, cutoff)) or item
            size += len(items[at].comment or "")
    return page_of(items, limit, lambda decision: decision.decision_id)


def row_of(decision: WorkflowDecision) -> dict[str, object]:
    return {
        "tenant_id": decision.tenant_id,
        "rebalance_run_id": decision.rebalance_run_id,
        "decision_no": decision.decision_no,
        "decision_id": decision.decision_id,
        "action": decision.action.value,
        "reason_code": decision.reason_code,
        "comment": decision.comment,
        "actor_id": decision.actor_id,
        "decided_at": decision.decided_at,
        "correlation_id": decision.correlation_id,
    }


def decision_of(row: Row) -> WorkflowDecision:
    return WorkflowDecision(
        decision_id=row["decision_id"],
        tenant_id=row["tenant_id"],
        rebalance_run_id=row["rebalance_run_id"],
        decision_no=row["decision_no"],
        action=WorkflowAction(row["action"]),
        reason_code=row["reason_code"],
        comment=row["comment"],
        actor_id=row["actor_id"],
        decided_at=row["decided_at"],
        correlation_id=row["correlation_id"],
    )


DECISIONS = Listing(
    noun=NOUN,
    queries={
        "rebalance_run_id": "list_decisions_by_run",
        "actor_id": "list_decisions_by_actor",
        "reason_code": "list_decisions_by_reason_code",
        "action": "list_decisions_by_action",
        None: "list_decisions",
    },
    find="find_decision",
    id_name="decision_id",
    read=decision_of,
    place=lambda decision: (decision.decided_at, decision.decision_id),
)
