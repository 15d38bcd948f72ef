"""Answers that are kept under keys, in SQL; in the transaction of what they are the answer to."""

from __future__ import annotations

from service.domains.idempotency import AnswerScope, IdempotentAnswer
from service.domains.retention.cutoffs import RetentionCutoff
from service.errors.idempotency import IdempotencyKeyConflict
from service.storage.sql.acts import Act, Row, one

NOUN = "idempotent_answers"

# What a key stands for may expire, be removed or be renewed while we look; each time we look again.
CLAIMS_MAX = 5


def claim(answer: IdempotentAnswer, cutoff: RetentionCutoff) -> Act[IdempotentAnswer | None]:
    """Keep an answer under its key, or give back the one that is kept there.

    A rival that is just claiming the key is waited for. Raises IdempotencyKeyConflict when the key stands for
    another request.
    """
    for _ in range(CLAIMS_MAX):
        if (yield from one(NOUN, "claim_answer", **row_of(answer))) is not None:
            return None
        row = yield from one(
            NOUN,
            "find_answer",
            tenant_id=answer.tenant_id,
            family=answer.family.value,
            idempotency_key=answer.idempotency_key,
            runs_since=cutoff.runs_since,
            operations_since=cutoff.operations_since,
        )
        if row is None:
            continue
        held = answer_of(row)
        if row["is_expired"]:
            renewal = row_of(answer) | {"expired_entity_id": held.entity_id}
            if (yield from one(NOUN, "renew_answer", **renewal)) is not None:
                return None
        elif held.request_hash != answer.request_hash:
            raise IdempotencyKeyConflict(key=answer.idempotency_key)
        else:
            return held
    raise AssertionError("a key that is neither free nor held")


def row_of(answer: IdempotentAnswer) -> dict[str, object]:
    return {
        "tenant_id": answer.tenant_id,
        "family": answer.family.value,
        "idempotency_key": answer.idempotency_key,
        "request_hash": answer.request_hash,
        "rebalance_run_id": answer.rebalance_run_id,
        "operation_id": answer.operation_id,
        "created_at": answer.created_at,
        "answer": answer.answer,
    }


def answer_of(row: Row) -> IdempotentAnswer:
    return IdempotentAnswer(
        tenant_id=row["tenant_id"],
        family=AnswerScope(row["family"]),
        idempotency_key=row["idempotency_key"],
        request_hash=row["request_hash"],
        entity_id=row["rebalance_run_id"] or row["operation_id"],
        created_at=row["created_at"],
        answer=row["answer"],
    )
