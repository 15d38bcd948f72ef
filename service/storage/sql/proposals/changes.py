"""What a change of a proposal writes, in the transaction of the act it is part of."""

from __future__ import annotations

from collections.abc import Callable

from service.domains.proposals.documents import stored_change
from service.domains.proposals.values import ProposalChange, ProposalKey, ProposalVersion
from service.errors.proposals import ProposalConcurrentUpdate, ProposalNotFound
from service.runtime.large_texts import where_large
from service.storage.sql import lineage
from service.storage.sql.acts import Act, one
from service.storage.sql.proposals.lists import NOUN, find_proposal
from service.storage.sql.proposals.rows import (
    row_of_approval,
    row_of_event,
    row_of_key,
    row_of_proposal,
    row_of_step,
    row_of_version,
)
from service.storage.texts import require_storable

# Keeps a change; PostgreSQL has a shorter way for a new proposal.
KeepChange = Callable[[ProposalChange], Act[None]]


class KeyTaken(Exception):
    """Undoes the act that meets it; what the key stands for is read after it (see replay)."""

    def __init__(self, key: ProposalKey) -> None:
        super().__init__(key.idempotency_key)
        self.key = key


async def as_stored(change: ProposalChange) -> ProposalChange:
    """The change with its documents as they are stored; of large ones made in a thread."""
    size = 0 if change.version is None else change.version.bytes_count
    return await where_large(size, stored_change, change)


def keep_change(change: ProposalChange) -> Act[None]:
    """Keep an event with all that comes with it; its documents are as they are stored.

    Raises KeyTaken, ProposalConcurrentUpdate, ProposalNotFound.
    """
    require_storable(change.proposal, change.event, change.key, change.version, change.approval)
    # A rival that is at the same key is waited for here, before the proposal is locked.
    if change.key is not None and (yield from one(NOUN, "claim_key", **row_of_key(change.key))) is None:
        raise KeyTaken(change.key)
    yield from keep_proposal(change)
    if change.version is not None:
        yield from insert("insert_version", row_of_version(change.version))
    yield from insert("insert_event", row_of_event(change.event))
    if change.approval is not None:
        yield from insert("insert_approval", row_of_approval(change.approval))
    if change.version is not None:
        edges = change.edges((yield from find_previous_id(change.version)))
        yield from lineage.insert_edges(change.version.tenant_id, edges)


def keep_proposal(change: ProposalChange) -> Act[None]:
    proposal = change.proposal
    if change.is_creation:
        yield from insert("insert_proposal", row_of_proposal(proposal))
    elif (yield from one(NOUN, "advance_proposal", **row_of_step(proposal))) is None:
        if (yield from find_proposal(proposal.tenant_id, proposal.proposal_id)) is None:
            raise ProposalNotFound(proposal_id=proposal.proposal_id)
        raise ProposalConcurrentUpdate(proposal_id=proposal.proposal_id)


def insert(query: str, row: dict[str, object]) -> Act[None]:
    """Raises ProposalConcurrentUpdate when an id or a number is taken."""
    if (yield from one(NOUN, query, **row)) is None:
        raise ProposalConcurrentUpdate(proposal_id=row["proposal_id"])


def find_previous_id(version: ProposalVersion) -> Act[str | None]:
    if version.version_no == 1:
        return None
    row = yield from one(
        NOUN,
        "find_version_id",
        tenant_id=version.tenant_id,
        proposal_id=version.proposal_id,
        version_no=version.version_no - 1,
    )
    return None if row is None else row["proposal_version_id"]
