"""Reviews in SQLite."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from functools import partial

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
from service.errors.workflow_decisions import DecisionExists, WorkflowInvalidTransition
from service.storage.queries import load
from service.storage.sqlite import dpm_runs, idempotent_answers
from service.storage.sqlite.database import Database
from service.storage.sqlite.statements import every, from_first_given, instant_of, one, text_of
from service.storage.texts import require_storable

SQL = load("sqlite", "workflow_decisions")
# By the most selective filter that is given.
LISTS = {
    "rebalance_run_id": SQL["list_decisions_by_run"],
    "actor_id": SQL["list_decisions_by_actor"],
    "reason_code": SQL["list_decisions_by_reason_code"],
    "action": SQL["list_decisions_by_action"],
    None: SQL["list_decisions"],
}


class SqliteWorkflowDecisions:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def decide(
        self, verdict: ReviewAction, rule: ReviewRule, cutoff: RetentionCutoff
    ) -> tuple[RunSummary, WorkflowDecision]:
        return await self.database.write(partial(decide, verdict=verdict, rule=rule, cutoff=cutoff))

    async def decide_once(
        self,
        verdict: ReviewAction,
        rule: ReviewRule,
        cutoff: RetentionCutoff,
        answer: IdempotentAnswer,
    ) -> IdempotentAnswer | None:
        return await self.database.write(
            partial(decide_once, verdict=verdict, rule=rule, cutoff=cutoff, answer=answer)
        )

    async def list_of_run(
        self, tenant_id: str, rebalance_run_id: str, *, limit: int, cursor: str | None
    ) -> Page[WorkflowDecision]:
        return await self.database.read(
            partial(
                list_of_run,
                tenant_id=tenant_id,
                rebalance_run_id=rebalance_run_id,
                limit=limit,
                cursor=cursor,
            )
        )

    async def find_latest(self, tenant_id: str, rebalance_run_id: str) -> WorkflowDecision | None:
        return await self.database.read(
            partial(find_latest, tenant_id=tenant_id, rebalance_run_id=rebalance_run_id)
        )

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
            partial(
                list_decisions,
                tenant_id=tenant_id,
                decisions=decisions,
                limit=limit,
                cursor=cursor,
                cutoff=cutoff,
            )
        )


def decide(
    conn: sqlite3.Connection, verdict: ReviewAction, rule: ReviewRule, cutoff: RetentionCutoff
) -> tuple[RunSummary, WorkflowDecision]:
    require_storable(verdict)
    tenant_id, run_id = verdict.tenant_id, verdict.rebalance_run_id
    head = dpm_runs.get_head(conn, tenant_id=tenant_id, rebalance_run_id=run_id, cutoff=cutoff)
    latest = find_latest(conn, tenant_id=tenant_id, rebalance_run_id=run_id)
    rule.require_allowed(verdict, head.status, latest)
    decision = verdict.numbered(latest.decision_no + 1 if latest else 1)
    insert_decision(conn, decision, run_created_at=head.created_at)
    return head, decision


def decide_once(
    conn: sqlite3.Connection,
    verdict: ReviewAction,
    rule: ReviewRule,
    cutoff: RetentionCutoff,
    answer: IdempotentAnswer,
) -> IdempotentAnswer | None:
    held = idempotent_answers.claim(conn, answer, cutoff)
    if held is None:
        decide(conn, verdict, rule, cutoff)
    return held


def insert_decision(
    conn: sqlite3.Connection, decision: WorkflowDecision, *, run_created_at: datetime
) -> None:
    inserted = one(
        conn,
        SQL["insert_decision"],
        tenant_id=decision.tenant_id,
        rebalance_run_id=decision.rebalance_run_id,
        decision_no=decision.decision_no,
        decision_id=decision.decision_id,
        action=decision.action.value,
        reason_code=decision.reason_code,
        comment=decision.comment,
        actor_id=decision.actor_id,
        decided_at=text_of(decision.decided_at),
        correlation_id=decision.correlation_id,
        run_created_at=text_of(run_created_at),
    )
    if inserted is not None:
        return
    if find_decision(conn, tenant_id=decision.tenant_id, decision_id=decision.decision_id, cutoff=KEEP_ALL):
        raise DecisionExists(id=decision.decision_id)
    place = {
        "tenant_id": decision.tenant_id,
        "rebalance_run_id": decision.rebalance_run_id,
    }
    raise WorkflowInvalidTransition(**facts_of(find_latest(conn, **place)))


def find_latest(
    conn: sqlite3.Connection, *, tenant_id: str, rebalance_run_id: str
) -> WorkflowDecision | None:
    row = one(conn, SQL["find_latest_decision"], tenant_id=tenant_id, rebalance_run_id=rebalance_run_id)
    return None if row is None else decision_of(row)


def find_decision(
    conn: sqlite3.Connection, *, tenant_id: str, decision_id: str, cutoff: RetentionCutoff
) -> WorkflowDecision | None:
    row = one(
        conn,
        SQL["find_decision"],
        tenant_id=tenant_id,
        decision_id=decision_id,
        runs_since=text_of(cutoff.runs_since),
    )
    return None if row is None else decision_of(row)


def list_of_run(
    conn: sqlite3.Connection,
    *,
    tenant_id: str,
    rebalance_run_id: str,
    limit: int,
    cursor: str | None,
) -> Page[WorkflowDecision]:
    rows = every(
        conn,
        SQL["list_decisions_of_run"],
        tenant_id=tenant_id,
        rebalance_run_id=rebalance_run_id,
        after_id=cursor,
        limit=limit + 1,
        page_bytes_max=PAGE_BYTES_MAX,
    )
    return page_of([decision_of(row) for row in rows], limit, lambda decision: decision.decision_id)


def list_decisions(
    conn: sqlite3.Connection,
    *,
    tenant_id: str,
    decisions: DecisionFilter,
    limit: int,
    cursor: str | None,
    cutoff: RetentionCutoff,
) -> Page[WorkflowDecision]:
    before_at, before_id = LATEST, ""
    if cursor is not None:
        last = find_decision(conn, tenant_id=tenant_id, decision_id=cursor, cutoff=cutoff)
        if last is None or not decisions.matches(last):
            return empty_page()
        before_at, before_id = last.decided_at, last.decision_id
    filters = from_first_given(
        {
            "rebalance_run_id": decisions.rebalance_run_id,
            "actor_id": decisions.actor_id,
            "reason_code": decisions.reason_code,
            "action": decisions.action.value if decisions.action else None,
        }
    )
    rows = every(
        conn,
        LISTS[next(iter(filters), None)],
        **filters,
        tenant_id=tenant_id,
        runs_since=text_of(cutoff.runs_since),
        decided_from=text_of(decisions.decided_from or EARLIEST),
        decided_to=text_of(decisions.decided_to or LATEST),
        before_at=text_of(before_at),
        before_id=before_id,
        limit=limit + 1,
        text_bytes_max=LISTED_TEXT_BYTES_MAX,
    )
    items, size = [decision_of(row) for row in rows], 0
    for at, item in enumerate(items):
        if rows[at]["is_long"] and size <= PAGE_BYTES_MAX:
            whole = find_decision(conn, tenant_id=tenant_id, decision_id=item.decision_id, cutoff=cutoff)
            items[at] = whole or item
            size += len(items[at].comment or "")
    return page_of(items, limit, lambda decision: decision.decision_id)


def decision_of(row: sqlite3.Row) -> WorkflowDecision:
    return WorkflowDecision(
        decision_id=row["decision_id"],
        tenant_id=row["tenant_id"],
        rebalance_run_id=row["rebalance_run_id"],
        decision_no=row["decision_no"],
        action=WorkflowAction(row["action"]),
        reason_code=row["reason_code"],
        comment=row["comment"],
        actor_id=row["actor_id"],
        decided_at=instant_of(row["decided_at"]),
        correlation_id=row["correlation_id"],
    )
