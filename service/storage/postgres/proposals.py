"""Proposals in PostgreSQL. Functions that take `conn` run in the caller's transaction and begin none."""

from __future__ import annotations

from collections.abc import Sequence

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
from service.runtime.large_texts import where_large
from service.storage.postgres import lineage
from service.storage.postgres.database import Database
from service.storage.postgres.proposal_rows import (
    approval_of,
    event_of,
    head_of,
    key_of,
    proposal_of,
    row_of_approval,
    row_of_creation,
    row_of_event,
    row_of_key,
    row_of_proposal,
    row_of_step,
    row_of_version,
    version_of,
    whole_bytes_of,
)
from service.storage.postgres.statements import Connection, Row, every, one
from service.storage.queries import load
from service.storage.texts import require_storable

SQL = load("postgres", "proposals")


class KeyTaken(Exception):
    """Undoes the act that meets it; what the key stands for is read after it (see replay)."""

    def __init__(self, key: ProposalKey) -> None:
        super().__init__(key.idempotency_key)
        self.key = key


class PostgresProposals:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def change(self, change: ProposalChange) -> ProposalKey | None:
        try:
            async with self.database.act() as conn:
                await keep_change(conn, change)
        except KeyTaken as taken:
            return await replay(self.database, taken.key)
        return None

    async def get(self, tenant_id: str, proposal_id: str) -> Proposal:
        async with self.database.look() as conn:
            proposal = await find_proposal(conn, tenant_id, proposal_id)
        if proposal is None:
            raise ProposalNotFound(proposal_id=proposal_id)
        return proposal

    async def list(
        self, tenant_id: str, proposals: ProposalFilter, *, limit: int, cursor: str | None
    ) -> Page[Proposal]:
        async with self.database.look() as conn:
            before_at, before_id = LATEST, ""
            if cursor is not None:
                last = await find_proposal(conn, tenant_id, cursor)
                if last is None or not proposals.matches(last):
                    return empty_page()
                before_at, before_id = last.created_at, last.proposal_id
            name, values = listing_of(proposals)
            rows = await every(
                conn,
                SQL[name],
                tenant_id=tenant_id,
                created_from=proposals.created_from or EARLIEST,
                created_to=proposals.created_to or LATEST,
                before_at=before_at,
                before_id=before_id,
                limit=limit + 1,
                text_bytes_max=LISTED_TEXT_BYTES_MAX,
                **values,
            )
            items, size = [proposal_of(row) for row in rows], 0
            for at, item in enumerate(items):
                if rows[at]["is_long"] and size <= PAGE_BYTES_MAX:
                    items[at] = await find_proposal(conn, tenant_id, item.proposal_id) or item
                    size += items[at].text_bytes
        return page_of(items, limit, lambda proposal: proposal.proposal_id)

    async def get_version(self, tenant_id: str, proposal_id: str, version_no: int) -> ProposalVersion:
        async with self.database.look() as conn:
            row = await one(
                conn,
                SQL["find_version"],
                tenant_id=tenant_id,
                proposal_id=proposal_id,
                version_no=version_no,
            )
        if row is None:
            raise ProposalVersionNotFound(proposal_id=proposal_id, version_no=version_no)
        return await where_large(whole_bytes_of(row), version_of, row)

    async def list_versions(
        self, tenant_id: str, proposal_id: str, *, limit: int, cursor: str | None
    ) -> Page[VersionHead]:
        place = {"tenant_id": tenant_id, "proposal_id": proposal_id, "after_id": cursor}
        rows = await self._all("list_versions", limit=limit + 1, **place)
        return page_of(
            [head_of(row) for row in rows],
            limit,
            lambda version: version.proposal_version_id,
        )

    async def list_events(
        self, tenant_id: str, proposal_id: str, *, limit: int, cursor: str | None
    ) -> Page[ProposalEvent]:
        place = {"tenant_id": tenant_id, "proposal_id": proposal_id, "after_id": cursor}
        rows = await self._all("list_events", limit=limit + 1, page_bytes_max=PAGE_BYTES_MAX, **place)
        return page_of([event_of(row) for row in rows], limit, lambda event: event.event_id)

    async def list_approvals(
        self, tenant_id: str, proposal_id: str, *, limit: int, cursor: str | None
    ) -> Page[ProposalApproval]:
        place = {"tenant_id": tenant_id, "proposal_id": proposal_id, "after_id": cursor}
        rows = await self._all("list_approvals", limit=limit + 1, page_bytes_max=PAGE_BYTES_MAX, **place)
        return page_of(
            [approval_of(row) for row in rows],
            limit,
            lambda approval: approval.approval_id,
        )

    async def list_valid_approvals(self, tenant_id: str, proposal_id: str) -> tuple[ProposalApproval, ...]:
        rows = await self._all("list_valid_approvals", tenant_id=tenant_id, proposal_id=proposal_id)
        return tuple(approval_of(row) for row in rows)

    async def find_key(
        self, tenant_id: str, family: ProposalKeyScope, scope: str, idempotency_key: str
    ) -> ProposalKey | None:
        return await find_key(self.database, tenant_id, family, scope, idempotency_key)

    async def _all(self, query: str, **values: object) -> Sequence[Row]:
        async with self.database.look() as conn:
            return await every(conn, SQL[query], **values)


# From the filter that leaves the fewest rows to the one that leaves the most.
LISTINGS = (
    ("portfolio_id", "list_proposals_by_portfolio"),
    ("created_by", "list_proposals_by_creator"),
    ("state", "list_proposals_by_state"),
)


def listing_of(proposals: ProposalFilter) -> tuple[str, dict[str, str | None]]:
    """The query that walks the index of the narrowest filter given, and the values of its filters."""
    filters = {
        "portfolio_id": proposals.portfolio_id,
        "created_by": proposals.created_by,
        "state": proposals.state,
    }
    for name, query in LISTINGS:
        if filters[name] is not None:
            return query, filters
        del filters[name]
    return "list_proposals", filters


async def replay(database: Database, key: ProposalKey) -> ProposalKey:
    """The row of a taken key. Raises IdempotencyKeyConflict when it stands for another request.

    Its answer may be long, and who is frozen while reading it must hold no lock, so no act reads it.
    """
    kept = await find_key(database, key.tenant_id, key.family, key.scope, key.idempotency_key)
    assert kept is not None, "keys are never removed"
    if kept.request_hash != key.request_hash:
        raise IdempotencyKeyConflict(key=key.idempotency_key)
    return kept


async def find_key(
    database: Database, tenant_id: str, family: ProposalKeyScope, scope: str, idempotency_key: str
) -> ProposalKey | None:
    async with database.look() as conn:
        row = await one(
            conn,
            SQL["find_key"],
            tenant_id=tenant_id,
            family=family.value,
            scope=scope,
            idempotency_key=idempotency_key,
        )
    return None if row is None else await where_large(whole_bytes_of(row), key_of, row)


async def keep_change(conn: Connection, change: ProposalChange) -> None:
    """Raises KeyTaken, ProposalConcurrentUpdate, ProposalNotFound."""
    require_storable(change.proposal, change.event, change.key, change.version, change.approval)
    size = 0 if change.version is None else change.version.bytes_count
    change = await where_large(size, stored_change, change)
    if change.is_creation and change.key is not None and change.version is not None:
        return await create(conn, change, change.key, change.version)
    # A rival that is at the same key is waited for here, before the proposal is locked.
    if change.key is not None and await one(conn, SQL["claim_key"], **row_of_key(change.key)) is None:
        raise KeyTaken(change.key)
    await keep_proposal(conn, change)
    if change.version is not None:
        await insert(conn, "insert_version", row_of_version(change.version))
    await insert(conn, "insert_event", row_of_event(change.event))
    if change.approval is not None:
        await insert(conn, "insert_approval", row_of_approval(change.approval))
    if change.version is not None:
        edges = change.edges(await find_previous_id(conn, change.version))
        await lineage.insert_edges(conn, change.version.tenant_id, edges)


async def create(
    conn: Connection, change: ProposalChange, key: ProposalKey, version: ProposalVersion
) -> None:
    """Keeps a new proposal in one trip. Raises KeyTaken, ProposalConcurrentUpdate."""
    outcome = await one(conn, SQL["create_proposal"], **row_of_creation(change, key, version))
    assert outcome is not None, "an outcome is a row"
    if not outcome["claimed"]:
        raise KeyTaken(key)
    if not outcome["recorded"]:
        raise ProposalConcurrentUpdate(proposal_id=change.proposal.proposal_id)


async def keep_proposal(conn: Connection, change: ProposalChange) -> None:
    proposal = change.proposal
    if change.is_creation:
        await insert(conn, "insert_proposal", row_of_proposal(proposal))
    elif await one(conn, SQL["advance_proposal"], **row_of_step(proposal)) is None:
        if await find_proposal(conn, proposal.tenant_id, proposal.proposal_id) is None:
            raise ProposalNotFound(proposal_id=proposal.proposal_id)
        raise ProposalConcurrentUpdate(proposal_id=proposal.proposal_id)


async def insert(conn: Connection, query: str, values: dict[str, object]) -> None:
    """Raises ProposalConcurrentUpdate when an id or a number is taken."""
    if await one(conn, SQL[query], **values) is None:
        raise ProposalConcurrentUpdate(proposal_id=values["proposal_id"])


async def find_previous_id(conn: Connection, version: ProposalVersion) -> str | None:
    if version.version_no == 1:
        return None
    row = await one(
        conn,
        SQL["find_version_id"],
        tenant_id=version.tenant_id,
        proposal_id=version.proposal_id,
        version_no=version.version_no - 1,
    )
    return None if row is None else row["proposal_version_id"]


async def find_proposal(conn: Connection, tenant_id: str, proposal_id: str) -> Proposal | None:
    row = await one(conn, SQL["find_proposal"], tenant_id=tenant_id, proposal_id=proposal_id)
    return None if row is None else proposal_of(row)
