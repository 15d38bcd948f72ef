"""What an accepted creation or version of a proposal is to do, kept with its operation (D17)."""

from __future__ import annotations

import msgspec


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


def read_task(text: bytes) -> ProposalTask:
    """What `written` wrote."""
    return _TASK.decode(text)


_TASK = msgspec.json.Decoder(ProposalTask)
