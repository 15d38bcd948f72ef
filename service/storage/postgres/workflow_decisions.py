"""Reviews of runs in PostgreSQL."""

from __future__ import annotations

import asyncpg

from service.domains.dpm_runs.values import RunSummary
from service.domains.idempotency import IdempotentAnswer
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.domains.values.pages import (
    EARLIEST,
    LATEST,
    LISTED_TEXT_BYTES_MAX,
    PAGE_BYTES_MAX,
    Page,
    empty_page,
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
from service.storage.postgres import dpm_runs, idempotent_answers
from service.storage.postgres.database import Database
from service.storage.postgres.statements import Connection, Row, every, one
from service.storage.queries import load
from service.storage.texts import require_storable

SQL = load("postgres", "workflow_decisions")


class PostgresWorkflowDecisions:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def decide(
        self, verdict: ReviewAction, rule: ReviewRule, cutoff: RetentionCutoff
    ) -> tuple[RunSummary, WorkflowDecision]:
        async with self.database.act() as conn:
            return await decide(conn, verdict, rule, cutoff)

    async def decide_once(
        self,
        verdict: ReviewAction,
        rule: ReviewRule,
        cutoff: RetentionCutoff,
        answer: IdempotentAnswer,
    ) -> IdempotentAnswer | None:
        async with self.database.act() as conn:
            held = await idempotent_answers.claim(conn, answer, cutoff)
            if held is None:
                await decide(conn, verdict, rule, cutoff)
        return held

    async def list_of_run(
        self, tenant_id: str, rebalance_run_id: str, *, limit: int, cursor: str | None
    ) -> Page[WorkflowDecision]:
        async with self.database.look() as conn:
            rows = await every(
                conn,
                SQL["list_decisions_of_run"],
                tenant_id=tenant_id,
                rebalance_run_id=rebalance_run_id,
                after_id=cursor,
                limit=limit + 1,
                page_bytes_max=PAGE_BYTES_MAX,
            )
        return page_of(
            [decision_of(row) for row in rows],
            limit,
            lambda decision: decision.decision_id,
        )

    async def find_latest(self, tenant_id: str, rebalance_run_id: str) -> WorkflowDecision | None:
        async with self.database.look() as conn:
            return await find_latest(conn, tenant_id, rebalance_run_id)

    async def list(
        self,
        tenant_id: str,
        decisions: DecisionFilter,
        *,
        limit: int,
        cursor: str | None,
        cutoff: RetentionCutoff,
    ) -> Page[WorkflowDecision]:
        async with self.database.look() as conn:
            before_at, before_id = LATEST, ""
            if cursor is not None:
                last = await find_decision(conn, tenant_id, cursor, cutoff)
                if last is None or not decisions.matches(last):
                    return empty_page()
                before_at, before_id = last.decided_at, last.decision_id
            name, values = listing_of(decisions)
            rows = await every(
                conn,
                SQL[name],
                tenant_id=tenant_id,
                runs_since=cutoff.runs_since,
                decided_from=decisions.decided_from or EARLIEST,
                decided_to=decisions.decided_to or LATEST,
                before_at=before_at,
                before_id=before_id,
                limit=limit + 1,
                text_bytes_max=LISTED_TEXT_BYTES_MAX,
                **values,
            )
            items, size = [decision_of(row) for row in rows], 0
            for at, item in enumerate(items):
                if rows[at]["is_long"] and size <= PAGE_BYTES_MAX:
                    items[at] = await find_decision(conn, tenant_id, item.decision_id, cutoff) or item
                    size += len(items[at].comment or "")
        return page_of(items, limit, lambda decision: decision.decision_id)


# From the filter that leaves the fewest rows to the one that leaves the most.
LISTINGS = (
    ("rebalance_run_id", "list_decisions_by_run"),
    ("actor_id", "list_decisions_by_actor"),
    ("reason_code", "list_decisions_by_reason_code"),
    ("action", "list_decisions_by_action"),
)


def listing_of(decisions: DecisionFilter) -> tuple[str, dict[str, str | None]]:
    """The query that walks the index of the narrowest filter given, and the values of its filters."""
    filters = {
        "rebalance_run_id": decisions.rebalance_run_id,
        "actor_id": decisions.actor_id,
        "reason_code": decisions.reason_code,
        "action": None if decisions.action is None else decisions.action.value,
    }
    for name, query in LISTINGS:
        if filters[name] is not None:
            return query, filters
        del filters[name]
    return "list_decisions", filters


async def decide(
    conn: Connection, verdict: ReviewAction, rule: ReviewRule, cutoff: RetentionCutoff
) -> tuple[RunSummary, WorkflowDecision]:
    require_storable(verdict)
    head = await dpm_runs.get_head(conn, verdict.tenant_id, verdict.rebalance_run_id, cutoff)
    latest = await find_latest(conn, verdict.tenant_id, verdict.rebalance_run_id)
    rule.require_allowed(verdict, head.status, latest)
    decision = verdict.numbered(1 if latest is None else latest.decision_no + 1)
    try:
        inserted = await one(conn, SQL["insert_decision"], **row_of(decision), run_created_at=head.created_at)
    except asyncpg.ForeignKeyViolationError:
        # The run was removed after we had seen it.
        raise RunNotFound(rebalance_run_id=verdict.rebalance_run_id) from None
    if inserted is not None:
        return head, decision
    if await find_decision(conn, verdict.tenant_id, verdict.decision_id, KEEP_ALL) is not None:
        raise DecisionExists(id=verdict.decision_id)
    # Somebody else decided on the state we saw, and theirs is the next number.
    winner = facts_of(await find_latest(conn, verdict.tenant_id, verdict.rebalance_run_id))
    raise (
        WorkflowStateConflict(**winner) if verdict.expected_status else WorkflowInvalidTransition(**winner)
    )


async def find_latest(conn: Connection, tenant_id: str, rebalance_run_id: str) -> WorkflowDecision | None:
    row = await one(conn, SQL["find_latest_decision"], tenant_id=tenant_id, rebalance_run_id=rebalance_run_id)
    return None if row is None else decision_of(row)


async def find_decision(
    conn: Connection, tenant_id: str, decision_id: str, cutoff: RetentionCutoff
) -> WorkflowDecision | None:
    row = await one(
        conn,
        SQL["find_decision"],
        tenant_id=tenant_id,
        decision_id=decision_id,
        runs_since=cutoff.runs_since,
    )
    return None if row is None else decision_of(row)


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
