"""What can be read of proposals (HTTP contract 6.3, 6.5)."""

from __future__ import annotations

from functools import partial

from service.domains.dpm_runs.values import DEFAULT_TENANT
from service.domains.lineage import TRAIL_EDGES_MAX, Edge, EdgeFilter, EdgePlace
from service.domains.proposals.values import NO_PROPOSAL, Proposal, ProposalFilter, ProposalKeyScope
from service.domains.retention.cutoffs import KEEP_ALL
from service.domains.values.pages import Page
from service.errors.proposals import ProposalKeyNotFound
from service.flows.proposals.answers import (
    answer_approvals,
    answer_detail,
    answer_key,
    answer_lineage,
    answer_timeline,
    answer_version,
)
from service.runtime.large_texts import where_large
from service.storage.ports.store import Store


class ProposalReads:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, proposal_id: str, *, include_evidence: bool) -> bytes:
        """A proposal with its current version. Raises ProposalNotFound."""
        proposal = await self._find(proposal_id)
        version = await self._store.proposals.get_version(DEFAULT_TENANT, proposal_id, proposal.version_no)
        detail = partial(answer_detail, include_evidence=include_evidence)
        return await where_large(version.bytes_count, detail, proposal, version)

    async def get_version(self, proposal_id: str, version_no: int, *, include_evidence: bool) -> bytes:
        """Raises ProposalVersionNotFound, also when there is no such proposal."""
        version = await self._store.proposals.get_version(DEFAULT_TENANT, proposal_id, version_no)
        answer = partial(answer_version, include_evidence=include_evidence)
        return await where_large(version.bytes_count, answer, version)

    async def list(self, proposals: ProposalFilter, *, limit: int, cursor: str | None) -> Page[Proposal]:
        """One page of the proposals the filter lets through, newest first."""
        return await self._store.proposals.list(DEFAULT_TENANT, proposals, limit=limit, cursor=cursor)

    async def list_events(self, proposal_id: str, *, limit: int, cursor: str | None) -> bytes:
        """One page of the events, oldest first. Raises ProposalNotFound."""
        proposal = await self._find(proposal_id)
        events = await self._store.proposals.list_events(
            DEFAULT_TENANT, proposal_id, limit=limit, cursor=cursor
        )
        return answer_timeline(proposal, events)

    async def list_approvals(self, proposal_id: str, *, limit: int, cursor: str | None) -> bytes:
        """One page of the approvals, given or refused, oldest first. Raises ProposalNotFound."""
        await self._find(proposal_id)
        approvals = await self._store.proposals.list_approvals(
            DEFAULT_TENANT, proposal_id, limit=limit, cursor=cursor
        )
        return answer_approvals(proposal_id, approvals)

    async def get_lineage(self, proposal_id: str, *, limit: int, cursor: str | None) -> bytes:
        """One page of the versions, oldest first, and the edges they brought. Raises ProposalNotFound."""
        proposal = await self._find(proposal_id)
        versions = await self._store.proposals.list_versions(
            DEFAULT_TENANT, proposal_id, limit=limit, cursor=cursor
        )
        edges: dict[EdgePlace, Edge] = {}
        for version in versions.items:
            page = await self._store.lineage.list(
                DEFAULT_TENANT,
                version.proposal_version_id,
                EdgeFilter(),
                limit=TRAIL_EDGES_MAX,
                cursor=None,
                cutoff=KEEP_ALL,
            )
            edges |= {edge.place: edge for edge in page.items}
        return answer_lineage(proposal, versions, [edges[place] for place in sorted(edges)])

    async def get_key(self, idempotency_key: str) -> bytes:
        """What a key of a creation stands for. Raises ProposalKeyNotFound."""
        held = await self._store.proposals.find_key(
            DEFAULT_TENANT, ProposalKeyScope.CREATE, NO_PROPOSAL, idempotency_key
        )
        if held is None:
            raise ProposalKeyNotFound()
        return answer_key(held)

    async def _find(self, proposal_id: str) -> Proposal:
        return await self._store.proposals.get(DEFAULT_TENANT, proposal_id)
