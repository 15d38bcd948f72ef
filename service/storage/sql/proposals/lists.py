"""Which proposals a list or a look-up finds, and what is told of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from service.domains.proposals.values import Proposal, ProposalApproval, ProposalFilter
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
from service.storage.sql.proposals.rows import approval_of, event_of, head_of, proposal_of

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


@dataclass(frozen=True, slots=True)
class History(Generic[T]):
    """What is told of one proposal, in its order; the cursor is the id of the last row."""

    query: str
    read: Callable[[Row], T]
    cursor_of: Callable[[T], str]
    bounds: Mapping[str, int]


VERSIONS = History("list_versions", head_of, lambda version: version.proposal_version_id, {})
# Their texts are bounded in the statement, so that no page is read that is not answered.
TEXTS = {"page_bytes_max": PAGE_BYTES_MAX}
EVENTS = History("list_events", event_of, lambda event: event.event_id, TEXTS)
APPROVALS = History("list_approvals", approval_of, lambda approval: approval.approval_id, TEXTS)


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
        matches=lambda row: proposals.matches(proposal_of(row)),
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


def list_history(
    history: History[T], tenant_id: str, proposal_id: str, *, limit: int, cursor: str | None
) -> Act[Page[T]]:
    place = {"tenant_id": tenant_id, "proposal_id": proposal_id, "after_id": cursor}
    rows = yield from every(NOUN, history.query, **place, **history.bounds, limit=limit + 1)
    return page_of([history.read(row) for row in rows], limit, history.cursor_of)


def list_valid_approvals(tenant_id: str, proposal_id: str) -> Act[tuple[ProposalApproval, ...]]:
    rows = yield from every(NOUN, "list_valid_approvals", tenant_id=tenant_id, proposal_id=proposal_id)
    return tuple(approval_of(row) for row in rows)
