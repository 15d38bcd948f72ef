"""What an accepted creation or version of a proposal is to do, kept with its operation (D17)."""

from __future__ import annotations

import msgspec

from service.domains.values.json_heads import head_before, split_before


class ProposalTask(msgspec.Struct, frozen=True, kw_only=True):
    """`body` is the request as it was asked, canonical; a creation has a key, a version a proposal."""

    created_by: str
    idempotency_key: str | None
    proposal_id: str | None
    # None where the caller sent none; the operation's own is not the event's.
    correlation_sent: str | None
    body: msgspec.Raw

    def written(self) -> bytes:
        """The task as JSON, to be kept."""
        return msgspec.json.encode(self)


class TaskHead(msgspec.Struct, frozen=True, kw_only=True):
    """A task but for its body."""

    created_by: str
    idempotency_key: str | None
    proposal_id: str | None
    correlation_sent: str | None


def read_task(text: bytes) -> ProposalTask:
    """What `written` wrote."""
    head, body = split_before(text, "body")
    if not body:
        return _TASK.decode(text)
    task = _HEAD.decode(head)
    return ProposalTask(
        created_by=task.created_by,
        idempotency_key=task.idempotency_key,
        proposal_id=task.proposal_id,
        correlation_sent=task.correlation_sent,
        body=msgspec.Raw(body),
    )


def read_task_head(text: bytes) -> TaskHead:
    """What `written` wrote, but for the body; that takes no time, however long it is."""
    return _HEAD.decode(head_before(text, "body"))


_TASK = msgspec.json.Decoder(ProposalTask)
_HEAD = msgspec.json.Decoder(TaskHead)
