"""Answers that are kept under keys, in SQLite; in the transaction of what they are the answer to."""

from __future__ import annotations

import sqlite3

from service.domains.idempotency import AnswerScope, IdempotentAnswer
from service.domains.retention.cutoffs import RetentionCutoff
from service.errors.idempotency import IdempotencyKeyConflict
from service.storage.queries import load
from service.storage.sqlite.statements import instant_of, one, text_of

SQL = load("sqlite", "idempotent_answers")


def claim(
    conn: sqlite3.Connection, answer: IdempotentAnswer, cutoff: RetentionCutoff
) -> IdempotentAnswer | None:
    """Keep an answer under its key, or give back the one that is kept there.

    Raises IdempotencyKeyConflict when the key stands for another request.
    """
    if one(conn, SQL["claim_answer"], **row_of(answer)) is not None:
        return None
    row = one(
        conn,
        SQL["find_answer"],
        tenant_id=answer.tenant_id,
        family=answer.family.value,
        idempotency_key=answer.idempotency_key,
        runs_since=text_of(cutoff.runs_since),
        operations_since=text_of(cutoff.operations_since),
    )
    assert row is not None, "a key that is taken stands for something: there is one writer"
    held = answer_of(row)
    if row["is_expired"]:
        renewed = one(conn, SQL["renew_answer"], **row_of(answer), expired_entity_id=held.entity_id)
        assert renewed is not None, "there is one writer"
        return None
    if held.request_hash != answer.request_hash:
        raise IdempotencyKeyConflict(key=answer.idempotency_key)
    return held


def row_of(answer: IdempotentAnswer) -> dict[str, object]:
    return {
        "tenant_id": answer.tenant_id,
        "family": answer.family.value,
        "idempotency_key": answer.idempotency_key,
        "request_hash": answer.request_hash,
        "rebalance_run_id": answer.rebalance_run_id,
        "operation_id": answer.operation_id,
        "created_at": text_of(answer.created_at),
        "answer": answer.answer,
    }


def answer_of(row: sqlite3.Row) -> IdempotentAnswer:
    return IdempotentAnswer(
        tenant_id=row["tenant_id"],
        family=AnswerScope(row["family"]),
        idempotency_key=row["idempotency_key"],
        request_hash=row["request_hash"],
        entity_id=row["rebalance_run_id"] or row["operation_id"],
        created_at=instant_of(row["created_at"]),
        answer=row["answer"],
    )
