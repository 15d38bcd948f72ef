"""What can be read of proposals (HTTP contract 6.3, 6.5)."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from service.domains.callers import Caller
from service.domains.lineage import TRAIL_EDGES_MAX, Edge, EdgeFilter, EdgePlace
from service.domains.proposals.values import (
    NO_PROPOSAL,
    Proposal,
    ProposalApproval,
    ProposalEvent,
    ProposalFilter,
    ProposalKey,
    ProposalKeyScope,
    ProposalVersion,
    VersionHead,
)
from service.domains.retention.cutoffs import KEEP_ALL
from service.domains.values.pages import Page
from service.errors.proposals import ProposalKeyNotFound
from service.storage.ports.store import Store

# How the ids of versions begin.
VERSION_PREFIX = "ppv_"


@dataclass(frozen=True, slots=True)
class ProposalDetail:
    """A proposal with its current version."""

    proposal: Proposal
    version: ProposalVersion


@dataclass(frozen=True, slots=True)
class ProposalTimeline:
    """A proposal with one page of its events."""

    proposal: Proposal
    events: Page[ProposalEvent]


@dataclass(frozen=True, slots=True)
class ProposalLineage:
    """A proposal with one page of the versions that it had when it was read, and the edges they brought."""

    proposal: Proposal
    versions: Page[VersionHead]
    edges: tuple[Edge, ...]


class ProposalReads:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, caller: Caller, proposal_id: str) -> ProposalDetail:
        """A proposal with its current version. Raises ProposalNotFound."""
        proposal = await self._find(caller, proposal_id)
        version = await self._store.proposals.get_version(caller.tenant_id, proposal_id, proposal.version_no)
        return ProposalDetail(proposal, version)

    async def get_version(self, caller: Caller, proposal_id: str, version_no: int) -> ProposalVersion:
        """Raises ProposalVersionNotFound, also when there is no such proposal."""
        return await self._store.proposals.get_version(caller.tenant_id, proposal_id, version_no)

    async def list(
        self, caller: Caller, proposals: ProposalFilter, *, limit: int, cursor: str | None
    ) -> Page[Proposal]:
        """One page of the proposals the filter lets through, newest first."""
        return await self._store.proposals.list(caller.tenant_id, proposals, limit=limit, cursor=cursor)

    async def list_events(
        self, caller: Caller, proposal_id: str, *, limit: int, cursor: str | None
    ) -> ProposalTimeline:
        """One page of the events, oldest first. Raises ProposalNotFound."""
        proposal = await self._find(caller, proposal_id)
        events = await self._store.proposals.list_events(
            caller.tenant_id, proposal_id, limit=limit, cursor=cursor
        )
        return ProposalTimeline(proposal, events)

    async def list_approvals(
        self, caller: Caller, proposal_id: str, *, limit: int, cursor: str | None
    ) -> Page[ProposalApproval]:
        """One page of the approvals, given or refused, oldest first. Raises ProposalNotFound."""
        await self._find(caller, proposal_id)
        return await self._store.proposals.list_approvals(
            caller.tenant_id, proposal_id, limit=limit, cursor=cursor
        )

    async def get_lineage(
        self, caller: Caller, proposal_id: str, *, limit: int, cursor: str | None
    ) -> ProposalLineage:
        """One page of the versions, oldest first, and the edges they brought. Raises ProposalNotFound."""
        proposal = await self._find(caller, proposal_id)
        versions = await self._store.proposals.list_versions(
            caller.tenant_id, proposal_id, limit=limit, cursor=cursor
        )
        # None that came since the proposal was read.
        known = tuple(one for one in versions.items if one.version_no <= proposal.version_no)
        edges: dict[EdgePlace, Edge] = {}
        for version in versions.items:
            page = await self._store.lineage.list(
                caller.tenant_id,
                version.proposal_version_id,
                EdgeFilter(),
                limit=TRAIL_EDGES_MAX,
                cursor=None,
                cutoff=KEEP_ALL,
            )
            edges |= {edge.place: edge for edge in page.items}
        brought = brought_by({one.proposal_version_id for one in known}, edges)
        return ProposalLineage(proposal, Page(known, versions.next_cursor), brought)

    async def get_key(self, caller: Caller, idempotency_key: str) -> ProposalKey:
        """What a key of a creation stands for. Raises ProposalKeyNotFound."""
        held = await self._store.proposals.find_key(
            caller.tenant_id, ProposalKeyScope.CREATE, NO_PROPOSAL, idempotency_key
        )
        if held is None:
            raise ProposalKeyNotFound()
        return held

    async def _find(self, caller: Caller, proposal_id: str) -> Proposal:
        return await self._store.proposals.get(caller.tenant_id, proposal_id)


def brought_by(version_ids: Set[str], edges: Mapping[EdgePlace, Edge]) -> tuple[Edge, ...]:
    """The edges that some versions brought, by their places."""
    return tuple(
        edges[place]
        for place in sorted(edges)
        # What a later version brought starts at it, or at its artifact and ends at it.
        if edges[place].source_entity_id in version_ids
        or (
            edges[place].target_entity_id in version_ids
            and not edges[place].source_entity_id.startswith(VERSION_PREFIX)
        )
    )
