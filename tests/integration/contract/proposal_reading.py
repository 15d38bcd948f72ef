"""What a test has a store keep of proposals, and reads of them."""

from __future__ import annotations

from dataclasses import dataclass

from service.domains.callers import DEFAULT_TENANT
from service.domains.proposals.values import (
    Proposal,
    ProposalApproval,
    ProposalChange,
    ProposalEvent,
    ProposalFilter,
    ProposalKey,
    ProposalVersion,
    VersionHead,
)
from service.domains.values.pages import Page, all_of
from service.storage.ports.store import Store
from tests.integration.contract.proposal_builders import ALL_PROPOSALS, head_of_version
from tests.integration.contract.reading import LIMIT


@dataclass(frozen=True, slots=True)
class Whole:
    """All that a store tells of one proposal."""

    proposal: Proposal
    heads: tuple[VersionHead, ...]
    versions: tuple[ProposalVersion, ...]
    events: tuple[ProposalEvent, ...]
    approvals: tuple[ProposalApproval, ...]


async def keep(store: Store, *changes: ProposalChange) -> Proposal:
    """Have the store keep changes, one after the other; gives what the last leaves."""
    for change in changes:
        assert await store.proposals.change(change) is None
    return changes[-1].proposal


async def whole_of(store: Store, proposal: Proposal) -> Whole:
    name = (proposal.tenant_id, proposal.proposal_id)
    found = await store.proposals.get(*name)
    return Whole(
        proposal=found,
        heads=await all_of(store.proposals.list_versions, *name),
        versions=tuple(
            [await store.proposals.get_version(*name, number + 1) for number in range(found.version_no)]
        ),
        events=await all_of(store.proposals.list_events, *name),
        approvals=await all_of(store.proposals.list_approvals, *name),
    )


def whole_after(*changes: ProposalChange) -> Whole:
    """What a store is to tell of a proposal after its changes."""
    versions = tuple(change.version for change in changes if change.version is not None)
    return Whole(
        proposal=changes[-1].proposal,
        heads=tuple(map(head_of_version, versions)),
        versions=versions,
        events=tuple(change.event for change in changes),
        approvals=tuple(change.approval for change in changes if change.approval is not None),
    )


async def key_in(store: Store, key: ProposalKey) -> ProposalKey | None:
    return await store.proposals.find_key(key.tenant_id, key.family, key.scope, key.idempotency_key)


async def proposals_of(
    store: Store,
    proposals: ProposalFilter = ALL_PROPOSALS,
    *,
    limit: int = LIMIT,
    cursor: str | None = None,
) -> Page[Proposal]:
    return await store.proposals.list(DEFAULT_TENANT, proposals, limit=limit, cursor=cursor)
