"""Which proposals a list or a look-up finds, and what is told of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from service.domains.proposals.values import Proposal, ProposalFilter
from service.domains.values.pages import (
    EARLIEST,
    LATEST,
    LISTED_TEXT_BYTES_MAX,
    PAGE_BYTES_MAX,
    Page,
    page_of,
)
from service.errors.proposals import ProposalNotFound
from service.storage.sql.acts import Act, Row, every, one
from service.storage.sql.listing import Listing
from service.storage.sql.proposals.rows import proposal_of

T = TypeVar("T")

NOUN = "proposals"

PROPOSALS = Listing(
    noun=NOUN,
    queries={
        "portfolio_id": "list_proposals_by_portfolio",
        "created_by": "list_proposals_by_creator",
        "state": "list_proposals_by_state",
        None: "list_proposals",
    },
    find="find_proposal",
    id_name="proposal_id",
    read=proposal_of,
    place=lambda proposal: (proposal.created_at, proposal.proposal_id),
)


def get_proposal(tenant_id: str, proposal_id: str) -> Act[Proposal]:
    proposal = yield from find_proposal(tenant_id, proposal_id)
    if proposal is None:
        raise ProposalNotFound(proposal_id=proposal_id)
    return proposal


def find_proposal(tenant_id: str, proposal_id: str) -> Act[Proposal | None]:
    row = yield from one(NOUN, "find_proposal", tenant_id=tenant_id, proposal_id=proposal_id)
    return None if row is None else proposal_of(row)


def list_proposals(
    tenant_id: str, proposals: ProposalFilter, limit: int, cursor: str | None
) -> Act[Page[Proposal]]:
    rows = yield from PROPOSALS.rows(
        filters={
            "portfolio_id": proposals.portfolio_id,
            "created_by": proposals.created_by,
            "state": proposals.state,
        },
        matches=proposals.matches,
        cursor=cursor,
        limit=limit,
        found={"tenant_id": tenant_id},
        bounds={
            "created_from": proposals.created_from or EARLIEST,
            "created_to": proposals.created_to or LATEST,
            "text_bytes_max": LISTED_TEXT_BYTES_MAX,
        },
    )
    items, size = [proposal_of(row) for row in rows], 0
    for at, item in enumerate(items):
        if rows[at]["is_long"] and size <= PAGE_BYTES_MAX:
            items[at] = (yield from find_proposal(tenant_id, item.proposal_id)) or item
            size += items[at].text_bytes
    return page_of(items, limit, lambda proposal: proposal.proposal_id)


def list_of_proposal(
    query: str, read: Callable[[Row], T], cursor_of: Callable[[T], str], *, limit: int, **values: object
) -> Act[Page[T]]:
    """A page of what is told of one proposal."""
    rows = yield from every(NOUN, query, **values, limit=limit + 1)
    return page_of([read(row) for row in rows], limit, cursor_of)
