"""Proposals in memory. No method awaits between its checks and its writes, so each is atomic."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import islice, takewhile

from service.domains.proposals.documents import stored_change, whole_key, whole_version
from service.domains.proposals.states import VERSION_EVENTS
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
from service.domains.values.pages import EARLIEST, LATEST, Page, empty_page, page_of
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.proposals import ProposalConcurrentUpdate, ProposalNotFound, ProposalVersionNotFound
from service.runtime.large_texts import where_large
from service.storage.memory import lineage
from service.storage.memory.tables.collector import hide
from service.storage.memory.tables.histories import rows_behind
from service.storage.memory.tables.sorted_index import Place, ShelfKey, SortedIndex
from service.storage.memory.tables.state import RowKey, State
from service.storage.texts import require_storable

HEAD = tuple(field.name for field in fields(VersionHead))


class MemoryProposals:
    def __init__(self, state: State) -> None:
        self.state = state

    async def change(self, change: ProposalChange) -> ProposalKey | None:
        self.state.require_open()
        stored = await stored_of(change)
        self.state.require_open()
        held = require_changeable(self.state, change)
        if held is not None:
            return await whole_key_of(self.state, held)
        insert_change(self.state, stored)
        return None

    async def get(self, tenant_id: str, proposal_id: str) -> Proposal:
        self.state.require_open()
        return get_proposal(self.state, (tenant_id, proposal_id))

    async def list(
        self, tenant_id: str, proposals: ProposalFilter, *, limit: int, cursor: str | None
    ) -> Page[Proposal]:
        state = self.state
        state.require_open()
        before = None
        if cursor is not None:
            held = state.proposals.get((tenant_id, cursor))
            if held is None or not proposals.matches(held):
                return empty_page()
            before = place_of(held)
        shelves, shelf = shelf_for(state, tenant_id, proposals)
        places = shelves.backward(
            shelf,
            first=proposals.created_from or EARLIEST,
            last=proposals.created_to or LATEST,
            before=before,
        )
        rows = filter(
            proposals.matches, (state.proposals[tenant_id, proposal_id] for _, proposal_id in places)
        )
        return page_of(list(islice(rows, limit + 1)), limit, lambda proposal: proposal.proposal_id)

    async def get_version(self, tenant_id: str, proposal_id: str, version_no: int) -> ProposalVersion:
        self.state.require_open()
        versions = self.state.proposal_versions.get((tenant_id, proposal_id), [])
        if not 1 <= version_no <= len(versions):
            raise ProposalVersionNotFound(proposal_id=proposal_id, version_no=version_no)
        stored = versions[version_no - 1]
        return await where_large(bytes_of(stored), whole_version, stored)

    async def list_versions(
        self, tenant_id: str, proposal_id: str, *, limit: int, cursor: str | None
    ) -> Page[VersionHead]:
        self.state.require_open()
        versions = self.state.proposal_versions.get((tenant_id, proposal_id), [])
        rows = rows_behind(versions, cursor, limit, lambda version: version.proposal_version_id)
        return page_of(list(map(head_of, rows)), limit, lambda version: version.proposal_version_id)

    async def list_events(
        self, tenant_id: str, proposal_id: str, *, limit: int, cursor: str | None
    ) -> Page[ProposalEvent]:
        self.state.require_open()
        events = self.state.proposal_events.get((tenant_id, proposal_id), [])
        rows = rows_behind(events, cursor, limit, lambda event: event.event_id)
        return page_of(rows, limit, lambda event: event.event_id)

    async def list_approvals(
        self, tenant_id: str, proposal_id: str, *, limit: int, cursor: str | None
    ) -> Page[ProposalApproval]:
        self.state.require_open()
        approvals = self.state.proposal_approvals.get((tenant_id, proposal_id), [])
        rows = rows_behind(approvals, cursor, limit, lambda approval: approval.approval_id)
        return page_of(rows, limit, lambda approval: approval.approval_id)

    async def list_valid_approvals(self, tenant_id: str, proposal_id: str) -> tuple[ProposalApproval, ...]:
        self.state.require_open()
        of = (tenant_id, proposal_id)
        events = reversed(self.state.proposal_events.get(of, []))
        since = next(
            (event.event_no for event in events if event.event_type in VERSION_EVENTS),
            0,
        )
        approvals = reversed(self.state.proposal_approvals.get(of, []))
        return tuple(takewhile(lambda approval: approval.event_no > since, approvals))[::-1]

    async def find_key(
        self, tenant_id: str, family: ProposalKeyScope, scope: str, idempotency_key: str
    ) -> ProposalKey | None:
        self.state.require_open()
        held = self.state.proposal_keys.get((tenant_id, family, scope, idempotency_key))
        return None if held is None else await whole_key_of(self.state, held)


async def stored_of(change: ProposalChange) -> ProposalChange:
    """The change as it is to be written."""
    size = 0 if change.version is None else change.version.bytes_count
    return await where_large(size, stored_change, change)


def bytes_of(stored: ProposalVersion) -> int:
    """What its documents have together at most, once they are put together again."""
    return 3 * len(stored.result) + 2 * len(stored.evidence) + len(stored.artifact)


async def whole_key_of(state: State, held: ProposalKey) -> ProposalKey:
    """A key as it was given, of one as it is kept."""
    version = state.proposal_versions[held.tenant_id, held.proposal_id][held.version_no - 1]
    texts = (version.result, version.artifact, version.evidence)
    return await where_large(bytes_of(version), whole_key, held, *texts)


def require_changeable(state: State, change: ProposalChange) -> ProposalKey | None:
    """None when a change may be written, or the key that is kept already; asked before anything is.

    Raises IdempotencyKeyConflict, ProposalConcurrentUpdate, ProposalNotFound.
    """
    require_storable(change.proposal, change.event, change.key, change.version, change.approval)
    key, proposal = change.key, change.proposal
    if key is not None:
        held = state.proposal_keys.get((key.tenant_id, key.family, key.scope, key.idempotency_key))
        if held is not None and held.request_hash != key.request_hash:
            raise IdempotencyKeyConflict(key=key.idempotency_key)
        if held is not None:
            return held
    if not change.is_creation and get_proposal(state, key_of(proposal)).revision != proposal.revision - 1:
        raise ProposalConcurrentUpdate(proposal_id=proposal.proposal_id)
    if change.is_creation and key_of(proposal) in state.proposals:
        raise ProposalConcurrentUpdate(proposal_id=proposal.proposal_id)
    if not state.proposal_ids.isdisjoint(ids_of(change)):
        raise ProposalConcurrentUpdate(proposal_id=proposal.proposal_id)
    return None


def insert_change(state: State, change: ProposalChange) -> None:
    """Write a change that may be written, as stored_of makes it."""
    key, version, approval = change.key, change.version, change.approval
    of = key_of(change.proposal)
    if key is not None:
        place = (key.tenant_id, key.family, key.scope, key.idempotency_key)
        hide(place)
        state.proposal_keys[place] = key
    if change.is_creation:
        insert_proposal(state, change.proposal)
    else:
        advance(state, change.proposal)
    versions = state.proposal_versions.setdefault(of, [])
    if version is not None:
        assert version.version_no == len(versions) + 1, version.version_no
        previous_id = versions[-1].proposal_version_id if versions else None
        versions.append(version)
        lineage.insert_edges(state, version.tenant_id, change.edges(previous_id))
    events = state.proposal_events.setdefault(of, [])
    assert change.event.event_no == len(events) + 1, change.event.event_no
    events.append(change.event)
    if approval is not None:
        approvals = state.proposal_approvals.setdefault(of, [])
        approvals.append(approval)
        hide(approval, approvals)
    state.proposal_ids.update(ids_of(change))
    if key is not None:
        keys = state.keys_of_proposal.setdefault(of, [])
        scoped = (key.family, key.scope, key.idempotency_key)
        keys.append(scoped)
        hide(scoped, keys)
    hide(key, version, change.event, approval, versions, events)
    if change.is_creation:
        state.trim("proposals", of[0])


def insert_proposal(state: State, proposal: Proposal) -> None:
    hide(proposal)
    state.proposals[key_of(proposal)] = proposal
    for shelves, shelf in shelves_of(state, proposal):
        shelves.put(shelf, place_of(proposal))


def advance(state: State, proposal: Proposal) -> None:
    """Write a proposal as an event leaves it; what it is stays as it was."""
    held = state.proposals[key_of(proposal)]
    assert not held.has_ended, held.state
    for shelves, shelf in shelves_of(state, held):
        shelves.take(shelf, place_of(held))
    left = replace(
        held,
        last_event_at=proposal.last_event_at,
        state=proposal.state,
        version_no=proposal.version_no,
        version_status=proposal.version_status,
        versioned_by=proposal.versioned_by,
        revision=proposal.revision,
    )
    insert_proposal(state, left)


def remove_proposal(state: State, tenant_id: str, proposal_id: str) -> None:
    """Remove a proposal with everything that is kept of it."""
    of = (tenant_id, proposal_id)
    proposal = state.proposals.pop(of)
    for shelves, shelf in shelves_of(state, proposal):
        shelves.take(shelf, place_of(proposal))
    versions = state.proposal_versions.pop(of, [])
    events = state.proposal_events.pop(of, [])
    approvals = state.proposal_approvals.pop(of, [])
    for family, scope, idempotency_key in state.keys_of_proposal.pop(of, []):
        del state.proposal_keys[tenant_id, family, scope, idempotency_key]
    edges = {
        edge.place: edge
        for version in versions
        for edge in lineage.edges_at(state, tenant_id, version.proposal_version_id)
    }
    lineage.remove_edges(state, tenant_id, list(edges.values()))
    state.proposal_ids -= {
        *(("version", tenant_id, version.proposal_version_id) for version in versions),
        *(("event", tenant_id, event.event_id) for event in events),
        *(("approval", tenant_id, approval.approval_id) for approval in approvals),
    }


def ids_of(change: ProposalChange) -> list[tuple[str, str, str]]:
    """The ids that nothing else of their kind may have, each with its kind and tenant."""
    tenant_id, version, approval = change.proposal.tenant_id, change.version, change.approval
    ids = [("event", tenant_id, change.event.event_id)]
    if version is not None:
        ids.append(("version", tenant_id, version.proposal_version_id))
    if approval is not None:
        ids.append(("approval", tenant_id, approval.approval_id))
    return ids


def get_proposal(state: State, key: RowKey) -> Proposal:
    held = state.proposals.get(key)
    if held is None:
        raise ProposalNotFound(proposal_id=key[1])
    return held


def shelves_of(state: State, proposal: Proposal) -> tuple[tuple[SortedIndex[Place], ShelfKey], ...]:
    """Every shelf that a proposal stands on."""
    return (
        (state.proposals_by_creation, (proposal.tenant_id,)),
        (state.proposals_by_portfolio, (proposal.tenant_id, proposal.portfolio_id)),
        (state.proposals_by_creator, (proposal.tenant_id, proposal.created_by)),
        (state.proposals_by_state, (proposal.tenant_id, proposal.state.value)),
    )


def shelf_for(state: State, tenant_id: str, proposals: ProposalFilter) -> tuple[SortedIndex[Place], ShelfKey]:
    """The shortest shelf with all proposals that a filter lets through."""
    if proposals.portfolio_id is not None:
        return state.proposals_by_portfolio, (tenant_id, proposals.portfolio_id)
    if proposals.created_by is not None:
        return state.proposals_by_creator, (tenant_id, proposals.created_by)
    if proposals.state is not None:
        return state.proposals_by_state, (tenant_id, proposals.state)
    return state.proposals_by_creation, (tenant_id,)


def head_of(version: ProposalVersion) -> VersionHead:
    return VersionHead(**{name: getattr(version, name) for name in HEAD})


def place_of(proposal: Proposal) -> Place:
    return (proposal.created_at, proposal.proposal_id)


def key_of(proposal: Proposal) -> RowKey:
    return (proposal.tenant_id, proposal.proposal_id)
