"""Proposals in SQLite. Functions that take `conn` run in a transaction of their caller and begin none."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial

from service.domains.proposals.documents import stored_change
from service.domains.proposals.values import (
    Proposal,
    ProposalApproval,
    ProposalChange,
    ProposalEvent,
    ProposalFilter,
    ProposalKey,
    ProposalKeyScope,
    ProposalVersion,
    VersionHead,
)
from service.domains.values.pages import (
    EARLIEST,
    LATEST,
    LISTED_TEXT_BYTES_MAX,
    PAGE_BYTES_MAX,
    Page,
    empty_page,
    page_of,
)
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.proposals import ProposalConcurrentUpdate, ProposalNotFound, ProposalVersionNotFound
from service.storage.queries import load
from service.storage.sqlite import lineage
from service.storage.sqlite.database import Database
from service.storage.sqlite.proposal_rows import (
    approval_of,
    event_of,
    head_of,
    key_of,
    proposal_of,
    values_of_approval,
    values_of_event,
    values_of_key,
    values_of_version,
    values_that_move,
    values_that_stay,
    version_of,
)
from service.storage.sqlite.statements import every, from_first_given, one, text_of
from service.storage.texts import require_storable

SQL = load("sqlite", "proposals")
# By the most selective filter that is given.
LISTS = {
    "portfolio_id": SQL["list_proposals_by_portfolio"],
    "created_by": SQL["list_proposals_by_creator"],
    "state": SQL["list_proposals_by_state"],
    None: SQL["list_proposals"],
}


class KeyTaken(Exception):
    """Takes back what an act wrote before its change; `key` is what the key of the change stands for."""

    def __init__(self, key: ProposalKey) -> None:
        super().__init__()
        self.key = key


class SqliteProposals:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def change(self, change: ProposalChange) -> ProposalKey | None:
        return await self.database.write(partial(keep_change, change=change))

    async def get(self, tenant_id: str, proposal_id: str) -> Proposal:
        return await self.database.read(partial(get_proposal, tenant_id=tenant_id, proposal_id=proposal_id))

    async def list(
        self, tenant_id: str, proposals: ProposalFilter, *, limit: int, cursor: str | None
    ) -> Page[Proposal]:
        return await self.database.read(
            partial(list_proposals, tenant_id=tenant_id, proposals=proposals, limit=limit, cursor=cursor)
        )

    async def get_version(self, tenant_id: str, proposal_id: str, version_no: int) -> ProposalVersion:
        return await self.database.read(
            partial(get_version, tenant_id=tenant_id, proposal_id=proposal_id, version_no=version_no)
        )

    async def list_versions(
        self, tenant_id: str, proposal_id: str, *, limit: int, cursor: str | None
    ) -> Page[VersionHead]:
        values = {"limit": limit + 1, "after_id": cursor}
        rows = await self._list_of("list_versions", tenant_id, proposal_id, values)
        return page_of(list(map(head_of, rows)), limit, lambda version: version.proposal_version_id)

    async def list_events(
        self, tenant_id: str, proposal_id: str, *, limit: int, cursor: str | None
    ) -> Page[ProposalEvent]:
        values = {"limit": limit + 1, "after_id": cursor, "page_bytes_max": PAGE_BYTES_MAX}
        rows = await self._list_of("list_events", tenant_id, proposal_id, values)
        return page_of(list(map(event_of, rows)), limit, lambda event: event.event_id)

    async def list_approvals(
        self, tenant_id: str, proposal_id: str, *, limit: int, cursor: str | None
    ) -> Page[ProposalApproval]:
        values = {"limit": limit + 1, "after_id": cursor, "page_bytes_max": PAGE_BYTES_MAX}
        rows = await self._list_of("list_approvals", tenant_id, proposal_id, values)
        return page_of(list(map(approval_of, rows)), limit, lambda approval: approval.approval_id)

    async def list_valid_approvals(self, tenant_id: str, proposal_id: str) -> tuple[ProposalApproval, ...]:
        return tuple(
            map(approval_of, await self._list_of("list_valid_approvals", tenant_id, proposal_id, {}))
        )

    async def _list_of(
        self, query: str, tenant_id: str, proposal_id: str, values: Mapping[str, object]
    ) -> Sequence[sqlite3.Row]:
        place = {"tenant_id": tenant_id, "proposal_id": proposal_id}
        return await self.database.read(lambda conn: every(conn, SQL[query], **place, **values))

    async def find_key(
        self, tenant_id: str, family: ProposalKeyScope, scope: str, idempotency_key: str
    ) -> ProposalKey | None:
        find = partial(find_key, tenant_id=tenant_id, family=family, scope=scope)
        return await self.database.read(partial(find, idempotency_key=idempotency_key))


def keep_change(conn: sqlite3.Connection, change: ProposalChange) -> ProposalKey | None:
    """Keep an event with all that comes with it; or give back what its key stands for, and write nothing.

    Raises IdempotencyKeyConflict, ProposalConcurrentUpdate, ProposalNotFound.
    """
    require_storable(change.proposal, change.event, change.key, change.version, change.approval)
    change = stored_change(change)
    held = None if change.key is None else claim_key(conn, change.key)
    if held is None:
        insert_change(conn, change)
    return held


def keep_own_change(conn: sqlite3.Connection, change: ProposalChange) -> None:
    """The same as part of a larger act; raises KeyTaken when the key stands for something already."""
    held = keep_change(conn, change)
    if held is not None:
        raise KeyTaken(held)


def claim_key(conn: sqlite3.Connection, key: ProposalKey) -> ProposalKey | None:
    """Give the key to this act, or return what it stands for already. Raises IdempotencyKeyConflict."""
    if one(conn, SQL["claim_key"], **values_of_key(key)) is not None:
        return None
    held = find_key(
        conn,
        tenant_id=key.tenant_id,
        family=key.family,
        scope=key.scope,
        idempotency_key=key.idempotency_key,
    )
    assert held is not None, "a key that cannot be claimed stands for something"
    if held.request_hash != key.request_hash:
        raise IdempotencyKeyConflict(key=key.idempotency_key)
    return held


def insert_change(conn: sqlite3.Connection, change: ProposalChange) -> None:
    """Write a change whose key is its own. Raises ProposalConcurrentUpdate, ProposalNotFound."""
    if change.is_creation:
        insert(conn, "insert_proposal", values_that_move(change.proposal) | values_that_stay(change.proposal))
    else:
        advance(conn, change.proposal)
    version, approval = change.version, change.approval
    if version is not None:
        insert(conn, "insert_version", values_of_version(version))
        previous_id = find_version_id(conn, version, version.version_no - 1)
        lineage.insert_edges(conn, version.tenant_id, change.edges(previous_id))
    insert(conn, "insert_event", values_of_event(change.event))
    if approval is not None:
        insert(conn, "insert_approval", values_of_approval(approval))


def insert(conn: sqlite3.Connection, query: str, values: dict[str, object]) -> None:
    """Write a row. Raises ProposalConcurrentUpdate when its place or its id is taken."""
    if one(conn, SQL[query], **values) is None:
        raise ProposalConcurrentUpdate(proposal_id=values["proposal_id"])


def advance(conn: sqlite3.Connection, proposal: Proposal) -> None:
    if one(conn, SQL["advance_proposal"], **values_that_move(proposal)) is None:
        get_proposal(conn, tenant_id=proposal.tenant_id, proposal_id=proposal.proposal_id)
        raise ProposalConcurrentUpdate(proposal_id=proposal.proposal_id)


def find_version_id(conn: sqlite3.Connection, version: VersionHead, version_no: int) -> str | None:
    """The id of another version of the same proposal."""
    row = one(
        conn,
        SQL["find_version_id"],
        tenant_id=version.tenant_id,
        proposal_id=version.proposal_id,
        version_no=version_no,
    )
    return None if row is None else row["proposal_version_id"]


def find_key(
    conn: sqlite3.Connection,
    *,
    tenant_id: str,
    family: ProposalKeyScope,
    scope: str,
    idempotency_key: str,
) -> ProposalKey | None:
    row = one(
        conn,
        SQL["find_key"],
        tenant_id=tenant_id,
        family=family.value,
        scope=scope,
        idempotency_key=idempotency_key,
    )
    return None if row is None else key_of(row)


def get_proposal(conn: sqlite3.Connection, *, tenant_id: str, proposal_id: str) -> Proposal:
    proposal = find_proposal(conn, tenant_id=tenant_id, proposal_id=proposal_id)
    if proposal is None:
        raise ProposalNotFound(proposal_id=proposal_id)
    return proposal


def find_proposal(conn: sqlite3.Connection, *, tenant_id: str, proposal_id: str) -> Proposal | None:
    row = one(conn, SQL["find_proposal"], tenant_id=tenant_id, proposal_id=proposal_id)
    return None if row is None else proposal_of(row)


def get_version(
    conn: sqlite3.Connection, *, tenant_id: str, proposal_id: str, version_no: int
) -> ProposalVersion:
    row = one(conn, SQL["find_version"], tenant_id=tenant_id, proposal_id=proposal_id, version_no=version_no)
    if row is None:
        raise ProposalVersionNotFound(proposal_id=proposal_id, version_no=version_no)
    return version_of(row)


def list_proposals(
    conn: sqlite3.Connection, *, tenant_id: str, proposals: ProposalFilter, limit: int, cursor: str | None
) -> Page[Proposal]:
    before_at, before_id = LATEST, ""
    if cursor is not None:
        last = find_proposal(conn, tenant_id=tenant_id, proposal_id=cursor)
        if last is None or not proposals.matches(last):
            return empty_page()
        before_at, before_id = last.created_at, last.proposal_id
    filters = from_first_given({name: getattr(proposals, name) for name in LISTS if name is not None})
    rows = every(
        conn,
        LISTS[next(iter(filters), None)],
        **filters,
        tenant_id=tenant_id,
        created_from=text_of(proposals.created_from or EARLIEST),
        created_to=text_of(proposals.created_to or LATEST),
        before_at=text_of(before_at),
        before_id=before_id,
        limit=limit + 1,
        text_bytes_max=LISTED_TEXT_BYTES_MAX,
    )
    items, size = [proposal_of(row) for row in rows], 0
    for at, item in enumerate(items):
        if rows[at]["is_long"] and size <= PAGE_BYTES_MAX:
            items[at] = find_proposal(conn, tenant_id=tenant_id, proposal_id=item.proposal_id) or item
            size += items[at].text_bytes
    return page_of(items, limit, lambda proposal: proposal.proposal_id)
