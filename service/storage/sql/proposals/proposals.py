"""Proposals in SQL, each method an act of its own."""

from __future__ import annotations

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
from service.domains.values.pages import Page
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.proposals import ProposalVersionNotFound
from service.runtime.large_texts import where_large
from service.storage.sql.acts import SqlDatabase, one
from service.storage.sql.proposals.changes import KeepChange, KeyTaken, as_stored, keep_change
from service.storage.sql.proposals.lists import (
    APPROVALS,
    EVENTS,
    NOUN,
    VERSIONS,
    get_proposal,
    list_history,
    list_proposals,
    list_valid_approvals,
)
from service.storage.sql.proposals.rows import (
    key_of,
    version_of,
    whole_bytes_of,
)


class SqlProposals:
    def __init__(self, database: SqlDatabase, keep: KeepChange = keep_change) -> None:
        self.database = database
        self.keep = keep

    async def change(self, change: ProposalChange) -> ProposalKey | None:
        stored = await as_stored(change)
        try:
            await self.database.write(self.keep, stored)
        except KeyTaken as taken:
            return await replay(self.database, taken.key)
        return None

    async def find_key(
        self, tenant_id: str, family: ProposalKeyScope, scope: str, idempotency_key: str
    ) -> ProposalKey | None:
        return await find_key(self.database, tenant_id, family, scope, idempotency_key)

    async def get(self, tenant_id: str, proposal_id: str) -> Proposal:
        return await self.database.read(get_proposal, tenant_id, proposal_id)

    async def list(
        self, tenant_id: str, proposals: ProposalFilter, *, limit: int, cursor: str | None
    ) -> Page[Proposal]:
        return await self.database.read(list_proposals, tenant_id, proposals, limit, cursor)

    async def get_version(self, tenant_id: str, proposal_id: str, version_no: int) -> ProposalVersion:
        named = {"tenant_id": tenant_id, "proposal_id": proposal_id, "version_no": version_no}
        row = await self.database.read(one, NOUN, "find_version", **named)
        if row is None:
            raise ProposalVersionNotFound(proposal_id=proposal_id, version_no=version_no)
        return await where_large(whole_bytes_of(row), version_of, row)

    async def list_versions(
        self, tenant_id: str, proposal_id: str, *, limit: int, cursor: str | None
    ) -> Page[VersionHead]:
        return await self.database.read(
            list_history, VERSIONS, tenant_id, proposal_id, limit=limit, cursor=cursor
        )

    async def list_events(
        self, tenant_id: str, proposal_id: str, *, limit: int, cursor: str | None
    ) -> Page[ProposalEvent]:
        return await self.database.read(
            list_history, EVENTS, tenant_id, proposal_id, limit=limit, cursor=cursor
        )

    async def list_approvals(
        self, tenant_id: str, proposal_id: str, *, limit: int, cursor: str | None
    ) -> Page[ProposalApproval]:
        return await self.database.read(
            list_history, APPROVALS, tenant_id, proposal_id, limit=limit, cursor=cursor
        )

    async def list_valid_approvals(self, tenant_id: str, proposal_id: str) -> tuple[ProposalApproval, ...]:
        return await self.database.read(list_valid_approvals, tenant_id, proposal_id)


async def replay(database: SqlDatabase, key: ProposalKey) -> ProposalKey:
    """The row of a taken key. Raises IdempotencyKeyConflict when it stands for another request.

    Its answer may be long, and a caller that is frozen while reading it must hold no lock: no act reads it.
    """
    kept = await find_key(database, key.tenant_id, key.family, key.scope, key.idempotency_key)
    assert kept is not None, "keys are never removed"
    if kept.request_hash != key.request_hash:
        raise IdempotencyKeyConflict(key=key.idempotency_key)
    return kept


async def find_key(
    database: SqlDatabase, tenant_id: str, family: ProposalKeyScope, scope: str, idempotency_key: str
) -> ProposalKey | None:
    named = {"tenant_id": tenant_id, "scope": scope, "idempotency_key": idempotency_key}
    row = await database.read(one, NOUN, "find_key", **named, family=family.value)
    return None if row is None else await where_large(whole_bytes_of(row), key_of, row)
