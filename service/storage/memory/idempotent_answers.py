"""Answers that are kept under keys, in memory. Functions here check before they write."""

from __future__ import annotations

from service.domains.idempotency import IdempotentAnswer
from service.domains.retention.cutoffs import RetentionCutoff
from service.errors.idempotency import IdempotencyKeyConflict
from service.storage.memory.tables.state import AnswerKey, State


def find_answer(state: State, wanted: IdempotentAnswer, cutoff: RetentionCutoff) -> IdempotentAnswer | None:
    """The answer that is kept under a key; a key whose run or operation has expired is free.

    Raises IdempotencyKeyConflict when the key stands for another request.
    """
    held = state.answers.get(key_of(wanted))
    if held is None or not is_kept(state, held, cutoff):
        return None
    if held.request_hash != wanted.request_hash:
        raise IdempotencyKeyConflict(key=wanted.idempotency_key)
    return held


def insert_answer(state: State, answer: IdempotentAnswer) -> None:
    """Keep an answer under its key, whatever the key stood for."""
    key = key_of(answer)
    if (before := state.answers.get(key)) is not None:
        state.answers_about[before.tenant_id, before.entity_id].discard(key)
    state.answers[key] = answer
    state.answers_about.setdefault((answer.tenant_id, answer.entity_id), set()).add(key)


def remove_answers(state: State, tenant_id: str, entity_id: str) -> int:
    """Remove the answers about a run or an operation."""
    keys = state.answers_about.pop((tenant_id, entity_id), set())
    for key in keys:
        del state.answers[key]
    return len(keys)


def is_kept(state: State, answer: IdempotentAnswer, cutoff: RetentionCutoff) -> bool:
    entity = (answer.tenant_id, answer.entity_id)
    if answer.operation_id is None:
        return state.runs[entity].created_at >= cutoff.runs_since
    finished_at = state.operations[entity].finished_at
    return finished_at is None or finished_at >= cutoff.operations_since


def key_of(answer: IdempotentAnswer) -> AnswerKey:
    return (answer.tenant_id, answer.family, answer.idempotency_key)
